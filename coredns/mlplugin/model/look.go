package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// symbolCount is how many symbols a place in a window can see: 40 of each region, and 0, which is beyond the text.
const (
	regionSymbols = 40
	symbolCount   = 1 + len(regions)*regionSymbols
)

// alphabet has the place of every byte among the symbols of a region.
var alphabet = func() (places [256]uint8) {
	for char := range places {
		places[char] = regionSymbols - 1
	}
	for place, char := range []byte("abcdefghijklmnopqrstuvwxyz0123456789-._") {
		places[char] = uint8(place)
	}
	return places
}()

// A row of the second look's table holds what a group of filters makes of a symbol at one place of the window,
// in one cache line: lanes of 16 bits, four to a word, with the int8 biased to be unsigned. The sum
// over a window stays far below the top bit of a lane, so rows are added word by word. The rows of a
// window's first place have the top bit set, which is what the comparison of sums wants.
const (
	sumBits     = 16
	sumMask     = 1<<(sumBits-1) - 1
	sumTops     = 0x8000_8000_8000_8000
	sumOnes     = 0x0001_0001_0001_0001
	wordSums    = 64 / sumBits
	lineWords   = 8
	groupSize   = lineWords * wordSums
	usualWindow = 7
)

// look is the second look: a network over windows of characters, in their order.
type look struct {
	from    float64 // the overall score of the first look from which there is a second
	share   float64 // of the second look in the logits
	longest int
	window  int

	groups []group // of filters
	// strips are sums over the filters: one for each threat, which go straight to the logits, then
	// one for each hidden unit.
	strips strips
	w2     [][verdict.ThreatCount]float64 // of each hidden unit
	scale  scale
}

// group has the windows of some filters. Filters that fill up the last group are all zero.
type group struct {
	rows   [][lineWords]uint64 // by place in the window, then by symbol
	scales [groupSize]float64
	biases [groupSize]float64
}

// text is the symbols of a name's end, with what is beyond it on both sides.
type text [maxLongest + maxWindow - 1]uint8

// seen are the filters that are active, and their highest value.
type seen struct {
	filters [maxFilters]uint16
	values  [maxFilters]float64
}

// score looks at a name for the second time. It does not allocate.
func (l *look) score(p Parts, out *Scores, r *room) {
	var logits [verdict.ThreatCount]float64
	l.logits(p, &logits, r)
	for t, logit := range logits {
		out.Logits[t] = (1-l.share)*out.Logits[t] + l.share*logit
	}
	l.scale.rate(out)
	out.Overall = min(max(l.scale.overall.at(l.scale.together(out)), l.from), highestScore)
}

// logits is the network.
func (l *look) logits(p Parts, out *[verdict.ThreatCount]float64, r *room) {
	active := &r.active
	n := l.see(l.symbols(p, &r.text), active)
	hidden := l.hidden(active.filters[:n], active.values[:n], &r.sums)
	*out = [verdict.ThreatCount]float64(r.sums[:])
	rectify(hidden, l.w2, out)
}

// hidden gives what the active filters make of the hidden units, before the rectifier; what they say of the
// threats themselves stands before that in the sums.
func (l *look) hidden(filters []uint16, values []float64, sums *sums) []float64 {
	l.strips.sum(filters, values, sums)
	return sums[verdict.ThreatCount:][:len(l.w2)]
}

// ending is the part of a name that the second look sees.
func (l *look) ending(p Parts) string { return p.name[max(len(p.name)-l.longest, 0):] }

// symbols writes the symbols of a name's end into the room for them.
func (l *look) symbols(p Parts, room *text) []uint8 {
	*room = text{}
	name, half := l.ending(p), l.window/2
	cut := len(p.name) - len(name)
	label := 0
	if p.Subdomain != "" {
		label = len(p.Subdomain) + 1
	}
	label, suffix := max(label-cut, 0), max(len(p.name)-len(p.Suffix)-cut, 0)
	for i := range len(name) {
		region := uint8(1)
		if i >= suffix {
			region += 2 * regionSymbols
		} else if i >= label {
			region += regionSymbols
		}
		room[half+i] = region + alphabet[name[i]]
	}
	return room[:len(name)+2*half]
}

