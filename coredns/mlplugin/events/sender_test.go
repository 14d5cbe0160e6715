package events

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEveryEventArrivesOnce(t *testing.T) {
	s := newService(t)
	c := quick(s.URL + "/")
	c.BatchEvents = 300
	sender := open(t, c)
	started := sender.counters.started
	if early := time.Now().Add(-time.Minute).UnixMicro(); started < uint64(early) {
		t.Errorf("the sequence starts at %d, before the clock", started)
	}
	var work sync.WaitGroup
	for w := range 4 {
		work.Go(func() { feed(sender, w*2_500, (w+1)*2_500) })
	}
	work.Wait()
	shut(t, sender)
	n := balanced(t, sender)
	if n.Sent != 10_000 || n.Pending != 0 || s.count() != 10_000 {
		t.Errorf("%+v, %d stored", n, s.count())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.order)
	for i, sequence := range s.order {
		if sequence != started+uint64(i) {
			t.Fatalf("event %d has sequence %d, want %d", i, sequence, started+uint64(i))
		}
	}
	if s.largest > 300 || s.zipped > 0 {
		t.Errorf("a batch of %d events, %d compressed", s.largest, s.zipped)
	}
}

func TestBatchesAreBoundedByBytes(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.BatchBytes = 2_000
	sender := open(t, c)
	feed(sender, 0, 1_000)
	shut(t, sender)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stored) != 1_000 || s.largest > 12 {
		t.Errorf("%d stored, the largest batch has %d events", len(s.stored), s.largest)
	}
}

func TestCompression(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.Compression = CompressAlways
	sender := open(t, c)
	feed(sender, 0, 1_000)
	shut(t, sender)
	if s.count() != 1_000 || s.zipped == 0 {
		t.Errorf("%d stored, %d batches compressed", s.count(), s.zipped)
	}
	for host, want := range map[string]bool{
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "localhost": false, "a.localhost": false,
		"192.0.2.1": true, "ml.example.org": true, "2001:db8::1": true,
	} {
		if got := (Config{}).compresses(host); got != want {
			t.Errorf("compress to %s: %v", host, got)
		}
	}
	if (Config{Compression: CompressNever}).compresses("192.0.2.1") {
		t.Error("never is not never")
	}
}

func TestSlowEventsDoNotWaitForABatchToFill(t *testing.T) {
	s := newService(t)
	sender := open(t, quick(s.URL))
	sender.Record(sample(1))
	eventually(t, "one event", func() bool { return s.count() == 1 })
}

