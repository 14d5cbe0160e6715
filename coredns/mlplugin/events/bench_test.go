package events

import (
	"testing"
)

// BenchmarkRecord is what a query pays: alone, with other queries and the reader at the
// same time, and with a full queue.
func BenchmarkRecord(b *testing.B) {
	e := sample(1)
	e.Answers = answersOf("192.0.2.1", "192.0.2.2")
	fresh := func(events int) *Sender {
		return &Sender{queue: testQueue(events, 1<<30), counters: newCounters(0)}
	}
	taken := 0
	empty := func(s *Sender) { s.queue.drain(func(*record) bool { return true }, func(n int) { taken += n }) }
	b.Run("alone", func(b *testing.B) {
		s := fresh(1 << 16)
		taken = 0
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			s.Record(e)
			if n%5_000 == 4_999 {
				b.StopTimer()
				empty(s)
				b.StartTimer()
			}
		}
		empty(s)
		if uint64(taken) != s.counters.served() {
			b.Errorf("%d of %d events came through", taken, s.counters.served())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		s := fresh(1 << 20)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-s.queue.wake:
					empty(s)
				case <-stop:
					return
				}
			}
		}()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				s.Record(e)
			}
		})
		close(stop)
		<-stopped
	})
	b.Run("full", func(b *testing.B) {
		s := fresh(64)
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
