package mlplugin

import (
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const (
	// maxReason bounds a reason in bytes, as docs/protocol.md has it.
	maxReason = 256
	// reasonParts is how many parts of an explanation a reason names.
	reasonParts = 4
)

// reasonFor says in one line of printable ASCII why the name got its ruling. where
// tells of the part of the answer that it is about, empty for the question itself.
func (s *snapshot) reasonFor(name string, r ruling, where string) string {
	b := make([]byte, 0, maxReason)
	if where != "" && r.step != byAnswer {
		b = append(append(b, where...), ": "...)
	}
	switch r.step {
	case byAnswer:
		b = append(b, where...)
	case byOverride:
		b = append(b, "override "...)
		b = append(b, r.override.Status.String()...)
		if r.override.Reason != "" {
			b = append(append(b, ": "...), r.override.Reason...)
		}
	case byDeny:
		b = append(b, "denylist"...)
		if side, rule := s.lists.Match(name); side == policy.Denied {
			b = append(append(b, ' '), rule...)
		}
	case byService:
		b = appendScore(append(b, "service "...), r.Verdict)
		if r.reasons != nil {
			b = appendReasons(b, *r.reasons)
		}
	default:
		b = append(b, s.modelReason(name, r.Verdict)...)
	}
	return printable(b)
}

// reasonSlots bounds how many reasons are kept, a power of two: about 2 MB at most.
const reasonSlots = 1 << 12

// keptReason is what was said of a name. What a model says of a name never changes, and
// working it out takes many times as long as the verdict did; names that are flagged
// are mostly asked for again and again.
type keptReason struct{ name, text string }

// reasons holds reasons by the hash of their name, each in place of whatever was in its slot.
type reasons [reasonSlots]atomic.Pointer[keptReason]

// modelReason gives the model's reason for the verdict that it gave.
func (s *snapshot) modelReason(name string, v verdict.Verdict) string {
	slot := &s.reasons[maphash.String(s.seed, name)&(reasonSlots-1)]
	if kept := slot.Load(); kept != nil && kept.name == name {
		return kept.text
	}
	b := appendScore(append(append([]byte("model "), s.model.Version()...), ' '), v)
	text := string(appendReasons(b, s.model.Explain(name, v)))
	slot.Store(&keptReason{name: name, text: text})
	return text
}

// appendScore adds the threat and its score.
func appendScore(b []byte, v verdict.Verdict) []byte {
	if v.Threat != verdict.NoThreat {
		b = append(append(b, v.Threat.String()...), ' ')
	}
	return strconv.AppendFloat(append(b, "score "...), v.Score, 'f', 1, 64)
}

// appendReasons adds the strongest parts of an explanation that speak for the verdict.
func appendReasons(b []byte, reasons []verdict.Reason) []byte {
	separator, left := ": ", reasonParts
	for _, reason := range reasons {
		if reason.Weight <= 0 || reason.Kind == "rest" || left == 0 {
			continue
		}
		b = append(b, separator...)
		if reason.Kind != "ngram" { // whose text says which region it is of
			b = append(append(b, reason.Kind...), ':')
		}
		b = append(append(b, reason.Text...), " +"...)
		b = strconv.AppendFloat(b, reason.Weight, 'f', 1, 64)
		separator = ", "
		left--
	}
	return b
}

// printable makes the text printable ASCII and cuts it.
func printable(b []byte) string {
	var out strings.Builder
	for _, r := range string(b) {
		if out.Len() == maxReason {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		out.WriteByte(byte(r))
	}
	return out.String()
}
