package model

import (
	"cmp"
	"math"
	"slices"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// The kinds of reason that a model gives.
const (
	KindNgram      = "ngram"
	KindSuffix     = "suffix"
	KindRest       = "rest"
	KindList       = "list"
	KindReputation = "reputation"
)

// listed is how many parts of a logit are named; the others are summed up as the rest.
const listed = 8

// Explain gives the reasons of a verdict that Judge gave on the name, strongest first. For a verdict
// of the network they add up to the logit of its threat, on a benign name of the
// threat that scored highest. A verdict that others gave (overrides, lists, answers) has none here.
func (m *Model) Explain(qname string, v verdict.Verdict) []verdict.Reason {
	parts := m.Split(qname)
	switch v.Source {
	case verdict.Allowlist:
		if rule, special := Special(qname); special {
			return []verdict.Reason{{Kind: KindList, Text: rule}}
		}
		if parts.Label == "" {
			return []verdict.Reason{{Kind: KindList, Text: "public suffix " + parts.Suffix}}
		}
	case verdict.Reputation:
		return []verdict.Reason{{Kind: KindReputation, Text: parts.RegisteredDomain}}
	case verdict.Model:
		var scores Scores
		m.Score(parts, &scores)
		threat := v.Threat
		if threat == verdict.NoThreat {
			threat = scores.Threat
		}
		return m.decompose(parts, int(threat)-1, &scores)
	}
	return nil
}

// part is a share of a logit; its reason is only written once it is known to be among the strongest.
type part struct {
	where  string // an n-gram stands: a region or a window; empty for the suffix term
	text   string
	weight float64
}

// inWindow is where the second look finds its n-grams.
const inWindow = "window"

func (p part) reason() verdict.Reason {
	if p.where == "" {
		return verdict.Reason{Kind: KindSuffix, Text: p.text, Weight: p.weight}
	}
	return verdict.Reason{Kind: KindNgram, Text: p.where + ":" + p.text, Weight: p.weight}
}

// compareParts puts the strongest first, those of equal weight by the text of their reasons.
func compareParts(a, b part) int {
	if order := cmp.Compare(math.Abs(b.weight), math.Abs(a.weight)); order != 0 {
		return order
	}
	return cmp.Compare(a.reason().Text, b.reason().Text)
}

// decompose splits the logit of a threat, which is exact as the networks are piecewise linear.
func (m *Model) decompose(p Parts, threat int, scores *Scores) []verdict.Reason {
	parts := m.firstParts(p, threat)
	if scores.First >= m.look.from {
		for i := range parts {
			parts[i].weight *= 1 - m.look.share
		}
		parts = m.look.windows(parts, p, threat)
	}
	slices.SortFunc(parts, compareParts)
	parts = parts[:min(len(parts), listed)]
	reasons, rest := make([]verdict.Reason, 0, listed+1), scores.Logits[threat]
	for _, part := range parts {
		reasons = append(reasons, part.reason())
		rest -= part.weight
	}
	return append(reasons, verdict.Reason{Kind: KindRest, Text: KindRest, Weight: rest})
}

// firstParts splits the logit that the first look gives a threat.
func (m *Model) firstParts(p Parts, threat int) []part {
	slopes := m.slopes(p, threat)
	var parts []part
	for region, text := range [...]string{p.Subdomain, p.Label, p.Suffix} {
		if text != "" {
			columns := slopes[region*m.dimensions : (region+1)*m.dimensions]
			parts = m.grams(parts, region, "^"+text+"$", threat, columns)
		}
	}
	if p.rule > 0 {
		parts = append(parts, part{text: p.Suffix, weight: m.suffixTerm(p, threat)})
	}
	return parts
}

// slopes is how much the logit of a threat grows with each of the network's inputs, with
// the hidden units that are active at this name.
func (m *Model) slopes(p Parts, threat int) []float64 {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	f := &r.features
	m.pool(p, f, &r.space)
	slopes := make([]float64, len(regions)*m.dimensions)
	for h, before := range m.hidden(f, &r.sums) {
		if before <= 0 {
			continue
		}
		strip, at := &m.strips[h/stripSize], h%stripSize
		for i := range slopes {
			slopes[i] += m.w2[h][threat] * *strip.weight(i, at)
		}
	}
	return slopes
}

// grams appends the n-grams of one region's token, equal ones added up.
func (m *Model) grams(parts []part, region int, token string, threat int, slopes []float64) []part {
	bag, linear := m.table.counts.of(m.table.total(len(token)))
	seen := make(map[string]int)
	for start := range len(token) {
		hash := seed(region)
		for end := start; end < min(start+m.table.high, len(token)); end++ {
			hash = (hash ^ uint32(token[end])) * prime32
			if end-start+1 < m.table.low {
				continue
			}
			gram := token[start : end+1]
			at, ok := seen[gram]
			if !ok {
				at = len(parts)
				seen[gram] = at
				parts = append(parts, part{where: regions[region], text: gram})
			}
			parts[at].weight += m.gram(m.table.bucket(hash), threat, slopes, bag, linear)
		}
	}
	return parts
}

// gram is the contribution of one n-gram at one place.
func (m *Model) gram(bucket uint32, threat int, slopes []float64, bag, linear float64) float64 {
	sum := 0.0
	for d, slope := range slopes {
		sum += slope * m.table.value(bucket, d) * m.tableScale[d]
	}
	column := m.dimensions + threat
	return sum*bag + m.table.value(bucket, column)*m.tableScale[column]*linear
}
