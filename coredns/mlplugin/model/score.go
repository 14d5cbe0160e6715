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
	m.logits(p, r, &out.Logits)

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
func (m *Model) logits(p Parts, r *room, out *[verdict.ThreatCount]float64) {
	hidden := m.hidden(&r.features, &r.sums)
	*out = m.b2
	rectify(hidden, m.w2, out)
	for t := range out {
		out[t] += r.features.linear[t] + m.suffixTerm(p, t)
	}
}

// hidden gives the hidden units before the rectifier.
func (m *Model) hidden(f *features, sums *sums) []float64 {
	first, end := f.first*m.dimensions, len(regions)*m.dimensions
	m.strips.sum(everyInput[first:end], f.x[first:end], sums)
	return sums[:len(m.w2)]
}

// suffixTerm is the weight of the suffix rule for a threat; 0 where no rule matched.
func (m *Model) suffixTerm(p Parts, threat int) float64 {
	if p.rule == 0 {
		return 0
	}
	return float64(m.rules[p.rule-1].weights[threat]) * m.suffixScale
}