// A batch costs the service the same however few events it has, so that they wait for others;
// but somebody may look out for what is flagged.
func TestAFlaggedEventTakesTheOthersAlong(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.BatchInterval, c.FlaggedInterval = time.Hour, 2*time.Millisecond
	sender := open(t, c)
	sender.Record(sample(1))
	sender.Record(flagged(2))
	eventually(t, "both events", func() bool { return s.count() == 2 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.largest != 2 {
		t.Errorf("the largest batch has %d events: the first did not wait", s.largest)
	}
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.BatchInterval, c.FlaggedInterval, c.BatchEvents = time.Hour, time.Hour, 256
	sender := open(t, c)
	feed(sender, 0, 256)
	eventually(t, "all events", func() bool { return s.count() == 256 })
}

// However few they are, events that take half of the queue's room do not wait until it is full.
func TestLargeEventsDoNotWait(t *testing.T) {
	sender, err := New(Config{URL: "http://127.0.0.1:1", Sensor: "test", QueueBytes: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	d := newDelivery(sender)
	sender.Record(sample(1))
	if d.due(d.lastFill) {
		t.Error("one small event does not wait")
	}
	feed(sender, 1, 1_000)
	if queued, _ := d.queue.size(); queued >= d.config.BatchEvents || !d.due(d.lastFill) {
		t.Errorf("%d events fill the queue and wait", queued)
	}
}

func TestAFlaggedEventBehindAFullBatchDoesNotWait(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.BatchInterval, c.FlaggedInterval, c.BatchEvents = time.Hour, 2*time.Millisecond, 3
	sender, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	feed(sender, 0, 4)
	sender.Record(flagged(4))
	sender.Start()
	defer shut(t, sender)
	eventually(t, "all events", func() bool { return s.count() == 5 })
}

// TestRecordNeverWaits: with a service that hangs, and no spool, the queue fills and
// the rest is counted; Record returns at once all the same.
func TestRecordNeverWaits(t *testing.T) {
	s := newService(t)
	s.hang()
	c := quick(s.URL)
	c.QueueEvents, c.BatchEvents = 1_000, 100
	sender := open(t, c)
	begin := time.Now()
	feed(sender, 0, 50_000)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("50,000 events took %v", took)
	}
	n := balanced(t, sender)
	if n.Pending < 1_000 || n.Pending > 1_100 || n.Dropped["queue_full"] != 50_000-n.Pending {
		t.Errorf("%+v", n)
	}
	s.set(nil)
	s.CloseClientConnections()
	eventually(t, "all that was kept", func() bool { return sender.Totals().Pending == 0 })
	eventually(t, "the counters", func() bool {
		served, lost := s.told()
		return served == 50_000 && lost+uint64(s.count()) == served
	})
	balanced(t, sender)
}

func TestRefusedLinesAreSingledOut(t *testing.T) {
	for _, compression := range []Compression{CompressNever, CompressAlways} {
		s := newService(t)
		s.refuse = "n123.example.org"
		c := quick(s.URL)
		c.Compression = compression
		sender := open(t, c)
		feed(sender, 0, 1_000)
		eventually(t, "all settled", func() bool { return sender.Totals().Pending == 0 })
		n := balanced(t, sender)
		if n.Sent != 999 || n.Dropped["rejected"] != 1 || s.count() != 999 {
			t.Errorf("%+v, %d stored", n, s.count())
		}
		eventually(t, "the drop is told", func() bool { _, lost := s.told(); return lost == 1 })
	}
}

// TestRefusingEverything: a service that takes nothing is not asked about each line.
func TestRefusingEverything(t *testing.T) {
	for _, status := range []int{400, 413, 415, 422} {
		s := newService(t)
		s.fail(status)
		sender := open(t, quick(s.URL))
		feed(sender, 0, 1_000)
		eventually(t, "all settled", func() bool { return sender.Totals().Pending == 0 })
		if n := balanced(t, sender); n.Dropped["rejected"] != 1_000 {
			t.Errorf("%d: %+v", status, n)
		}
		eventually(t, "quiet", func() bool {
			before := s.asked()
			time.Sleep(20 * time.Millisecond) // ten intervals without a request
			return s.asked() == before
		})
		if n := s.asked(); n > 1_000 {
			t.Errorf("%d: %d requests", status, n)
		}
		shut(t, sender)
	}
}

func TestServiceThatStoresLessThanItWasSent(t *testing.T) {
	s := newService(t)
	s.set(func(w http.ResponseWriter, r *http.Request) {
		if lines, _ := s.read(r); len(lines) > 0 {
			_, _ = io.WriteString(w, `{"stored": 0, "known": 0}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest) // knows no empty batches either
	})
	sender := open(t, quick(s.URL))
	feed(sender, 0, 10)
	eventually(t, "all settled", func() bool { return sender.Totals().Pending == 0 })
	if n := balanced(t, sender); n.Sent != 0 || n.Dropped["rejected"] != 10 {
		t.Errorf("%+v", n)
	}
}

func TestCloseCountsWhatItCannotKeep(t *testing.T) {
	s := newService(t)
	s.hang()
	sender := open(t, quick(s.URL))
	feed(sender, 0, 100)
	eventually(t, "a request", func() bool { return s.asked() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := sender.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "100 events") {
		t.Errorf("Close says %v", err)
	}
	feed(sender, 100, 110)
	if n := balanced(t, sender); n.Dropped["shutdown"] != 110 || n.Pending != 0 {
		t.Errorf("%+v", n)
	}
	if sender.Ready() {
		t.Error("ready after Close")
	}
	if err := sender.Close(t.Context()); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestCloseRetriesUntilItsTimeEnds(t *testing.T) {
	s := newService(t)
	s.fail(http.StatusServiceUnavailable)
	sender := open(t, quick(s.URL))
	feed(sender, 0, 100)
	eventually(t, "a failure", func() bool { return s.asked() > 1 })
	closed := make(chan error)
	go func() { closed <- sender.Close(context.Background()) }()
	before := s.asked()
	eventually(t, "tried again", func() bool { return s.asked() > before+1 })
	s.set(nil)
	if err := <-closed; err != nil || s.count() != 100 {
		t.Errorf("%d stored, %v", s.count(), err)
	}
}

func TestCloseWithoutStart(t *testing.T) {
	s := newService(t)
	sender, err := New(quick(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	if sender.Ready() {
		t.Error("ready before Start")
	}
	feed(sender, 0, 10)
	shut(t, sender)
	if s.count() != 10 {
		t.Errorf("%d stored", s.count())
	}
}

func TestSequencesNeverMeet(t *testing.T) {
	s := newService(t)
	for range 20 {
		sender := open(t, quick(s.URL))
		feed(sender, 0, 500)
		shut(t, sender)
	}
	if s.count() != 10_000 {
		t.Errorf("%d stored of 10,000: sequences were used twice", s.count())
	}
}

func TestConfigMistakes(t *testing.T) {
	file := t.TempDir() + "/file"
	if f, err := createSegment(file); err != nil {
		t.Fatal(err)
	} else {
		_ = f.Close()
	}
	for name, c := range map[string]Config{
		"no URL":       {Sensor: "a"},
		"no scheme":    {URL: "127.0.0.1:5000", Sensor: "a"},
		"other scheme": {URL: "ftp://user:secret@example.org", Sensor: "a"},
		"unreadable":   {URL: "http://user:secret@exa mple.org", Sensor: "a"},
		"bad port":     {URL: "http://user:secret/@example.org", Sensor: "a"},
		"opaque":       {URL: "user:secret@example.org", Sensor: "a"},
		"query":        {URL: "http://example.org?a=b", Sensor: "a"},
		"control":      {URL: "http://exa\nmple.org", Sensor: "a"},
		"no sensor":    {URL: "http://example.org"},
		"long sensor":  {URL: "http://example.org", Sensor: strings.Repeat("a", 256)},
		"spool a file": {URL: "http://example.org", Sensor: "a", Spool: file},
	} {
		s, err := New(c)
		if err == nil {
			t.Errorf("%s: taken", name)
			_ = s.Close(t.Context())
			continue
		}
		if text := err.Error(); strings.Contains(text, "\n") || strings.Contains(text, "secret") {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestEventsWaitForMore(t *testing.T) {
	sender, err := New(Config{URL: "http://127.0.0.1:1", Sensor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	d := newDelivery(sender)
	short, long := d.config.FlaggedInterval, d.config.BatchInterval
	if short >= long {
		t.Fatalf("%v and %v", short, long)
	}
	after := func(wait time.Duration) bool { return d.due(d.lastFill.Add(wait)) }
	if after(time.Hour) {
		t.Error("no event makes a batch")
	}
	sender.Record(sample(1))
	if after(long-1) || !after(long) {
		t.Error("events do not wait for", long)
	}
	if pause := d.pause(d.lastFill.Add(long - time.Millisecond)); pause != time.Millisecond {
		t.Errorf("looks again after %v, a millisecond before they are due", pause)
	}
	if pause := d.pause(d.lastFill.Add(short - time.Millisecond)); pause != time.Millisecond {
		t.Errorf("looks again after %v, a millisecond before a flagged one is due", pause)
	}
	if pause := d.pause(d.lastFill.Add(2 * long)); pause != short {
		t.Errorf("looks again after %v", pause)
	}
	sender.Record(flagged(1))
	if after(short-1) || !after(short) {
		t.Error("a flagged event among few does not wait for", short)
	}
	feed(sender, 1, fewEvents)
	if after(long-1) || !after(long) {
		t.Error("a flagged event among many does not wait for", long)
	}
}

func TestABatchFitsTheSpool(t *testing.T) {
	for spool, most := range map[int64]int{1: 1, 1 << 20: 256 << 10, 1 << 30: 4 << 20} {
		c := Config{Spool: "spool", SpoolBytes: spool}.withDefaults()
		if c.BatchBytes != most {
			t.Errorf("batches of %d bytes for a spool of %d", c.BatchBytes, spool)
		}
	}
}
