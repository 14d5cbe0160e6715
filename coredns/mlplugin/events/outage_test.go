package events

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// hangUp ends the connection in the middle of the answer.
func hangUp(w http.ResponseWriter) {
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = out.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"sto")
	_ = out.Flush()
	_ = conn.Close()
}

// TestOutages: whatever the service does for a while, with and without a spool, every
// event is stored once in the end.
func TestOutages(t *testing.T) {
	status := func(code int) func(*service) http.HandlerFunc {
		return func(*service) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
		}
	}
	text := func(body string) func(*service) http.HandlerFunc {
		return func(*service) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
		}
	}
	for name, outage := range map[string]func(*service) http.HandlerFunc{
		"500": status(500), "503": status(503), "429": status(429), "401": status(401), "403": status(403),
		"404": status(404), "redirect": status(302), "accepted only": status(202),
		"no JSON": text("<html>"), "JSON of another": text(`{"ok": true}`), "negative": text(`{"stored": -1, "known": 2}`),
		"reset": func(*service) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }
		},
		"stored but not told": func(s *service) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				s.store(discard{}, r)
				hangUp(w)
			}
		},
	} {
		for _, spooled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, spool %v", name, spooled), func(t *testing.T) {
				s := newService(t)
				c := quick(s.URL)
				c.BatchEvents = 100
				if spooled {
					c.Spool = t.TempDir()
				}
				sender := open(t, c)
				feed(sender, 0, 50)
				eventually(t, "the first events", func() bool { return sender.Totals().Sent == 50 })
				s.set(outage(s))
				feed(sender, 50, 1_000)
				before := s.asked()
				eventually(t, "retries", func() bool { return s.asked() > before+2 })
				if n := sender.Totals(); n.Pending == 0 || lost(n) > 0 {
					t.Errorf("in the outage: %+v", n)
				}
				s.set(nil)
				feed(sender, 1_000, 1_200)
				eventually(t, "all events", func() bool { return sender.Totals().Pending == 0 })
				n := balanced(t, sender)
				if n.Sent != 1_200 || s.count() != 1_200 {
					t.Errorf("%+v, %d stored", n, s.count())
				}
				eventually(t, "the spool to be empty", func() bool { return sender.Totals().SpoolBytes == 0 })
			})
		}
	}
}

// discard is a ResponseWriter whose answer nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestHangingServiceAndSpool(t *testing.T) {
	s := newService(t)
	s.hang()
	c := quick(s.URL)
	c.Spool = t.TempDir()
	c.QueueEvents, c.BatchEvents = 1_024, 128
	sender := open(t, c)
	// More than the queue holds, at a pace at which the spool can follow: none may be lost
	// although the first request is still under way.
	for n := 0; n < 10_000; n += 100 {
		feed(sender, n, n+100)
		eventually(t, "room in the queue", func() bool { q, _ := sender.queue.size(); return q < 600 })
	}
	if n := balanced(t, sender); lost(n) > 0 || n.Pending != 10_000 {
		t.Errorf("while it hangs: %+v", n)
	}
	s.set(nil)
	s.CloseClientConnections()
	eventually(t, "all events", func() bool { return sender.Totals().Pending == 0 })
	if n := balanced(t, sender); n.Sent != 10_000 || s.count() != 10_000 {
		t.Errorf("%+v, %d stored", n, s.count())
	}
}

func TestHangingServiceRunsIntoTheTimeout(t *testing.T) {
	s := newService(t)
	s.hang()
	c := quick(s.URL)
	c.RequestTimeout = 20 * time.Millisecond
	sender := open(t, c)
	feed(sender, 0, 10)
	eventually(t, "more than one attempt", func() bool { return s.asked() > 2 })
	s.set(nil)
	eventually(t, "all events", func() bool { return sender.Totals().Sent == 10 })
}

func TestRetryAfterIsRespected(t *testing.T) {
	s := newService(t)
	var first atomic.Int64
	s.set(func(w http.ResponseWriter, r *http.Request) {
		if first.CompareAndSwap(0, time.Now().UnixNano()) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		s.store(w, r)
	})
	sender := open(t, quick(s.URL))
	feed(sender, 0, 10)
	eventually(t, "all events", func() bool { return sender.Totals().Sent == 10 })
	if waited := time.Since(time.Unix(0, first.Load())); waited < time.Second {
		t.Errorf("asked again after %v", waited)
	}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-3": 0, "soon": 0, "999999999": maxRetryAfter,
		"Mon, 23 Nov 2026 10:00:07 GMT": 7 * time.Second, "Mon, 23 Nov 2026 09:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	d := delivery{Sender: &Sender{config: Config{RetryMin: 100 * time.Millisecond, RetryMax: time.Second}}}
	for failures, bound := range map[int]time.Duration{1: 100, 2: 200, 4: 800, 5: 1000, 500: 1000} {
		d.failures = failures
		bound *= time.Millisecond
		for range 100 {
			if got := d.backoff(); got < bound/2 || got > bound {
				t.Errorf("after %d failures: %v, want %v to %v", failures, got, bound/2, bound)
			}
		}
	}
}

