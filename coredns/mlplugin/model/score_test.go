package model

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// straight is the network as docs/model-format.md writes it, number by number from the file.
func straight(f *fake, s size, low, high int, p Parts, rule string) (logits [verdict.ThreatCount]float64) {
	columns := s.dimensions + verdict.ThreatCount
	x := make([]float64, 3*s.dimensions)
	for r, text := range []string{p.Subdomain, p.Label, p.Suffix} {
		if text == "" {
			continue
		}
		token, sums, n := "^"+text+"$", make([]int, columns), 0
		for size := low; size <= high; size++ {
			for start := 0; start+size <= len(token); start++ {
				n++
				row := int(bucketOf(r, token[start:start+size], s.buckets))
				for c := range sums {
					sums[c] += int(f.float("table", row*columns+c))
				}
			}
		}
		for d := range s.dimensions {
			x[r*s.dimensions+d] = float64(sums[d]) * f.float("table_scale", d) / math.Pow(float64(n), 1)
		}
		for t := range logits {
			c := s.dimensions + t
			logits[t] += float64(sums[c]) * f.float("table_scale", c) / math.Pow(float64(n), 0.5)
		}
	}
	for h := range s.hidden {
		sum := f.float("b1", h)
		for i, v := range x {
			sum += f.float("w1", h*len(x)+i) * v
		}
		for t := range logits {
			logits[t] += f.float("w2", t*s.hidden+h) * math.Max(0, sum)
		}
	}
	for t := range logits {
		logits[t] += f.float("b2", t)
		if rule != "" {
			logits[t] += f.float("suffix_weight", f.row(rule)*verdict.ThreatCount+t) * f.float("suffix_scale", 0)
		}
	}
	return logits
}

func bucketOf(region int, gram string, buckets int) uint32 {
	hash := uint32(2166136261)
	for _, c := range append([]byte{byte(region + 1)}, gram...) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return (hash ^ hash>>16) & uint32(buckets-1)
}

// scored are names of all lengths, each with the suffix rule that holds.
var scored = map[string]string{
	"a.com":                             "com",
	"www.some-label.co.uk":              "co.uk",
	"login.paypa1.verify.pages.dev":     "pages.dev",
	`bad\.dot.x\032y\000.de`:            "de",
	"unknown.suffix":                    "",
	"deep.city.kobe.jp":                 "city.kobe.jp",
	"one.two.kobe.jp":                   "kobe.jp",
	strings.Repeat("x", 63) + ".com":    "com",
	strings.Repeat("ab.", 80) + "io":    "io",
	longName(4) + ".org":                "org",
	strings.Repeat(`\255`, 250) + ".de": "de",
}

func longName(labels int) string {
	parts := make([]string, labels)
	for i := range parts {
		parts[i] = strings.Repeat(string(rune('k'+i)), 20) + strings.Repeat("0f", 20)
	}
	return strings.Join(parts, ".")
}

func TestScoreIsTheFormula(t *testing.T) { bothWays(t, scoreIsTheFormula) }

func scoreIsTheFormula(t *testing.T) {
	for _, s := range []size{
		small,
		{dimensions: 1, hidden: 1, buckets: 1},
		{dimensions: 5, hidden: 7, buckets: 64},
		{dimensions: 18, hidden: 32, buckets: 1024},
		{dimensions: 19, hidden: 9, buckets: 256},
		{dimensions: maxDimensions, hidden: 3, buckets: 128},
	} {
		f := newFake(s).from(highestScore)
		m := load(t, f)
		for name, rule := range scored {
			compare(t, fmt.Sprint(s, name), m, straight(f, s, 2, 5, m.Split(name), rule), name)
		}
	}
}