// see finds the filters that are active somewhere, and returns their number. As scales are positive, a
// filter sees most where the sum of the rows is highest.
func (l *look) see(symbols []uint8, active *seen) int {
	n := 0
	if len(symbols) < l.window {
		return 0
	}
	for i := range l.groups {
		group := &l.groups[i]
		for k, word := range l.highest(group, symbols) {
			for lane := k * wordSums; lane < (k+1)*wordSums; lane++ {
				value := group.value(word, lane, l.window)
				active.filters[n], active.values[n] = uint16(i*groupSize+lane), value
				if value > 0 {
					n++
				}
				word >>= sumBits
			}
		}
	}
	return n
}

// value is that of the filter in a lane, with its sum in the lowest lane of a word.
func (g *group) value(word uint64, lane, window int) float64 {
	return g.biases[lane] + g.scales[lane]*float64(int(word&sumMask)-bias*window)
}

// highest gives the highest sum of each filter of a group over all windows.
func (l *look) highest(g *group, symbols []uint8) (highest [lineWords]uint64) {
	if l.window == usualWindow {
		if windows := len(symbols) - usualWindow + 1; wide && windows > 0 {
			highestWide(&g.rows[0], &symbols[0], windows, &highest)
		} else {
			g.usualHighest(symbols, &highest)
		}
		return highest
	}
	for ; len(symbols) >= l.window; symbols = symbols[1:] {
		sums := g.sums(symbols[:l.window])
		for k := range sums {
			highest[k] = higher(highest[k], sums[k])
		}
	}
	return highest
}

// sums adds up the rows of one window.
func (g *group) sums(window []uint8) (sums [lineWords]uint64) {
	for j, symbol := range window {
		row := &g.rows[j*symbolCount+int(symbol)]
		for k := range sums {
			sums[k] += row[k]
		}
	}
	return sums
}

// usualHighest is highest, unrolled for windows of seven symbols.
func (g *group) usualHighest(symbols []uint8, highest *[lineWords]uint64) {
	const s = symbolCount
	rows, h := g.rows[:usualWindow*s], highest
	for ; len(symbols) >= usualWindow; symbols = symbols[1:] {
		w := (*[usualWindow]uint8)(symbols)
		r0, r1, r2, r3 := &rows[w[0]], &rows[s+int(w[1])], &rows[2*s+int(w[2])], &rows[3*s+int(w[3])]
		r4, r5, r6 := &rows[4*s+int(w[4])], &rows[5*s+int(w[5])], &rows[6*s+int(w[6])]
		h[0] = higher(h[0], r0[0]+r1[0]+r2[0]+r3[0]+r4[0]+r5[0]+r6[0])
		h[1] = higher(h[1], r0[1]+r1[1]+r2[1]+r3[1]+r4[1]+r5[1]+r6[1])
		h[2] = higher(h[2], r0[2]+r1[2]+r2[2]+r3[2]+r4[2]+r5[2]+r6[2])
		h[3] = higher(h[3], r0[3]+r1[3]+r2[3]+r3[3]+r4[3]+r5[3]+r6[3])
		h[4] = higher(h[4], r0[4]+r1[4]+r2[4]+r3[4]+r4[4]+r5[4]+r6[4])
		h[5] = higher(h[5], r0[5]+r1[5]+r2[5]+r3[5]+r4[5]+r5[5]+r6[5])
		h[6] = higher(h[6], r0[6]+r1[6]+r2[6]+r3[6]+r4[6]+r5[6]+r6[6])
		h[7] = higher(h[7], r0[7]+r1[7]+r2[7]+r3[7]+r4[7]+r5[7]+r6[7])
	}
}

// higher gives the higher of two lanes, for all lanes of two words. Those of b have the top bit set,
// those of a and of the result have not.
func higher(a, b uint64) uint64 {
	difference := b - a // no lane borrows from the next; its top bit stays where b is not lower
	tops := difference & sumTops
	return a + difference&(tops-tops>>(sumBits-1))
}
