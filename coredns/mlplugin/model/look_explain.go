package model

import (
	"slices"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// windows appends what the active filters add to the logit of a threat, by the text under the first window
// where they see most.
func (l *look) windows(parts []part, p Parts, threat int) []part {
	var room text
	var active seen
	ending, symbols := l.ending(p), l.symbols(p, &room)
	n := l.see(symbols, &active)
	filters, values := active.filters[:n], active.values[:n]
	slopes, places := l.slopes(filters, values, threat), l.places(symbols)
	var weights [maxLongest]float64 // by place
	var there [maxLongest]bool
	for i, filter := range filters {
		weights[places[filter]] += l.share * slopes[i] * values[i]
		there[places[filter]] = true
	}
	first := len(parts)
	for place := range len(ending) {
		if !there[place] {
			continue
		}
		text := l.under(ending, place)
		at := first + slices.IndexFunc(parts[first:], func(p part) bool { return p.text == text })
		if at < first {
			at = len(parts)
			parts = append(parts, part{where: inWindow, text: text})
		}
		parts[at].weight += weights[place]
	}
	return parts
}

// slopes is how much the logit of a threat grows with each of the active filters, with the hidden units that are
// active at this name.
func (l *look) slopes(filters []uint16, values []float64, threat int) []float64 {
	var before, active sums // active is what the threat's logit has of each
	active[threat] = 1
	for i, s := range l.hidden(filters, values, &before) {
		if s > 0 {
			active[verdict.ThreatCount+i] = l.w2[i][threat]
		}
	}
	slopes := make([]float64, len(filters))
	for i := range l.strips {
		strip := &l.strips[i]
		for block := range strip.blocks {
			of, weights := (*[blockSize]float64)(active[i*stripSize+block*blockSize:]), strip.block(block)
			for k, filter := range filters {
				w := &weights[filter]
				slopes[k] += of[0]*w[0] + of[1]*w[1] + of[2]*w[2] + of[3]*w[3]
			}
		}
	}
	return slopes
}

// places finds the first window where each filter sees most.
func (l *look) places(symbols []uint8) []uint8 {
	places := make([]uint8, len(l.groups)*groupSize)
	for i := range l.groups {
		group, found := &l.groups[i], places[i*groupSize:][:groupSize]
		highest := l.highest(group, symbols)
		for place := len(symbols) - l.window; place >= 0; place-- {
			sums := l.highest(group, symbols[place:place+l.window])
			for k := range sums {
				differences := sums[k] ^ highest[k]
				if (differences-sumOnes)&sumTops == 0 {
					continue // no lane is zero, as hardly any is
				}
				for lane := range wordSums {
					if differences>>(lane*sumBits)&sumMask == 0 {
						found[k*wordSums+lane] = uint8(place)
					}
				}
			}
		}
	}
	return places
}

// under is the text under a window, with marks where it goes beyond the ends.
func (l *look) under(ending string, place int) string {
	half := l.window / 2
	text := ending[max(place-half, 0):min(place+half+1, len(ending))]
	if place < half {
		text = "^" + text
	}
	if place+half >= len(ending) {
		text += "$"
	}
	return text
}
