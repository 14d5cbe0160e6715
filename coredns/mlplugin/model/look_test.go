package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// straightLook is the second look as docs/model-format.md writes it, number by number from the file.
func straightLook(f *fake, s lookSize, name string, p Parts) (logits [verdict.ThreatCount]float64) {
	best := straightBest(f, s, straightSymbols(s, name, p))
	for t := range logits {
		logits[t] = f.float("look_b2", t)
		for i, value := range best {
			logits[t] += f.float("look_w3", t*s.filters+i) * value
		}
	}
	for h := range s.hidden {
		sum := f.float("look_b1", h)
		for i, value := range best {
			sum += f.float("look_w1", h*s.filters+i) * value
		}
		for t := range logits {
			logits[t] += f.float("look_w2", t*s.hidden+h) * math.Max(0, sum)
		}
	}
	return logits
}

func straightSymbols(s lookSize, name string, p Parts) (found []int) {
	for i := range len(name) {
		region := 0
		switch {
		case i >= len(name)-len(p.Suffix):
			region = 2
		case p.Subdomain == "" || i > len(p.Subdomain):
			region = 1
		}
		k := strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789-._", name[i])
		if k < 0 {
			k = 39
		}
		found = append(found, 1+40*region+k)
	}
	return found[max(0, len(found)-s.longest):]
}

func straightBest(f *fake, s lookSize, symbols []int) []float64 {
	best := make([]float64, s.filters)
	for i := range best {
		for p := range symbols {
			sum := 0.0
			for j := range s.window {
				symbol := 0
				if at := p + j - (s.window-1)/2; at >= 0 && at < len(symbols) {
					symbol = symbols[at]
				}
				sum += f.float("look_table", (j*121+symbol)*s.filters+i)
			}
			best[i] = math.Max(best[i], f.float("look_bias", i)+f.float("look_scale", i)*sum)
		}
	}
	return best
}

// compareLook holds a second look at a name to the formula, from the logits to the overall score.
func compareLook(t *testing.T, f *fake, m *Model, s size, name, rule string) {
	t.Helper()
	p := m.Split(name)
	want, look := straight(f, s, 2, 5, p, rule), straightLook(f, s.look, name, p)
	sum, threat, highest := 0.0, verdict.NoThreat, math.Inf(-1)
	var got Scores
	m.Score(p, &got)
	for i := range want {
		want[i] = 0.6*want[i] + 0.4*look[i]
		score := ramped(want[i], -5, 5, 2, 58)
		if differ(got.Threats[i], score) {
			t.Errorf("%v %s: score of %s is %f, want %f", s.look, name, verdict.Threat(i+1), got.Threats[i], score)
		}
		score += 1 - float64(i)/4
		sum += math.Pow(10, score/10)
		if score > highest {
			highest, threat = score, verdict.Threat(i+1)
		}
	}
	compare(t, fmt.Sprint(s.look, name), m, want, name)
	overall := math.Max(m.look.from, ramped(10*math.Log10(sum), 10, 66, looksFrom-5, 60))
	if got.Threat != threat || differ(got.Overall, overall) {
		t.Errorf("%v %s: %s %f, want %s %f", s.look, name, got.Threat, got.Overall, threat, overall)
	}
}

// ramped is a curve with knots at the same distance in one straight line.
func ramped(v, low, high, from, to float64) float64 {
	return from + (to-from)*math.Min(1, math.Max(0, (v-low)/(high-low)))
}

func TestLookIsTheFormula(t *testing.T) { bothWays(t, lookIsTheFormula) }

