package mlplugin

import (
	"context"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

func TestPack(t *testing.T) {
	now := time.Now()
	for level := verdict.Benign; level <= verdict.Malicious; level++ {
		for threat := verdict.NoThreat; threat <= verdict.ThreatCount; threat++ {
			for source := verdict.Override; source <= verdict.Behaviour; source++ {
				for by := byModel; by <= byService; by++ {
					r := ruling{Verdict: verdict.Verdict{Level: level, Threat: threat, Source: source, Score: rand.Float64() * 60}, step: by,
						disputed: rand.IntN(2) == 1, domain: uint8(rand.IntN(256))}
					value := pack(r, now)
					got := unpack(value)
					if math.Abs(r.Score-got.Score) > 2e-6 {
						t.Fatalf("score %v came back as %v", r.Score, got.Score)
					}
					got.Score = r.Score
					if got != r || value == 0 {
						t.Fatalf("%+v came back as %+v", r, got)
					}
					if age(value, now.Add(7*time.Second)) != 7 {
						t.Fatalf("age %d", age(value, now.Add(7*time.Second)))
					}
				}
			}
		}
	}
	for score, want := range map[float64]float64{-1: 0, 60: 60, 1e9: 63} {
		if got := unpack(pack(ruling{Verdict: verdict.Verdict{Score: score}}, now)).Score; got != want {
			t.Errorf("score %v came back as %v", score, got)
		}
	}
}

func TestCache(t *testing.T) {
	c := newCache()
	if c.get(0) != 0 || c.get(42) != 0 {
		t.Error("an empty cache holds something")
	}
	c.put(42, 7)
	c.put(0, 9)
	if c.get(42) != 7 || c.get(0) != 9 {
		t.Errorf("got %d and %d", c.get(42), c.get(0))
	}
	if c.get(42+cacheSlots) != 0 {
		t.Error("another name of the same slot is found")
	}
	c.put(42+cacheSlots, 8)
	if c.get(42) != 0 || c.get(42+cacheSlots) != 8 {
		t.Error("the slot holds two names")
	}
}

// TestCacheUnderContention has many writers of few slots; nobody ever reads the value of
// another name.
func TestCacheUnderContention(t *testing.T) {
	c := newCache()
	var hashes [64]uint64
	for i := range hashes {
		hashes[i] = rand.Uint64()&^(cacheSlots-1) | uint64(i%3)
	}
	valueOf := func(i uint64) uint64 { return (i%64)<<1 | 1 } // as alike as verdicts
	var writers sync.WaitGroup
	for w := range uint64(4) {
		writers.Go(func() {
			for i := range uint64(50_000) {
				mine, other := (i*7+w)%64, (i*5+w)%64
				c.put(hashes[mine], valueOf(mine))
				if got := c.get(hashes[other]); got != 0 && got != valueOf(other) {
					t.Errorf("hash %d holds %d", hashes[other], got)
					return
				}
			}
		})
	}
	writers.Wait()
}

// withOverrides has what a real snapshot has: overrides of clients, and lists.
func withOverrides(tb testing.TB) *snapshot {
	tb.Helper()
	h, _ := newTestHandler(tb, "allow fine.example.net\ndeny bad.example.net")
	overrides, err := policy.ParseOverrides([]byte(
		`{"overrides": [{"name": "vetted.example.net", "status": "blocked", "client": "192.0.2.0/24"}]}`))
	if err != nil {
		tb.Fatal(err)
	}
	m, err := loadModel(settings{})
	if err != nil {
		tb.Fatal(err)
	}
	h.swap(func(s *snapshot) { s.overrides, s.model = overrides, m })
	return h.snapshot.Load()
}

// benignName is one that the built-in model has to think about.
func benignName(tb testing.TB, s *snapshot) string {
	tb.Helper()
	for i := range 1000 {
		name := "www.garden-house" + strconv.Itoa(i) + ".com"
		if r := s.judgeAnew(name); r.step == byModel && !r.flagged() {
			return name
		}
	}
	tb.Fatal("the model flags everything")
	return ""
}

func TestJudgingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool forgets things on purpose here; tests/quality/test_go.py runs it without")
	}
	s := withOverrides(t)
	name, client, now := benignName(t, s), netip.MustParseAddr("192.0.2.1"), time.Now()
	if n := testing.AllocsPerRun(1000, func() { s.judge(client, name, now) }); n != 0 {
		t.Errorf("%v allocations from the cache", n)
	}
	if n := testing.AllocsPerRun(1000, func() { s.judgeAnew(name) }); n != 0 {
		t.Errorf("%v allocations anew", n)
	}
}

