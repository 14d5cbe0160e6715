package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

func TestReasonsAddUpToTheLogit(t *testing.T) { bothWays(t, reasonsAddUpToTheLogit) }

func reasonsAddUpToTheLogit(t *testing.T) {
	m, looked := load(t, newFake(small)), 0
	for name := range scored {
		var s Scores
		m.Score(m.Split(name), &s)
		if s.First >= looksFrom {
			looked++
		}
		for threat := verdict.NoThreat; threat <= verdict.Tunnel; threat++ {
			want := s.Logits[max(threat, 1)-1]
			if threat == verdict.NoThreat {
				want = s.Logits[s.Threat-1]
			}
			reasons := m.Explain(name, verdict.Verdict{Source: verdict.Model, Threat: threat})
			sum := 0.0
			for _, r := range reasons {
				sum += r.Weight
			}
			if math.Abs(sum-want) > 1e-9 {
				t.Errorf("%s, %s: reasons add up to %f, the logit is %f", name, threat, sum, want)
			}
			checkOrder(t, name, reasons)
		}
	}
	if looked == 0 || looked == len(scored) {
		t.Errorf("%d of %d names had a second look, want some", looked, len(scored))
	}
}

func checkOrder(t *testing.T, name string, reasons []verdict.Reason) {
	t.Helper()
	last := len(reasons) - 1
	if last > listed || reasons[last].Kind != KindRest {
		t.Errorf("%s: %d reasons, the last of kind %s", name, len(reasons), reasons[last].Kind)
	}
	if !slices.IsSortedFunc(reasons[:last], func(a, b verdict.Reason) int {
		if x, y := math.Abs(a.Weight), math.Abs(b.Weight); x != y {
			return int(math.Copysign(1, y-x))
		}
		return 0
	}) {
		t.Errorf("%s: not strongest first: %v", name, reasons)
	}
}

// TestWeightsAreWhatTheNgramsDo holds each weight to the formula, with a network whose units are
// all active, so that taking an n-gram's row away takes its weight from the logit.
func TestWeightsAreWhatTheNgramsDo(t *testing.T) {
	for _, from := range []float64{highestScore, 0} {
		checkNgrams(t, from)
	}
}

func checkNgrams(t *testing.T, from float64) {
	s := small
	s.buckets = 1 << 18 // so many that no two n-grams of the name share one
	f := newFake(s).from(from)
	f.put("b1", "F32", constant(100, s.hidden), s.hidden)
	m := load(t, f)
	const name = "abab.com" // ab stands there twice
	for _, r := range m.Explain(name, verdict.Verdict{Source: verdict.Model, Threat: verdict.Scam}) {
		if r.Kind != KindNgram || strings.HasPrefix(r.Text, inWindow) {
			continue
		}
		var region int
		var gram string
		for i, prefix := range regions {
			if rest, ok := cut(r.Text, prefix+":"); ok {
				region, gram = i, rest
			}
		}
		if gram == "" {
			t.Fatalf("reason %q has no region", r.Text)
		}
		without := newFake(s).from(from)
		without.put("b1", "F32", constant(100, s.hidden), s.hidden)
		columns := s.dimensions + verdict.ThreatCount
		bucket := int(bucketOf(region, gram, s.buckets))
		clear(without.contents["table"][bucket*columns : (bucket+1)*columns])
		before, after := logit(m, name), logit(load(t, without), name)
		if math.Abs(before-after-r.Weight) > 1e-9 {
			t.Errorf("%s weighs %f, without it the logit falls by %f", r.Text, r.Weight, before-after)
		}
	}
}

func logit(m *Model, name string) float64 {
	var s Scores
	m.Score(m.Split(name), &s)
	return s.Logits[verdict.Scam-1]
}

func cut(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		return "", false
	}
	return text[len(prefix):], true
}

func constant(value float32, n int) []byte {
	out := make([]byte, 0, 4*n)
	for range n {
		bits := math.Float32bits(value)
		out = append(out, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return out
}

func TestOtherReasons(t *testing.T) {
	m := load(t, newFake(small))
	for name, want := range map[string]verdict.Reason{
		"nas.local":          {Kind: KindList, Text: "local"},
		"printer":            {Kind: KindList, Text: "single label"},
		"co.uk":              {Kind: KindList, Text: "public suffix co.uk"},
		"en.wikipedia.org":   {Kind: KindReputation, Text: "wikipedia.org"},
		"www.news.bbc.co.uk": {Kind: KindReputation, Text: "bbc.co.uk"},
	} {
		if got := m.Explain(name, m.Judge(name)); !slices.Equal(got, []verdict.Reason{want}) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for _, source := range []verdict.Source{verdict.Override, verdict.Allowlist, verdict.Denylist, verdict.Answer, verdict.Behaviour} {
		if got := m.Explain("www.some.com", verdict.Verdict{Source: source}); got != nil {
			t.Errorf("source %s: %v is not the model's to say", source, got)
		}
	}
}
