package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// The kinds of public suffix rule, as suffix_flag has them. The flag 8, private section, makes no
// difference here: private rules count as rules.
const (
	rulePlain     = 1
	ruleWildcard  = 2
	ruleException = 4
)

// maxLabels is the largest number of labels that 255 octets have room for, and a power of two.
const maxLabels = 128

// Parts is a name taken apart at its public suffix. The strings are parts of the
// name that was split. Only Model.Split makes one that can be scored.
type Parts struct {
	Suffix           string // public suffix
	Label            string // the label before it; empty if the name is itself a suffix
	Subdomain        string // what stands before the label
	RegisteredDomain string // label and suffix; empty if the name is itself a suffix

	name string // that was split
	rule int32  // slot of the suffix rule plus one, 0 where none matched
	hash uint64 // of the registered domain
}

// Split takes a canonical name apart by the public suffix rules of the model.
func (m *Model) Split(qname string) Parts {
	if qname == "." || qname == "" {
		return Parts{Suffix: qname, name: qname}
	}
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	starts, hashes := &r.starts, &r.hashes
	n := labelStarts(qname, starts)
	hashTails(qname, starts[:n], hashes)

	suffix, slot := m.match(hashes[:n])
	parts := Parts{Suffix: qname[starts[suffix]:], name: qname, rule: int32(slot + 1)}
	if suffix > 0 {
		label := starts[suffix-1]
		parts.Label = qname[label : starts[suffix]-1]
		parts.RegisteredDomain = qname[label:]
		parts.hash = hashes[suffix-1]
		if label > 0 {
			parts.Subdomain = qname[:label-1]
		}
	}
	return parts
}

// rule is what is known of a public suffix rule.
type rule struct {
	flag    uint8
	weights [verdict.ThreatCount]int8
}

// match finds the public suffix among the tails of a name, given longest first: its place,
// and the slot of the rule, -1 where none matched and the last label counts. Of
// two rules of one length the plain one wins over the wildcard.
func (m *Model) match(hashes []uint64) (suffix, slot int) {
	suffix, slot = len(hashes)-1, -1
	for i, hash := range hashes {
		at := m.suffixes.find(hash)
		if at < 0 {
			continue
		}
		flag := m.rules[at].flag
		if flag&ruleException != 0 && i+1 < len(hashes) {
			return i + 1, at
		}
		if flag&ruleWildcard != 0 && i > 0 && (slot < 0 || i-1 < suffix) {
			suffix, slot = i-1, at
		}
		if flag&rulePlain != 0 && (slot < 0 || i < suffix) {
			suffix, slot = i, at
		}
	}
	return suffix, slot
}

// labelStarts finds where the labels begin. Of a name with more labels than a name can
// have, only the last are told apart.
func labelStarts(name string, starts *[maxLabels]int32) int {
	n := 1
	starts[0] = 0
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			if n == maxLabels {
				copy(starts[1:], starts[2:])
				n--
			}
			starts[n] = int32(i + 1)
			n++
		}
	}
	return n
}

// hashTails hashes the name from each label to its end. The multiplications of one hash
// wait for each other, so four tails go side by side.
func hashTails(name string, starts []int32, hashes *[maxLabels]uint64) {
	for first := 0; first < len(starts); first += 4 {
		var a, b, c, d uint64 = offset64, offset64, offset64, offset64
		count, at := min(len(starts)-first, 4), int(starts[first])
		bound := func(k int) int {
			if k < count {
				return int(starts[first+k])
			}
			return len(name)
		}
		for end := bound(1); at < end; at++ {
			a = (a ^ uint64(name[at])) * prime64
		}
		for end := bound(2); at < end; at++ {
			v := uint64(name[at])
			a, b = (a^v)*prime64, (b^v)*prime64
		}
		for end := bound(3); at < end; at++ {
			v := uint64(name[at])
			a, b, c = (a^v)*prime64, (b^v)*prime64, (c^v)*prime64
		}
		if count == 4 {
			for ; at < len(name); at++ {
				v := uint64(name[at])
				a, b, c, d = (a^v)*prime64, (b^v)*prime64, (c^v)*prime64, (d^v)*prime64
			}
		}
		for k, hash := range [...]uint64{a, b, c, d} {
			if k < count {
				hashes[first+k] = hash
			}
		}
	}
}
