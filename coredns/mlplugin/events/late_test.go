package events

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// addsUp says whether what the service stored and what it was told was dropped is all
// that it was told was served.
func addsUp(s *service, served int) func() bool {
	return func() bool {
		told, lost := s.told()
		return told == uint64(served) && lost+uint64(s.count()) == told
	}
}

// TestEventsAfterTheEnd: they are dropped, and the service hears of it.
func TestEventsAfterTheEnd(t *testing.T) {
	s := newService(t)
	sender := open(t, quick(s.URL))
	feed(sender, 0, 100)
	shut(t, sender)
	feed(sender, 100, 150)
	eventually(t, "the late drops are told", addsUp(s, 150))
	if n := balanced(t, sender); n.Dropped["shutdown"] != 50 || s.count() != 100 {
		t.Errorf("%+v, %d stored", n, s.count())
	}
}

// TestClosingUnderTraffic: the end does not wait until nobody asks any more.
func TestClosingUnderTraffic(t *testing.T) {
	s := newService(t)
	sender := open(t, quick(s.URL))
	feed(sender, 0, 100)
	eventually(t, "stored", func() bool { return s.count() == 100 })
	var tellings atomic.Int64
	s.set(func(w http.ResponseWriter, r *http.Request) {
		tellings.Add(1)
		sender.counters.next.Add(1) // a query for each request
		s.store(w, r)
	})
	feed(sender, 100, 101)
	shut(t, sender)
	if n := tellings.Load(); n < 1 || n > 3 {
		t.Errorf("the counters were told %d times", n)
	}
}

// TestClosingUnderTrafficWithASpool: what came with the last word is told at once, not only by
// the next process.
func TestClosingUnderTrafficWithASpool(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	sender := open(t, c)
	feed(sender, 0, 100)
	eventually(t, "stored", func() bool { return s.count() == 100 })
	var closing, late atomic.Bool
	s.set(func(w http.ResponseWriter, r *http.Request) {
		s.store(w, r)
		if closing.Load() && !late.Swap(true) {
			feed(sender, 101, 102) // the query that comes while the last word is under way
		}
	})
	feed(sender, 100, 101)
	eventually(t, "stored", func() bool { return s.count() == 101 && sender.Totals().Pending == 0 })
	sender.drop(queueFull, 1) // something for the last word to tell
	sender.counters.next.Add(1)
	closing.Store(true)
	_ = sender.Close(t.Context()) // it names the late query, which is dropped
	if told, lost := s.told(); !late.Load() || told != 103 || lost != 2 {
		t.Errorf("told of %d, %d of them dropped", told, lost)
	}
}

// TestEventsAfterTheEndInAnOutage: the next process tells of them, once and not twice.
func TestEventsAfterTheEndInAnOutage(t *testing.T) {
	s := newService(t)
	s.fail(http.StatusServiceUnavailable)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	sender := open(t, c)
	feed(sender, 0, 100)
	eventually(t, "spooled", func() bool { return sender.spool.events.Load() == 100 })
	shut(t, sender)
	feed(sender, 100, 150)
	eventually(t, "the late drops are kept", func() bool {
		sender.late.mu.Lock()
		defer sender.late.mu.Unlock()
		return sender.late.told == sender.counters.header()
	})
	if reports := loadReports(c.Spool); len(reports) != 1 {
		t.Errorf("%d reports: %s", len(reports), reports)
	}
	s.set(nil)
	next := open(t, c)
	eventually(t, "all is told", addsUp(s, 150))
	shut(t, next)
	if s.count() != 100 {
		t.Errorf("%d stored", s.count())
	}
}

// TestKnownAtTheFirstAttempt: two sensors of one name are noticed.
func TestKnownAtTheFirstAttempt(t *testing.T) {
	s := newService(t)
	first := open(t, quick(s.URL))
	second, err := New(quick(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	second.counters.started = first.counters.started
	second.counters.next.Store(first.counters.started)
	second.Start()
	t.Cleanup(func() { _ = second.Close(t.Context()) })
	feed(first, 0, 10)
	eventually(t, "the first's", func() bool { return s.count() == 10 })
	if first.doubted.Load() {
		t.Error("a sensor alone is doubted")
	}
	feed(second, 0, 5)
	eventually(t, "noticed", second.doubted.Load)
}

// TestKnownAtAnotherAttempt: a batch whose answer was lost is known, and no reason to warn.
func TestKnownAtAnotherAttempt(t *testing.T) {
	s := newService(t)
	s.set(func(w http.ResponseWriter, r *http.Request) {
		s.store(discarding{}, r)
		w.WriteHeader(http.StatusBadGateway)
	})
	sender := open(t, quick(s.URL))
	feed(sender, 0, 10)
	eventually(t, "stored", func() bool { return s.count() == 10 })
	s.set(nil)
	eventually(t, "acknowledged", func() bool { return sender.Totals().Pending == 0 })
	if sender.doubted.Load() {
		t.Error("a second attempt is taken for a second sensor")
	}
}

// discarding is an answer that never arrives.
type discarding struct{}

func (discarding) Header() http.Header         { return http.Header{} }
func (discarding) Write(b []byte) (int, error) { return len(b), nil }
func (discarding) WriteHeader(int)             {}