func TestOtherNgrams(t *testing.T) {
	for _, gram := range [][2]int{{1, 1}, {1, 8}, {2, 4}, {3, 5}, {8, 8}} {
		f := newFake(small).from(highestScore)
		f.config["ngram"] = map[string]any{"min": gram[0], "max": gram[1], "buckets": small.buckets}
		m := load(t, f)
		for _, name := range []string{"www.some-label.com", longName(4) + ".com"} {
			compare(t, fmt.Sprint(gram, name), m, straight(f, small, gram[0], gram[1], m.Split(name), "com"), name)
		}
	}
}

// TestExtremeRows has every row at the ends of int8, where lanes would run over first.
func TestExtremeRows(t *testing.T) {
	for _, value := range []int8{-128, 127} {
		f := newFake(small).from(highestScore)
		for i := range f.contents["table"] {
			f.contents["table"][i] = byte(value)
		}
		m := load(t, f)
		for name, rule := range scored {
			compare(t, name, m, straight(f, small, 2, 5, m.Split(name), rule), name)
		}
	}
}

func compare(t *testing.T, what string, m *Model, want [verdict.ThreatCount]float64, name string) {
	t.Helper()
	var got Scores
	m.Score(m.Split(name), &got)
	for i := range want {
		if math.Abs(got.Logits[i]-want[i]) > 1e-9*(1+math.Abs(want[i])) || math.IsNaN(got.Logits[i]) {
			t.Errorf("%s: logit of %s is %.12f, want %.12f", what, verdict.Threat(i+1), got.Logits[i], want[i])
		}
	}
}

func TestOverallIsTheHighestWithItsPrior(t *testing.T) {
	m := load(t, newFake(small).from(highestScore))
	for name := range scored {
		var s Scores
		m.Score(m.Split(name), &s)
		highest, threat := math.Inf(-1), verdict.NoThreat
		for i, score := range s.Threats {
			if want := m.scale.curves[i].at(s.Logits[i]); score != want {
				t.Errorf("%s: score %f of %s, want %f", name, score, verdict.Threat(i+1), want)
			}
			if v := score + float64(i)/10; v > highest {
				highest, threat = v, verdict.Threat(i+1)
			}
		}
		if want := m.scale.overall.at(highest); s.Threat != threat || s.Overall != want || s.First != want {
			t.Errorf("%s: %s %f, first %f, want %s %f", name, s.Threat, s.Overall, s.First, threat, want)
		}
	}
}

func TestFirstThreatWinsATie(t *testing.T) {
	f := newFake(small).from(highestScore)
	for _, threat := range threats() {
		f.config["prior"].(map[string]any)[threat] = 0
		f.config["calibration"].(map[string]any)["threats"].(map[string]any)[threat] =
			map[string]any{"logit": []float64{0}, "score": []float64{45}}
	}
	m := load(t, f)
	want := verdict.Verdict{Level: verdict.Malicious, Threat: verdict.DGA, Source: verdict.Model, Score: m.scale.overall.at(45)}
	if got := m.Judge("whatever.com"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOverallIsClamped(t *testing.T) {
	for _, test := range []struct{ out, want float64 }{{-5, 0}, {61.5, 60}} {
		f := newFake(small).looksAs(test.out)
		f.config["calibration"].(map[string]any)["overall"] = map[string]any{"in": []float64{0}, "score": []float64{test.out}}
		if got := load(t, f).Judge("whatever.com").Score; got != test.want {
			t.Errorf("overall %f gives score %f, want %f", test.out, got, test.want)
		}
	}
}

func TestCurve(t *testing.T) {
	c := curve{[]float64{-4, 0, 2, 10}, []float64{0, 10, 10, 60}}
	for v, want := range map[float64]float64{
		-9: 0, -4: 0, -2: 5, 0: 10, 1: 10, 2: 10, 6: 35, 10: 60, 11: 60, math.Inf(-1): 0, math.Inf(1): 60,
	} {
		if got := c.at(v); got != want {
			t.Errorf("at %f: %f, want %f", v, got, want)
		}
	}
	if got := (&curve{[]float64{1}, []float64{7}}).at(3); got != 7 {
		t.Errorf("one knot: %f, want 7", got)
	}
}
