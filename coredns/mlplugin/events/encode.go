package events

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// appendRecord adds the record as one line of NDJSON.
func appendRecord(b []byte, r *record) []byte {
	b = append(b, `{"sequence":`...)
	b = strconv.AppendUint(b, r.sequence, 10)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, r.time, 10)
	b = append(b, `,"client":"`...)
	b = appendClient(b, r.client)
	b = append(b, '"')
	b = appendField(b, "transport", r.transport)
	b = append(b, `,"qname":`...)
	b = appendString(b, nameOrRoot(r.qname))
	b = appendField(b, "registered_domain", r.domain)
	b = append(b, `,"qtype":"`...)
	b = appendType(b, r.qtype)
	b = append(b, '"')
	if r.rcode >= 0 {
		b = append(b, `,"rcode":"`...)
		b = appendRcode(b, r.rcode)
		b = append(b, '"')
	}
	b = appendAnswers(b, r.answers)
	if r.duration > 0 || r.rcode >= 0 {
		b = append(b, `,"duration":`...)
		b = strconv.AppendInt(b, max(r.duration, 0), 10)
	}
	b = appendVerdict(b, r)
	return append(b, '}', '\n')
}

// appendVerdict adds the keys that tell of the judgement and of what followed from it.
func appendVerdict(b []byte, r *record) []byte {
	b = append(b, `,"verdict":"`...)
	b = append(b, r.verdict.Level.String()...)
	b = append(b, '"')
	if r.verdict.Threat != verdict.NoThreat {
		b = append(b, `,"threat":"`...)
		b = append(b, r.verdict.Threat.String()...)
		b = append(b, '"')
	}
	b = appendScore(b, "score", r.verdict.Score)
	b = append(b, `,"source":"`...)
	b = append(b, r.verdict.Source.String()...)
	b = append(b, `","model":`...)
	b = appendString(b, r.model)
	if r.action != "observe" {
		b = appendField(b, "action", r.action)
	}
	if r.reason != "" {
		b = append(b, `,"reason":`...)
		b = appendReason(b, r.reason)
	}
	if r.shadow.Model != "" {
		b = append(b, `,"shadow_verdict":"`...)
		b = append(b, r.shadow.Level.String()...)
		b = append(b, '"')
		b = appendScore(b, "shadow_score", r.shadow.Score)
		b = appendField(b, "shadow_model", r.shadow.Model)
	}
	return b
}

// appendScore adds a key with a score; one that rounds to zero is left out, as is one that is no
// number.
func appendScore(b []byte, key string, score float64) []byte {
	if score < 0.05 || math.IsInf(score, 1) || math.IsNaN(score) {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return strconv.AppendFloat(b, score, 'f', 1, 64)
}

// appendField adds a key with a text, nothing where the text is empty.
func appendField(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return appendString(b, text)
}

// nameOrRoot writes the root, which has no labels, as the canonical form does.
func nameOrRoot(qname string) string {
	if qname == "" {
		return "."
	}
	return qname
}

// appendClient writes IPv4 as such even when it came in an IPv6 socket, without a zone.
func appendClient(b []byte, client netip.Addr) []byte {
	if !client.IsValid() {
		return append(b, "0.0.0.0"...)
	}
	return client.Unmap().WithZone("").AppendTo(b)
}

func appendType(b []byte, qtype uint16) []byte {
	if name, ok := dns.TypeToString[qtype]; ok {
		return append(b, name...)
	}
	return strconv.AppendUint(append(b, "TYPE"...), uint64(qtype), 10)
}

func appendRcode(b []byte, rcode int32) []byte {
	if name, ok := dns.RcodeToString[int(rcode)]; ok {
		return append(b, name...)
	}
	return strconv.AppendInt(append(b, "RCODE"...), int64(rcode), 10)
}

// appendAnswers adds the answers that come first in lexical order.
func appendAnswers(b []byte, answers []Answer) []byte {
	if len(answers) == 0 {
		return b
	}
	b = append(b, `,"answers":[`...)
	if len(answers) == 1 {
		return append(appendAnswer(b, answers[0]), ']')
	}
	var room [1024]byte
	var places [MaxAnswers][2]int // where each text is
	texts, sorted := room[:0], places[:len(answers)]
	for i, answer := range answers {
		start := len(texts)
		if answer.Address.IsValid() {
			texts = answer.Address.AppendTo(texts)
		} else {
			texts = append(texts, answer.Name...)
		}
		sorted[i] = [2]int{start, len(texts)}
	}
	slices.SortFunc(sorted, func(x, y [2]int) int {
		return bytes.Compare(texts[x[0]:x[1]], texts[y[0]:y[1]])
	})
	for i, place := range sorted[:min(len(sorted), sentAnswers)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, texts[place[0]:place[1]])
	}
	return append(b, ']')
}

func appendAnswer(b []byte, answer Answer) []byte {
	if !answer.Address.IsValid() {
		return appendString(b, answer.Name)
	}
	b = answer.Address.AppendTo(append(b, '"'))
	return append(b, '"')
}

const hex = "0123456789abcdef"

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (table [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// appendString adds a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendString[T string | []byte](b []byte, text T) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, text[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		b = appendEscape(append(b, text[start:i]...), c)
		i++
		start = i
	}
	return append(append(b, text[start:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	if c == '"' || c == '\\' {
		return append(b, '\\', c)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendReason adds printable ASCII only, cut to what the protocol allows.
func appendReason(b []byte, reason string) []byte {
	b = append(b, '"')
	for i := 0; i < min(len(reason), maxReason); i++ {
		switch c := reason[i]; {
		case c < 0x20 || c > 0x7e:
			b = append(b, '?')
		case !plain[c]:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
