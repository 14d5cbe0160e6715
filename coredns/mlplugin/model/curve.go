package model

import (
	"math"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// decibel is the natural logarithm of the step from one score to the next.
const decibel = math.Ln10 / 10

// scale turns the logits of one look at a name into scores.
type scale struct {
	curves  [verdict.ThreatCount]curve
	prior   [verdict.ThreatCount]float64
	overall curve
}

func newScale(c *calibration, prior map[string]*float64) (s scale) {
	for t, name := range threats() {
		s.curves[t] = curve{c.Threats[name].Logit, c.Threats[name].Score}
		s.prior[t] = *prior[name]
	}
	s.overall = curve{c.Overall.In, c.Overall.Score}
	return s
}

// rate gives each threat its score, and finds the threat that is highest with its prior.
func (s *scale) rate(out *Scores) (highest float64) {
	out.Threat = verdict.NoThreat
	for t := range out.Logits {
		out.Threats[t] = s.curves[t].at(out.Logits[t])
		if v := out.Threats[t] + s.prior[t]; out.Threat == verdict.NoThreat || v > highest {
			highest, out.Threat = v, verdict.Threat(t+1)
		}
	}
	return highest
}

// together adds up the shares of clean names that the scores with their priors stand for, as a score.
func (s *scale) together(out *Scores) float64 {
	sum := 0.0
	for t, score := range out.Threats {
		sum += math.Exp((score + s.prior[t]) * decibel)
	}
	return 10 * math.Log10(sum)
}

// curve is a calibration: linear between its knots, constant outside of them.
type curve struct{ in, out []float64 }

func (c *curve) at(v float64) float64 {
	in := c.in
	last := len(in) - 1
	if v <= in[0] {
		return c.out[0]
	}
	if v >= in[last] {
		return c.out[last]
	}
	low, high := 0, last // in[low] < v < in[high] or v is at low
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		if in[middle] <= v {
			low = middle
		} else {
			high = middle
		}
	}
	return c.out[low] + (c.out[high]-c.out[low])*(v-in[low])/(in[high]-in[low])
}
