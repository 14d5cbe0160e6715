package events

import (
	"slices"
	"sync"
	"testing"
)

func testQueue(events int, bytes int64) *queue {
	return newQueue(Config{QueueEvents: events, QueueBytes: bytes, URL: "-", Sensor: "-"}.withDefaults())
}

// takeAll drains the queue and gives the sequences in the order in which they came.
func takeAll(q *queue) (sequences []uint64) {
	q.drain(func(r *record) bool {
		sequences = append(sequences, r.sequence)
		return true
	}, func(int) {})
	return sequences
}

func TestQueueKeepsOrder(t *testing.T) {
	q := testQueue(10_000, 1<<30)
	for n := range 5_000 {
		if q.push(uint64(n), sample(n)) != pushedOK {
			t.Fatal("no room")
		}
	}
	var got []uint64
	for len(got) < 5_000 { // in pieces, as batches do
		before := len(got)
		q.drain(func(r *record) bool {
			if want := sample(int(r.sequence)).QName; r.qname != want {
				t.Fatalf("%d is %q", r.sequence, r.qname)
			}
			got = append(got, r.sequence)
			return len(got) < before+777
		}, func(int) {})
	}
	if !slices.IsSorted(got) || len(got) != 5_000 || got[4_999] != 4_999 {
		t.Errorf("%d events, sorted: %v", len(got), slices.IsSorted(got))
	}
	if events, bytes := q.size(); events != 0 || bytes != 0 {
		t.Errorf("an empty queue has %d events, %d bytes", events, bytes)
	}
}

func TestQueueIsBoundedByEvents(t *testing.T) {
	q := testQueue(256, 1<<30)
	taken := 0
	for n := range 1_000 {
		if q.push(uint64(n), sample(n)) == pushedOK {
			taken++
		}
	}
	if events, _ := q.size(); taken != 256 || events != 256 {
		t.Errorf("took %d, holds %d, want 256", taken, events)
	}
	// Room comes back only as events leave, not when their list is taken over.
	q.drain(func(*record) bool { return false }, func(n int) {
		if events, _ := q.size(); n != 1 || events != 256 {
			t.Errorf("told of %d events when the queue counted %d", n, events)
		}
	})
	taken = 0
	for n := range 1_000 {
		if q.push(uint64(n), sample(n)) == pushedOK {
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("took %d more for one that left", taken)
	}
}

func TestQueueIsBoundedByBytes(t *testing.T) {
	const bound = 64 << 10
	q := testQueue(1_000_000, bound)
	e := sample(1)
	e.QName = string(make([]byte, 1000))
	for n := range 1_000 {
		q.push(uint64(n), e)
	}
	events, bytes := q.size()
	if bytes > bound || bytes < bound/2 || events < 20 {
		t.Errorf("%d events of %d bytes in %d", events, bytes, bound)
	}
	takeAll(q)
	if _, bytes := q.size(); bytes != 0 {
		t.Errorf("an empty queue has %d bytes", bytes)
	}
}

func TestQueueUnderManyWriters(t *testing.T) {
	q := testQueue(1_000, 1<<30)
	const writers, each = 8, 5_000
	var work sync.WaitGroup
	var mu sync.Mutex
	pushedSum, pushedCount := uint64(0), 0
	for w := range writers {
		work.Go(func() {
			sum, count := uint64(0), 0
			for n := range each {
				sequence := uint64(w*each + n)
				if q.push(sequence, sample(n)) == pushedOK {
					sum += sequence
					count++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			pushedSum, pushedCount = pushedSum+sum, pushedCount+count
		})
	}
	finished := make(chan struct{})
	go func() { work.Wait(); close(finished) }()
	gotSum, gotCount := uint64(0), 0
	take := func() {
		for _, sequence := range takeAll(q) {
			gotSum += sequence
			gotCount++
		}
	}
	for done := false; !done; {
		select {
		case <-q.wake:
		case <-finished:
			done = true
		}
		take()
	}
	if gotCount != pushedCount || gotSum != pushedSum {
		t.Errorf("%d events in, %d out", pushedCount, gotCount)
	}
	if pushedCount < 1_000 {
		t.Errorf("only %d events taken", pushedCount)
	}
}

func TestClosedQueue(t *testing.T) {
	q := testQueue(1_000, 1<<30)
	q.push(1, sample(1))
	q.close()
	if q.push(2, sample(2)) != pushedClosed {
		t.Error("a closed queue takes events")
	}
	if got := takeAll(q); !slices.Equal(got, []uint64{1}) {
		t.Errorf("left in it: %v", got)
	}
}

// TestRecordingDoesNotAllocate: records and the room for their answers are used again.
func TestRecordingDoesNotAllocate(t *testing.T) {
	s := &Sender{queue: testQueue(1<<16, 1<<30), counters: newCounters(0)}
	e := sample(1)
	e.Answers = answersOf("192.0.2.1", "2001:db8::1", "www.example.net")
	empty := func() { s.queue.drain(func(*record) bool { return true }, func(int) {}) }
	const many = 20 * chunkEvents
	for range 2 * many {
		s.Record(e)
	}
	empty()
	if n := testing.AllocsPerRun(many, func() { s.Record(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestABodyDoesNotGrowAgain(t *testing.T) {
	q := testQueue(10_000, 1<<30)
	c := Config{QueueEvents: 10_000, URL: "-", Sensor: "-"}.withDefaults()
	events := make([]*Event, 3_000)
	for n := range events {
		events[n] = sample(n)
	}
	sequence := uint64(0)
	batch := func() int {
		for _, e := range events {
			sequence++
			if q.push(sequence, e) != pushedOK {
				t.Fatal("no room")
			}
		}
		b := fill(q, c, false, func(int) {})
		if b.count != len(events) {
			t.Fatalf("%d events in a batch", b.count)
		}
		return cap(b.body)
	}
	batch()
	expected := q.room
	if got := batch(); got != expected {
		t.Errorf("a body has %d bytes of room, where %d were expected to do", got, expected)
	}
}
