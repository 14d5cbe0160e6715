// Package qname brings names into the one canonical form that lists, model, cache
// and history share: lower case, no trailing dot, the root written ".", and only
// what must be escaped escaped (docs/model-format.md, "The canonical name").
package qname

import "strings"

// Root is the canonical name of the root.
const Root = "."

// Canonical gives the canonical form of a name in presentation form, as miekg/dns
// and zone files write it (trailing dot, \. \\ \" \DDD). A name that is already lower
// case and without escapes costs no allocation. Canonical does not judge whether the name is
// valid, it never fails: see Parse for names that people type.
func Canonical(name string) string {
	for i := 0; i < len(name); i++ {
		if !plain[name[i]] {
			return rewrite(name)
		}
	}
	if n := len(name); n > 1 && name[n-1] == '.' {
		return name[:n-1]
	}
	if name == "" {
		return Root
	}
	return name
}

// plain has the bytes that stand for themselves, the separating dot among them.
var plain = func() (table [256]bool) {
	for c := 0x21; c <= 0x7e; c++ {
		table[c] = c != '\\' && (c < 'A' || c > 'Z')
	}
	return table
}()

func rewrite(name string) string {
	var out strings.Builder
	out.Grow(len(name) + 8)
	for i := 0; i < len(name); {
		if name[i] == '.' {
			if i+1 < len(name) || i == 0 {
				out.WriteByte('.')
			}
			i++
			continue
		}
		c, width := octet(name[i:])
		appendOctet(&out, c)
		i += width
	}
	return out.String()
}

// octet reads the octet that text begins with and tells how many bytes it took.
// A backslash with nothing behind it stands for itself.
func octet(text string) (c byte, width int) {
	if text[0] != '\\' || len(text) == 1 {
		return text[0], 1
	}
	if len(text) >= 4 && digit(text[1]) && digit(text[2]) && digit(text[3]) {
		return (text[1]-'0')*100 + (text[2]-'0')*10 + (text[3] - '0'), 4
	}
	return text[1], 2
}

func appendOctet(out *strings.Builder, c byte) {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	switch {
	case c == '.' || c == '\\':
		out.WriteByte('\\')
		out.WriteByte(c)
	case c < 0x21 || c > 0x7e:
		out.WriteByte('\\')
		out.WriteByte('0' + c/100)
		out.WriteByte('0' + c/10%10)
		out.WriteByte('0' + c%10)
	default:
		out.WriteByte(c)
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
