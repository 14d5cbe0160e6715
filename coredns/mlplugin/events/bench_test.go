package events

import (
	"testing"
)

// BenchmarkRecord is what a query pays: with a reader that keeps up, and with a full queue.
func BenchmarkRecord(b *testing.B) {
	e := sample(1)
	e.Answers = []string{"192.0.2.1", "192.0.2.2"}
	run := func(b *testing.B, parallel bool) {
		q := newQueue(Config{QueueEvents: 1 << 20, QueueBytes: 1 << 30}.withDefaults())
		s := &Sender{queue: q, counters: newCounters(0)}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-q.wake:
					q.drain(func(*record) bool { return true }, func(int) {})
				case <-stop:
					return
				}
			}
		}()
		b.ReportAllocs()
		b.ResetTimer()
		if parallel {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s.Record(e)
				}
			})
		} else {
			for b.Loop() {
				s.Record(e)
			}
		}
		b.StopTimer()
		close(stop)
		<-stopped
		b.ReportMetric(float64(s.counters.dropped[queueFull].Load())/float64(b.N), "dropped/op")
	}
	b.Run("one", func(b *testing.B) { run(b, false) })
	b.Run("parallel", func(b *testing.B) { run(b, true) })
	b.Run("full", func(b *testing.B) {
		s := &Sender{queue: testQueue(64, 1<<30), counters: newCounters(0)}
		b.ReportAllocs()
		for b.Loop() {
			s.Record(e)
		}
	})
}

// BenchmarkEncode is what the sending goroutine pays for an event, and for its compression.
func BenchmarkEncode(b *testing.B) {
	var r record
	r.set(1_795_428_000_123_456, sample(1))
	out := make([]byte, 0, 1<<21)
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out = appendRecord(out[:0], &r)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(len(out)), "B/event")
	})
	b.Run("gzip", func(b *testing.B) {
		size := 0
		for b.Loop() {
			out = out[:0]
			for n := range 1_000 {
				r.set(uint64(1_795_428_000_123_456+n), sample(n))
				out = appendRecord(out, &r)
			}
			size = len(compressed(out))
		}
		b.ReportMetric(1_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(size)/1_000, "B/event")
	})
}
