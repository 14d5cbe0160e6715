package events

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// TestShared: a reload, which starts the new instance before it stops the old, keeps the
// queue and the sequence.
func TestShared(t *testing.T) {
	s := newService(t)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	first, releaseFirst, err := Shared(c)
	if err != nil {
		t.Fatal(err)
	}
	feed(first, 0, 10)
	second, releaseSecond, err := Shared(c)
	if err != nil || second != first {
		t.Fatalf("the second instance has another sender, %v", err)
	}
	for range 2 { // twice is once
		if err := releaseFirst(t.Context()); err != nil || !second.Ready() {
			t.Fatalf("the old instance took the sender with it: %v", err)
		}
	}
	feed(second, 10, 20)
	if err := releaseSecond(t.Context()); err != nil || second.Ready() {
		t.Errorf("not closed with its last user: %v", err)
	}
	if s.count() != 20 {
		t.Errorf("%d stored", s.count())
	}
	third, releaseThird, err := Shared(c)
	if err != nil || third == first {
		t.Fatalf("no new sender after the last release: %v", err)
	}
	if _, _, err := Shared(Config{URL: s.URL, Sensor: "other", Spool: c.Spool}); err == nil || !strings.Contains(err.Error(), `in use by this CoreDNS for sensor "test"`) || !strings.Contains(err.Error(), "restart") {
		t.Errorf("another sensor shares the spool: %v", err)
	}
	if err := releaseThird(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCloseShared: users that never release do not keep events from being sent.
func TestCloseShared(t *testing.T) {
	s := newService(t)
	first, release, err := Shared(quick(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Shared(quick(s.URL)); err != nil { // never released
		t.Fatal(err)
	}
	feed(first, 0, 10)
	if err := release(t.Context()); err != nil {
		t.Error(err)
	}
	if err := CloseShared(t.Context()); err != nil || first.Ready() || s.count() != 10 {
		t.Errorf("%d stored, %v", s.count(), err)
	}
	if len(shared) != 0 {
		t.Errorf("%d are shared still", len(shared))
	}
}

// gathered gives the process's own metrics of events by name, drops summed up.
func gathered(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), "coredns_mlplugin_events_")
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			values[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if family.GetType() == dto.MetricType_HISTOGRAM {
				values[name] += float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return values
}

func TestMetricsAddUp(t *testing.T) {
	before := gathered(t)
	s := newService(t)
	c := quick(s.URL)
	c.Spool = t.TempDir()
	s.fail(503)
	first := open(t, c)
	feed(first, 0, 100)
	eventually(t, "spooled", func() bool { return first.spool.events.Load() == 100 })
	holds := func(name string, want float64) {
		t.Helper()
		if got := gathered(t)[name] - before[name]; got != want {
			t.Errorf("%s grew by %v, want %v", name, got, want)
		}
	}
	holds("recorded_total", 100)
	holds("pending", 100)
	holds("spool_bytes", float64(first.spool.bytes.Load()))
	shut(t, first)
	holds("pending", 100) // left in the folder
	s.set(nil)
	s.refuse = "n7.example.org"
	second := open(t, c)
	eventually(t, "sent", func() bool { n := second.Totals(); return n.Pending == 0 && n.SpoolBytes == 0 })
	holds("recorded_total", 100)
	holds("recovered_total", 0) // they are this process's own
	holds("sent_total", 99)
	holds("dropped_total", 1)
	holds("pending", 0)
	holds("spool_bytes", 0)
	shut(t, second)
	holds("sent_total", 99)
	now := gathered(t)
	if now["batches_total"] <= before["batches_total"] || now["batches_total"] != now["send_duration_seconds"] {
		t.Errorf("%v requests, %v timed", now["batches_total"], now["send_duration_seconds"])
	}
	if problems, err := testutil.GatherAndLint(prometheus.DefaultGatherer); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