// TestOverridesOfClientsAreNotCached: the next client has its own.
func TestOverridesOfClientsAreNotCached(t *testing.T) {
	s := withOverrides(t)
	for range 2 {
		for client, want := range map[string]step{"192.0.2.1": byOverride, "198.51.100.1": byModel} {
			if got := s.judge(netip.MustParseAddr(client), "vetted.example.net", time.Now()).step; got == byOverride != (want == byOverride) {
				t.Errorf("%s: step %d", client, got)
			}
		}
	}
}

// service is a classifier that answers as it is told.
type service struct {
	verdict verdict.Verdict
	reasons []verdict.Reason
	ok      bool
	asked   int
}

func (s *service) Classify(context.Context, string) (verdict.Verdict, []verdict.Reason, bool) {
	s.asked++
	return s.verdict, s.reasons, s.ok
}
func (*service) Close() {}

func TestAskingTheService(t *testing.T) {
	h, _ := newTestHandler(t, "service http://127.0.0.1:1\nclassify remote 50ms\nallow fine.example.com")
	there := &service{verdict: phish, ok: true, reasons: []verdict.Reason{{Kind: "suffix", Text: "com", Weight: 2}}}
	h.remote = there
	rule := func(name string, later time.Duration) ruling {
		q := newQueryOf(t, h, name)
		q.start = q.start.Add(later)
		return q.rule(t.Context(), name)
	}
	for _, name := range []string{"fine.example.com", "famous.example.com", "printer.local"} {
		if rule(name, 0).step == byService || there.asked != 0 {
			t.Errorf("%s: the service was asked", name)
		}
	}
	r := rule("www.example.com", 0)
	if r.Verdict != phish || r.step != byService || there.asked != 1 {
		t.Errorf("%+v, asked %d times", r, there.asked)
	}
	if text := h.snapshot.Load().reasonFor("www.example.com", r, ""); text != "service phishing score 38.0: suffix:com +2.0" {
		t.Errorf("reason %q", text)
	}
	if r := rule("www.example.com", 30*time.Second); r.Verdict != phish || there.asked != 1 {
		t.Errorf("%+v, asked %d times", r, there.asked)
	}
	there.verdict = odd
	if r := rule("www.example.com", 2*remoteSeconds*time.Second); r.Verdict != odd || there.asked != 2 {
		t.Errorf("%+v, asked %d times", r, there.asked)
	}
	there.ok = false
	for asked := 3; asked <= 4; asked++ { // no failure is kept
		if r := rule("evil.example.com", 0); r.Verdict != evil || r.step != byModel || there.asked != asked {
			t.Errorf("%+v, asked %d times", r, there.asked)
		}
	}
}

// hanging is a service that never answers.
type hanging struct{ asked int }

func (s *hanging) Classify(ctx context.Context, _ string) (verdict.Verdict, []verdict.Reason, bool) {
	s.asked++
	<-ctx.Done()
	return verdict.Verdict{}, nil, false
}
func (*hanging) Close() {}

// TestOneBudget: question and answer share the time that a query waits for the service.
func TestOneBudget(t *testing.T) {
	h, _ := newTestHandler(t, "service http://127.0.0.1:1\nclassify remote 50ms",
		test.CNAME("www.example.com. 60 IN CNAME a.example.com."),
		test.CNAME("a.example.com. 60 IN CNAME b.example.com."))
	there := &hanging{}
	h.remote = there
	if m := ask(t, h, "www.example.com.", dns.TypeA); m.Rcode != dns.RcodeSuccess {
		t.Errorf("rcode %d", m.Rcode)
	}
	if there.asked != 1 {
		t.Errorf("the service was asked %d times, of which the first took all the time there is", there.asked)
	}
}

func BenchmarkJudgeCached(b *testing.B) {
	s := withOverrides(b)
	name, client, now := benignName(b, s), netip.MustParseAddr("198.51.100.1"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.judge(client, name, now)
	}
}

func BenchmarkJudgeNew(b *testing.B) {
	s := withOverrides(b)
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = "www.garden-house" + strconv.Itoa(i*7919) + ".com"
	}
	client, now := netip.MustParseAddr("198.51.100.1"), time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(names) == 0 { // what is in the cache is found no more
			again := *s
			again.seed = maphash.MakeSeed()
			s = &again
		}
		s.judge(client, names[i%len(names)], now)
	}
}
