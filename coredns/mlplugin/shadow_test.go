package mlplugin

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// inShadow puts a fake candidate beside the fake model of a handler.
func inShadow(h *Handler) *working {
	m := &working{fakeModel: newFakeModel()}
	m.version = "2.0.0"
	h.swap(func(s *snapshot) { s.shadow = newCandidate(m) })
	return m
}

func disagreements(live, shadow verdict.Level) float64 {
	return testutil.ToFloat64(shadowDisagreements[live][shadow])
}

// TestShadowHasNoEffect: answers are the model's, and the event tells where the candidate differs.
func TestShadowHasNoEffect(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain\nallow fine.example.net", test.A("x.example.com. 60 IN A 198.51.100.1"))
	m := inShadow(h)
	m.verdicts["www.example.com"] = evil
	m.verdicts["evil.example.com"] = odd
	m.verdicts["fine.example.net"] = evil
	judged, up, down := testutil.ToFloat64(shadowJudged), disagreements(verdict.Benign, verdict.Malicious), disagreements(verdict.Malicious, verdict.Suspicious)
	for name, want := range map[string]struct {
		rcode  int
		shadow events.Shadow
	}{
		"www.example.com.":  {dns.RcodeSuccess, events.Shadow{Model: "2.0.0", Level: verdict.Malicious, Score: evil.Score}},
		"evil.example.com.": {dns.RcodeNameError, events.Shadow{Model: "2.0.0", Level: verdict.Suspicious, Score: odd.Score}},
		"fine.example.net.": {dns.RcodeSuccess, events.Shadow{}}, // a list decided
		"some.example.com.": {dns.RcodeSuccess, events.Shadow{}}, // they agree
	} {
		for range 3 {
			if got := ask(t, h, name, dns.TypeA).Rcode; got != want.rcode {
				t.Errorf("%s: rcode %d", name, got)
			}
			if got := record.last(t).Shadow; got != want.shadow {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	if m.judged != 3 || m.explained != 0 {
		t.Errorf("the candidate judged %d times, explained %d times", m.judged, m.explained)
	}
	for what, got := range map[string]float64{
		"judged": testutil.ToFloat64(shadowJudged) - judged - 2, "up": disagreements(verdict.Benign, verdict.Malicious) - up,
		"down": disagreements(verdict.Malicious, verdict.Suspicious) - down,
	} {
		if got != 1 {
			t.Errorf("%s: %v", what, got)
		}
	}
	h.swap(func(s *snapshot) { s.shadow = nil })
	if ask(t, h, "www.example.com.", dns.TypeA); record.last(t).Shadow != (events.Shadow{}) {
		t.Error("the event tells of a candidate that is gone")
	}
}

// TestDisputesOfManyNames: more than are kept; each event has its own name's verdict.
func TestDisputesOfManyNames(t *testing.T) {
	h, record := newTestHandler(t, "")
	m := inShadow(h)
	const names = 3 * disputeSlots
	name := func(i int) string { return fmt.Sprintf("h%d.example.com", i) }
	for i := range names {
		m.verdicts[name(i)] = verdict.Verdict{Level: verdict.Malicious, Source: verdict.Model, Score: 37 + float64(i%200)/10}
	}
	for range 2 {
		for i := range names {
			ask(t, h, name(i)+".", dns.TypeA)
			if got := record.last(t).Shadow.Score; got != m.verdicts[name(i)].Score {
				t.Fatalf("%s: score %v", name(i), got)
			}
		}
	}
}

// TestDisputedTarget: where the verdict is about an alias target, so is the candidate's opinion.
func TestDisputedTarget(t *testing.T) {
	h, record := newTestHandler(t, "", test.CNAME("www.example.com. 60 IN CNAME evil.example.com."))
	m := inShadow(h)
	delete(m.verdicts, "evil.example.com")
	ask(t, h, "www.example.com.", dns.TypeA)
	if e := record.last(t); e.Verdict.Level != verdict.Malicious || e.Shadow.Model != "2.0.0" || e.Shadow.Level != verdict.Benign {
		t.Errorf("%+v", e)
	}
}

// TestShadowBesideTheService: differences from the model are counted, and what the service judged is
// told without an opinion.
func TestShadowBesideTheService(t *testing.T) {
	h, record := newTestHandler(t, "service http://127.0.0.1:1\nclassify remote 50ms")
	there := &service{verdict: phish, ok: true}
	h.remote = there
	m := inShadow(h)
	delete(m.verdicts, "evil.example.com")
	before := disagreements(verdict.Malicious, verdict.Benign)
	for _, answers := range []bool{true, false} {
		h.swap(func(*snapshot) {}) // nothing is known of the name
		there.ok = answers
		ask(t, h, "evil.example.com.", dns.TypeA)
		if told := record.last(t).Shadow.Model != ""; told == answers {
			t.Errorf("the service answers %v, an opinion is told %v", answers, told)
		}
	}
	if got := disagreements(verdict.Malicious, verdict.Benign) - before; got != 2 {
		t.Errorf("%v differences", got)
	}
}

// TestPanicInTheShadow: no answer suffers, and the candidate is asked once.
func TestPanicInTheShadow(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain", test.A("x.example.com. 60 IN A 198.51.100.1"))
	m := inShadow(h)
	m.panics = true
	panics := testutil.ToFloat64(panicsTotal)
	for name, want := range map[string]int{"evil.example.com.": dns.RcodeNameError, "a.example.com.": 0, "b.example.com.": 0} {
		if m := ask(t, h, name, dns.TypeA); m.Rcode != want {
			t.Errorf("%s: rcode %d", name, m.Rcode)
		}
		if got := record.last(t).Shadow; got != (events.Shadow{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := testutil.ToFloat64(panicsTotal) - panics; m.judged != 1 || got != 1 {
		t.Errorf("asked %d times, %v panics counted", m.judged, got)
	}
}

// TestShadowComesAndGoes: a link that appears, moves to what cannot be used, and goes away.
func TestShadowComesAndGoes(t *testing.T) {
	directory, version := copyModel(t)
	next := "9" + version[1:]
	replaceIn(t, filepath.Join(directory, "config.json"), `"`+version+`"`, `"`+next+`"`)
	newer, _ := copyModel(t)
	config := filepath.Join(newer, "config.json")
	content, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	format := formatOf(t, string(content))
	replaceIn(t, config, format, `"format": 99`)
	link := filepath.Join(t.TempDir(), "shadow")
	h := watching(t, "shadow "+link)
	inShadow := func() string {
		if c := h.snapshot.Load().shadow; c != nil {
			return c.Version()
		}
		return ""
	}
	is := func(wanted string) {
		t.Helper()
		eventually(t, "in shadow: "+wanted, func() bool { return inShadow() == wanted })
	}
	is("")
	point(t, link, directory)
	is(next)
	if h.snapshot.Load().model.Version() != version {
		t.Error("the model in force is another one")
	}
	info := shadowInfo.WithLabelValues(next, h.snapshot.Load().shadow.SHA256())
	eventually(t, "it is told", func() bool { return testutil.ToFloat64(info) == 1 })
	for _, wrong := range []string{newer, filepath.Join(t.TempDir(), "nowhere")} {
		failed := testutil.ToFloat64(reloadTotal.WithLabelValues("shadow", "error"))
		point(t, link, wrong)
		eventually(t, "the fault is counted", func() bool {
			return testutil.ToFloat64(reloadTotal.WithLabelValues("shadow", "error")) == failed+1
		})
		is(next)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	is("")
	eventually(t, "it is told", func() bool { return testutil.CollectAndCount(shadowInfo) == 0 })
}

// formatOf gives the line of a configuration that says its format.
func formatOf(t *testing.T, config string) string {
	t.Helper()
	for line := range strings.SplitSeq(config, "\n") {
		if trimmed := strings.TrimSuffix(strings.TrimSpace(line), ","); strings.HasPrefix(trimmed, `"format":`) {
			return trimmed
		}
	}
	t.Fatal("no format")
	return ""
}

// TestBrokenShadowAtTheStart: DNS starts without it, and takes it once it is whole.
func TestBrokenShadowAtTheStart(t *testing.T) {
	directory, version := copyModel(t)
	weights, err := fs.Glob(os.DirFS(directory), "*.safetensors")
	if err != nil || len(weights) == 0 {
		t.Fatal(weights, err)
	}
	path := filepath.Join(directory, weights[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, whole[:len(whole)/2])
	h := watching(t, "shadow "+directory)
	if h.snapshot.Load().shadow != nil {
		t.Error("half a model is in shadow")
	}
	replace(t, path, whole)
	eventually(t, "it is in shadow", func() bool {
		c := h.snapshot.Load().shadow
		return c != nil && c.Version() == version
	})
}

// BenchmarkShadow compares a query with a candidate in shadow and without, of names that are new and
// of one that is known; the candidate is the same model once more. Both take turns, so that what
// else the machine does falls on both alike, and the median of the turns is told.
func BenchmarkShadow(b *testing.B) {
	sender, err := events.New(events.Config{URL: "http://127.0.0.1:1", Sensor: "benchmark", QueueEvents: 1})
	if err != nil {
		b.Fatal(err)
	}
	m, err := loadModel(settings{})
	if err != nil {
		b.Fatal(err)
	}
	const turn = 256
	var names [1 << 14]*dns.Msg
	for i := range names {
		names[i] = new(dns.Msg).SetQuestion("www.garden-house"+strconv.Itoa(i*7919)+".com.", dns.TypeA)
	}
	known := slices.Repeat(names[:1], turn)
	handlers := [2]*Handler{}
	for i, shadow := range []*candidate{nil, newCandidate(m)} {
		h, _ := newTestHandler(b, "")
		h.Next, h.sender = cached(usual...), sender
		h.swap(func(s *snapshot) { s.model, s.shadow = m, shadow })
		handlers[i] = h
	}
	w, ctx := newClient(), serverContext(b)
	for _, what := range []string{"known", "new"} {
		b.Run(what, func(b *testing.B) {
			var took [2][]float64
			for i := 0; b.Loop(); i++ {
				queries, at := known, i*turn%len(names)
				if what == "new" {
					queries = names[at : at+turn]
				}
				for which, h := range handlers {
					if what == "new" && at == 0 { // what is in the cache is found no more
						h.swap(func(*snapshot) {})
					}
					begin := time.Now()
					for _, r := range queries {
						_, _ = h.ServeDNS(ctx, w, r)
					}
					took[which] = append(took[which], float64(time.Since(begin).Nanoseconds())/turn)
				}
			}
			median := func(values []float64) float64 { slices.Sort(values); return values[len(values)/2] }
			without, with := median(took[0]), median(took[1])
			b.ReportMetric(0, "ns/op") // both together mean nothing
			b.ReportMetric(without, "ns/query")
			b.ReportMetric(with, "ns/query-shadowed")
			b.ReportMetric(with/without, "ratio")
		})
	}
}

// TestShadowThatPanicsAtTheStart: a fault of ours in reading a candidate is no reason not to start.
func TestShadowThatPanicsAtTheStart(t *testing.T) {
	h := &Handler{settings: settings{shadow: filepath.Join(t.TempDir(), "shadow")}}
	h.watched = h.watchedParts()
	before := testutil.ToFloat64(panicsTotal)
	h.beginShadow() // there is no snapshot to put it in
	if got := testutil.ToFloat64(panicsTotal) - before; got != 1 {
		t.Errorf("%v panics are counted", got)
	}
	if part := h.watched[0]; part.seen != "" || part.failed == "" {
		t.Errorf("it is not tried again: %+v", part)
	}
}
