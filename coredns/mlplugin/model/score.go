package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// highestScore is the top of the scale; the share of clean names is not known any finer.
const highestScore = 60

// Scores is what the network says about a name.
type Scores struct {
	Threats [verdict.ThreatCount]float64 // score of each threat, -10 log10 of a share of clean names
	Logits  [verdict.ThreatCount]float64 // log-odds before calibration
	Overall float64                      // the score of the verdict, 0 to 60
	Threat  verdict.Threat               // the threat that scores highest, on benign names too
}

// features are the inputs of the network for one name.
type features struct {
	x      [len(regions) * maxDimensions]float64
	linear [verdict.ThreatCount]float64
	first  int // the first region that is not empty: what is before it is zero
}

// Score runs the network on a name that Split took apart. It does not allocate.
func (m *Model) Score(p Parts, out *Scores) {
	var f features
	m.pool(p, &f)
	m.logits(p, &f, &out.Logits)

	out.Threat = verdict.NoThreat
	highest := 0.0
	for t := range out.Logits {
		out.Threats[t] = m.curves[t].at(out.Logits[t])
		if v := out.Threats[t] + m.prior[t]; out.Threat == verdict.NoThreat || v > highest {
			highest, out.Threat = v, verdict.Threat(t+1)
		}
	}
	out.Overall = min(max(m.overall.at(highest), 0), highestScore)
}

// pool turns the regions into sums of table rows.
func (m *Model) pool(p Parts, f *features) {
	var room [tokenRoom]byte
	var sums [maxColumns]int32
	f.first = -1
	for region, text := range [...]string{p.Subdomain, p.Label, p.Suffix} {
		if text == "" {
			continue
		}
		if f.first < 0 {
			f.first = region
		}
		n := m.table.sum(token(text, &room), region, &sums)
		bag, linear := m.table.counts.of(n)
		x := f.x[region*m.dimensions : (region+1)*m.dimensions]
		for d := range x {
			x[d] = float64(sums[d]) * m.tableScale[d] * bag
		}
		for t := range f.linear {
			f.linear[t] += float64(sums[m.dimensions+t]) * m.tableScale[m.dimensions+t] * linear
		}
	}
	f.first = max(f.first, 0)
}

// token marks the ends of a region's text. Only names longer than any name do not fit the room.
func token(text string, room *[tokenRoom]byte) []byte {
	bytes := room[:0]
	if len(text)+2 > len(room) {
		bytes = make([]byte, 0, len(text)+2)
	}
	bytes = append(bytes, '^')
	bytes = append(bytes, text...)
	return append(bytes, '$')
}

// logits is the network behind the table.
func (m *Model) logits(p Parts, f *features, out *[verdict.ThreatCount]float64) {
	*out = m.b2
	inputs := len(regions) * m.dimensions
	skip := f.first * m.dimensions
	x := f.x[skip:inputs]
	for h, b := range m.b1 {
		s := b + dot(m.w1[h*inputs+skip:(h+1)*inputs], x)
		if s <= 0 {
			continue
		}
		for t, w := range m.w2[h] {
			out[t] += w * s
		}
	}
	for t := range out {
		out[t] += f.linear[t] + m.suffixTerm(p, t)
	}
}

// suffixTerm is the weight of the suffix rule for a threat; 0 where no rule matched.
func (m *Model) suffixTerm(p Parts, threat int) float64 {
	if p.row == 0 {
		return 0
	}
	return float64(m.suffixWeight[p.row-1][threat]) * m.suffixScale
}

// dot multiplies two vectors of the same length; four sums at a time, as one addition would
// wait for the one before it.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + (s2 + s3)
}