func lookIsTheFormula(t *testing.T) {
	for _, look := range []lookSize{
		smallLook,
		{window: 1, filters: 1, hidden: 1, longest: 1},
		{window: 3, filters: 31, hidden: 5, longest: 7},
		{window: 7, filters: 32, hidden: 6, longest: 64},
		{window: 7, filters: 70, hidden: 13, longest: 255},
		{window: 9, filters: 33, hidden: 7, longest: 255},
		{window: 15, filters: 65, hidden: 12, longest: 20},
	} {
		s := small
		s.look = look
		f := newFake(s).from(0)
		m := load(t, f)
		for name, rule := range scored {
			compareLook(t, f, m, s, name, rule)
		}
		compareLook(t, f, m, s, "co.uk", "co.uk")
		compareLook(t, f, m, s, ".", "")
	}
}

// TestExtremeLooks has every row at the ends of int8, where lanes would run over first.
func TestExtremeLooks(t *testing.T) { bothWays(t, extremeLooks) }

func extremeLooks(t *testing.T) {
	for _, window := range []int{7, 15} {
		for _, value := range []int8{-128, 127} {
			s := small
			s.look.window = window
			f := newFake(s).from(0)
			for i := range f.contents["look_table"] {
				f.contents["look_table"][i] = byte(value)
			}
			m := load(t, f)
			for name, rule := range scored {
				compareLook(t, f, m, s, name, rule)
			}
		}
	}
}

// TestLookBegins holds that the second look begins at its score and not a bit below it, and that no score
// falls below it.
func TestLookBegins(t *testing.T) { bothWays(t, lookBegins) }

func lookBegins(t *testing.T) {
	const name = "www.some-label.com"
	var first, looked, below Scores
	m := load(t, newFake(small).from(highestScore))
	m.Score(m.Split(name), &first)
	if first.First == 0 || first.First == highestScore {
		t.Fatalf("the name scores %f", first.First)
	}
	m = load(t, newFake(small).from(first.First).looksAs(0))
	m.Score(m.Split(name), &looked)
	if looked.Logits == first.Logits || looked.First != first.First || looked.Overall != first.First {
		t.Errorf("%+v with a second look, %+v without", looked, first)
	}
	m = load(t, newFake(small).from(math.Nextafter(first.First, 100)).looksAs(60))
	if m.Score(m.Split(name), &below); below != first {
		t.Errorf("%+v, though the second look begins above %+v", below, first)
	}
}

func TestHigherLanes(t *testing.T) {
	values := []uint64{0, 1, 2, 127, 1785, 3824, 3825}
	for _, a := range values {
		for _, b := range values {
			x, y := a|b<<16|a<<32|b<<48, b|a<<16|a<<32|3<<48
			want := max(a, b) | max(a, b)<<16 | a<<32 | max(b, 3)<<48
			if got := higher(x, y|sumTops); got != want {
				t.Errorf("of %x and %x: %x, want %x", x, y, got, want)
			}
		}
	}
}

// TestWindowTexts has one filter that sees nothing but a k, so that the text under the window is known.
func TestWindowTexts(t *testing.T) {
	for name, want := range map[string]string{
		"k.com":                  "window:^k.co",
		"some-k-name.com":        "window:me-k-na",
		"kabk.com":               "window:^kabk",
		"abc.k":                  "window:bc.k$",
		"x" + longName(1) + ".k": "window:0f.k$",
	} {
		s := small
		s.look = lookSize{window: 7, filters: 1, hidden: 1, longest: 16}
		f := newFake(s).from(0)
		f.put("look_bias", "F32", constant(-1, 1), 1)
		f.put("look_scale", "F32", constant(0.1, 1), 1)
		clear(f.contents["look_table"])
		for region := range regions {
			f.contents["look_table"][3*symbolCount+1+region*regionSymbols+10] = 100
		}
		f.put("look_w3", "F32", constant(50, verdict.ThreatCount), verdict.ThreatCount, 1)
		m := load(t, f)
		reasons := m.Explain(name, m.Judge(name))
		if i := slices.IndexFunc(reasons, func(r verdict.Reason) bool { return strings.HasPrefix(r.Text, inWindow) }); i != 0 || reasons[0].Text != want {
			t.Errorf("%s: %v, want %s first", name, reasons, want)
		}
	}
}
