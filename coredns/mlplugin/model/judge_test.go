package model

import (
	"strings"
	"sync"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

func TestJudgeOrder(t *testing.T) {
	m := load(t, newFake(small))
	for name, source := range map[string]verdict.Source{
		"nas.local": verdict.Allowlist, "com": verdict.Allowlist, ".": verdict.Allowlist,
		"co.uk": verdict.Allowlist, "pages.dev": verdict.Allowlist, "any.ck": verdict.Allowlist,
		"wikipedia.org": verdict.Reputation, "en.m.wikipedia.org": verdict.Reputation, "news.bbc.co.uk": verdict.Reputation,
		"wikipedia.org.pages.dev": verdict.Model, "notwikipedia.org": verdict.Model,
	} {
		v := m.Judge(name)
		if v.Source != source {
			t.Errorf("%s: source %s, want %s", name, v.Source, source)
		}
		if source != verdict.Model && (v.Level != verdict.Benign || v.Threat != verdict.NoThreat || v.Score != 0) {
			t.Errorf("%s: %+v, want benign with score 0", name, v)
		}
	}
}

func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		score float64
		level verdict.Level
	}{
		{29.999, verdict.Benign}, {30, verdict.Suspicious}, {36.999, verdict.Suspicious}, {37, verdict.Malicious}, {60, verdict.Malicious},
	} {
		f := newFake(small).looksAs(test.score)
		f.config["calibration"].(map[string]any)["overall"] = map[string]any{"in": []float64{0}, "score": []float64{test.score}}
		v := load(t, f).Judge("whatever.com")
		if v.Level != test.level || v.Score != test.score || (v.Threat == verdict.NoThreat) != (test.level == verdict.Benign) {
			t.Errorf("score %f: %+v, want %s", test.score, v, test.level)
		}
	}
}

func TestJudgeDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool forgets things on purpose here; tests/quality/test_go.py runs it without")
	}
	names := append(benchNames(64), "nas.local", "com", "www.wikipedia.org", ".",
		longName(4)+".org", strings.Repeat(`\255`, 250)+".de", strings.Repeat("a.", 126)+"com")
	usual := small
	usual.look.window = usualWindow
	for _, s := range []size{small, usual} {
		for _, from := range []float64{highestScore, looksFrom, 0} { // none has a second look, some have, all have
			m := load(t, newFake(s).from(from))
			if n := testing.AllocsPerRun(100, func() {
				for _, name := range names {
					m.Judge(name)
				}
			}); n != 0 {
				t.Errorf("%f allocations with a second look from %f, window %d", n, from, s.look.window)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m, names := load(t, newFake(small)), benchNames(500)
	want := make([]verdict.Verdict, len(names))
	for i, name := range names {
		want[i] = m.Judge(name)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i, name := range names {
				if got := m.Judge(name); got != want[i] {
					t.Errorf("%s: %+v, alone %+v", name, got, want[i])
				}
				m.Explain(name, want[i])
			}
		})
	}
	group.Wait()
}

// TestAnyString has names that DNS cannot carry: they must not stop a server.
func TestAnyString(t *testing.T) {
	m := load(t, newFake(small).from(0))
	for _, name := range []string{
		"\xff\xfe\xe2\x82\xac.\xe2\x82\xac", "", ".", "..", "...", `\`, `a.\`, `\\`, `\.`, ".com", "a..com", "com.", " ", "\x00.\xff",
		strings.Repeat("a", 5000) + ".com", strings.Repeat("a.", 3000) + "com", strings.Repeat(".", 300),
	} {
		m.Explain(name, m.Judge(name))
	}
}

func FuzzJudge(f *testing.F) {
	m := load(f, newFake(small))
	for name := range scored {
		f.Add(name)
	}
	f.Add(`..\`)
	f.Fuzz(func(t *testing.T, name string) {
		v := m.Judge(name)
		if v.Score < 0 || v.Score > 60 || v.Score != v.Score {
			t.Errorf("%q: score %f", name, v.Score)
		}
		p := m.Split(name)
		if !strings.HasSuffix(name, p.Suffix) || !strings.HasSuffix(name, p.RegisteredDomain) || !strings.HasPrefix(name, p.Subdomain) {
			t.Errorf("%q is split into %+v", name, p)
		}
		if octets := len(p.Subdomain) + len(p.Label) + len(p.Suffix); octets > len(name) || octets+2 < len(name) {
			t.Errorf("%q loses something when split into %+v", name, p)
		}
		m.Explain(name, v)
	})
}