// TestSpoolIsReplayedInOrder: what was spooled arrives oldest first, and live events
// are not kept waiting for it.
func TestSpoolIsReplayedInOrder(t *testing.T) {
	s := newService(t)
	s.fail(http.StatusServiceUnavailable)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	c.BatchEvents = 10
	sender := open(t, c)
	feed(sender, 0, 2_000)
	eventually(t, "all spooled", func() bool { return sender.spool.events.Load() == 2_000 })
	started := sender.counters.started
	served := 2_000
	s.set(func(w http.ResponseWriter, r *http.Request) {
		sender.Record(sample(served)) // live traffic goes on
		served++
		s.store(w, r)
	})
	eventually(t, "the spool to be sent", func() bool { return sender.spool.events.Load() == 0 })
	s.set(nil)
	shut(t, sender)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := slices.DeleteFunc(slices.Clone(s.order), func(n uint64) bool { return n >= started+2_000 })
	if !slices.IsSorted(old) || len(old) != 2_000 {
		t.Errorf("%d spooled events arrived, in order: %v", len(old), slices.IsSorted(old))
	}
	firstLive := slices.IndexFunc(s.order, func(n uint64) bool { return n >= started+2_000 })
	if firstLive < 0 || firstLive > 1_000 {
		t.Errorf("the first live event came at place %d", firstLive)
	}
}

// TestSpoolOutlivesTheProcess: a process that ends in an outage leaves everything to the
// next, which sends it under the sensor and the sequences it had.
func TestSpoolOutlivesTheProcess(t *testing.T) {
	s := newService(t)
	s.fail(http.StatusServiceUnavailable)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	c.BatchEvents = 50
	first := open(t, c)
	feed(first, 0, 1_000)
	eventually(t, "an outage", func() bool { return s.asked() > 2 })
	shut(t, first)
	if n := balanced(t, first); n.Pending != 1_000 || lost(n) != 0 {
		t.Errorf("the first: %+v", n)
	}

	c.Sensor = "renamed"
	second := open(t, c)
	feed(second, 0, 500)
	if n := second.Totals(); n.Recovered != 1_000 {
		t.Errorf("the second: %+v", n)
	}
	s.set(nil)
	eventually(t, "all events", func() bool { return second.Totals().Pending == 0 })
	n := balanced(t, second)
	if n.Sent != 1_500 || s.count() != 1_500 {
		t.Errorf("the second: %+v, %d stored", n, s.count())
	}
	s.mu.Lock()
	for i := range uint64(1_000) {
		if key := fmt.Sprintf("test/%d", first.counters.started+i); s.stored[key] != 1 {
			t.Fatalf("%s was stored %d times", key, s.stored[key])
		}
	}
	s.mu.Unlock()
	eventually(t, "the counters of both", func() bool {
		served, lost := s.told()
		return served == 1_500 && lost == 0
	})
}

// TestSpoolOutlivesACrash: a process that is killed leaves files as they are at that
// moment, here a copy of the folder with a torn write at its end. What the crash did not
// tear arrives, once, though part of it may have been sent before.
func TestSpoolOutlivesACrash(t *testing.T) {
	s := newService(t)
	s.fail(http.StatusServiceUnavailable)
	c := quick(s.URL)
	c.Spool = filepath.Join(t.TempDir(), "before")
	c.BatchEvents = 50
	first := open(t, c)
	feed(first, 0, 1_000)
	eventually(t, "all spooled", func() bool { return first.spool.events.Load() == 1_000 })

	crashed := filepath.Join(t.TempDir(), "after")
	if err := os.CopyFS(crashed, os.DirFS(c.Spool)); err != nil {
		t.Fatal(err)
	}
	torn := appendFrame(appendTitle(nil, "test"), testBatch(1, 50))
	if err := os.WriteFile(filepath.Join(crashed, "00000000000000009999.spool"), torn[:len(torn)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	s.set(nil)
	eventually(t, "the first to send something", func() bool { return first.Totals().Sent > 0 })
	c.Spool = crashed
	second := open(t, c)
	if n := second.Totals(); n.Recovered != 1_000 {
		t.Errorf("found %+v", n)
	}
	eventually(t, "all events", func() bool {
		return second.Totals().Pending == 0 && first.Totals().Pending == 0
	})
	n := balanced(t, second)
	if s.count() != 1_000 || n.Sent != 1_000 || lost(n) != 0 {
		t.Errorf("%+v, %d stored", n, s.count())
	}
	eventually(t, "the torn frame is counted", func() bool { return second.Totals().SpoolDamaged == 1 })
}
