package model

import (
	"math"
	"sort"

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
		return m.decompose(parts, int(threat)-1, scores.Logits[threat-1])
	}
	return nil
}

// decompose splits the logit of a threat, which is exact as the network is piecewise linear.
func (m *Model) decompose(p Parts, threat int, logit float64) []verdict.Reason {
	slopes := m.slopes(p, threat)
	var reasons []verdict.Reason
	for region, text := range [...]string{p.Subdomain, p.Label, p.Suffix} {
		if text != "" {
			columns := slopes[region*m.dimensions : (region+1)*m.dimensions]
			reasons = m.grams(reasons, region, text, threat, columns)
		}
	}
	if p.rule > 0 {
		reasons = append(reasons, verdict.Reason{Kind: KindSuffix, Text: p.Suffix, Weight: m.suffixTerm(p, threat)})
	}
	sort.SliceStable(reasons, func(i, j int) bool {
		a, b := math.Abs(reasons[i].Weight), math.Abs(reasons[j].Weight)
		return a > b || a == b && reasons[i].Text < reasons[j].Text
	})
	reasons = reasons[:min(len(reasons), listed)]
	rest := logit
	for _, r := range reasons {
		rest -= r.Weight
	}
	return append(reasons, verdict.Reason{Kind: KindRest, Text: KindRest, Weight: rest})
}

// slopes is how much the logit of a threat grows with each of the network's inputs, with
// the hidden units that are active at this name.
func (m *Model) slopes(p Parts, threat int) []float64 {
	var f features
	m.pool(p, &f)
	inputs := len(regions) * m.dimensions
	slopes := make([]float64, inputs)
	for i := range m.blocks {
		block := &m.blocks[i]
		for k, s := range block.hidden(block.w1, f.x[:inputs]) {
			if s <= 0 {
				continue
			}
			for i := range slopes {
				slopes[i] += block.w2[k][threat] * block.w1[i][k]
			}
		}
	}
	return slopes
}

// grams appends the reasons of the n-grams of one region, equal ones added up.
func (m *Model) grams(reasons []verdict.Reason, region int, text string, threat int, slopes []float64) []verdict.Reason {
	var room [tokenRoom]byte
	bytes := token(text, &room)
	bag, linear := m.table.counts.of(m.table.total(len(bytes)))
	first := len(reasons)
	seen := make(map[string]int)
	for start := range bytes {
		hash := seed(region)
		for end := start; end < min(start+m.table.high, len(bytes)); end++ {
			hash = (hash ^ uint32(bytes[end])) * prime32
			if end-start+1 < m.table.low {
				continue
			}
			weight := m.gram(m.table.bucket(hash), threat, slopes, bag, linear)
			gram := string(bytes[start : end+1])
			at, ok := seen[gram]
			if !ok {
				at = len(reasons) - first
				seen[gram] = at
				reasons = append(reasons, verdict.Reason{Kind: KindNgram, Text: regions[region] + ":" + gram})
			}
			reasons[first+at].Weight += weight
		}
	}
	return reasons
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
