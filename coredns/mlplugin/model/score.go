package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// highestScore is the top of the scale; the share of clean names is not known any finer.
const highestScore = 60

// Scores is what the network says about a name: the second look where there was one, else the first.
type Scores struct {
	Threats [verdict.ThreatCount]float64 // score of each threat, -10 log10 of a share of clean names
	Logits  [verdict.ThreatCount]float64 // log-odds before calibration
	First   float64                      // the overall score of the first look, 0 to 60
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
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	m.pool(p, &r.features, &r.space)
	m.logits(p, &r.features, &out.Logits)

	out.First = min(max(m.scale.overall.at(m.scale.rate(out)), 0), highestScore)
	out.Overall = out.First
	if out.First >= m.look.from {
		m.look.score(p, out, r)
	}
}

// pool turns the regions into sums of table rows.
func (m *Model) pool(p Parts, f *features, space *workspace) {
	*f = features{first: -1}
	for region, text := range [...]string{p.Subdomain, p.Label, p.Suffix} {
		if text == "" {
			continue
		}
		if f.first < 0 {
			f.first = region
		}
		n := m.table.sum(token(text, &space.token), region, space)
		bag, linear := m.table.counts.of(n)
		x := f.x[region*m.dimensions : (region+1)*m.dimensions]
		for d := range x {
			x[d] = float64(space.sums[d]) * m.tableScale[d] * bag
		}
		for t := range f.linear {
			f.linear[t] += float64(space.sums[m.dimensions+t]) * m.tableScale[m.dimensions+t] * linear
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
	inputs := len(regions) * m.dimensions
	skip := f.first * m.dimensions
	y := m.b2
	y0, y1, y2, y3, y4, y5 := y[0], y[1], y[2], y[3], y[4], y[5]
	for i := range m.blocks {
		block := &m.blocks[i]
		hidden := block.hidden(block.w1[skip:inputs], f.x[skip:inputs])
		for k := range hidden {
			// No branch: which units are active is beyond what the processor can foresee.
			s, w := max(hidden[k], 0), &block.w2[k]
			y0 += w[0] * s
			y1 += w[1] * s
			y2 += w[2] * s
			y3 += w[3] * s
			y4 += w[4] * s
			y5 += w[5] * s
		}
	}
	*out = [...]float64{y0, y1, y2, y3, y4, y5}
	for t := range out {
		out[t] += f.linear[t] + m.suffixTerm(p, t)
	}
}

// blockSize is how many hidden units go side by side, so that no addition waits for the one before it.
const blockSize = 4

// block has the weights of some hidden units. Units that fill up the last block are all zero.
type block struct {
	w1 [][blockSize]float64 // for each input
	b1 [blockSize]float64
	w2 [blockSize][verdict.ThreatCount]float64
}

// hidden gives the units before the rectifier, for inputs x and the weights that belong to them.
func (b *block) hidden(w1 [][blockSize]float64, x []float64) [blockSize]float64 {
	s0, s1, s2, s3 := b.b1[0], b.b1[1], b.b1[2], b.b1[3]
	w1 = w1[:len(x)]
	for i, v := range x {
		w := &w1[i]
		s0 += w[0] * v
		s1 += w[1] * v
		s2 += w[2] * v
		s3 += w[3] * v
	}
	return [...]float64{s0, s1, s2, s3}
}

// suffixTerm is the weight of the suffix rule for a threat; 0 where no rule matched.
func (m *Model) suffixTerm(p Parts, threat int) float64 {
	if p.rule == 0 {
		return 0
	}
	return float64(m.rules[p.rule-1].weights[threat]) * m.suffixScale
}
