package policy

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
)

// entry is what one line of a list says.
type entry struct {
	names    []string
	prefixes []netip.Prefix
	// exception says that the line takes something off the list: adblock's @@.
	exception bool
}

// adblockOptions are those that do not narrow a rule to what DNS cannot see.
var adblockOptions = map[string]bool{"": true, "all": true, "important": true, "document": true, "doc": true}

// parseLine reads a line of any of the formats; ok is false where it cannot be
// understood. A comment or an empty line says nothing and is understood.
func parseLine(line string) (e entry, ok bool) {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if line == "" || line[0] == '#' || line[0] == '!' || line[0] == '[' && strings.HasSuffix(line, "]") {
		return entry{}, true
	}
	if strings.HasPrefix(line, "||") || strings.HasPrefix(line, "@@") {
		return parseAdblock(line)
	}
	if isPlainName(line) && isLetter(line[len(line)-1]) { // what nearly every line is
		return entry{names: []string{qname.Canonical(line)}}, true
	}
	words := strings.Fields(line)
	for i, word := range words {
		if word[0] == '#' {
			words = words[:i]
			break
		}
	}
	if len(words) > 1 {
		return parseHosts(words)
	}
	if prefix, err := parsePrefix(words[0]); err == nil {
		return entry{prefixes: []netip.Prefix{prefix}}, true
	}
	name, ok := parseName(strings.TrimPrefix(strings.TrimPrefix(words[0], "*"), "."))
	return entry{names: []string{name}}, ok
}

// parseAdblock reads ||name^ and its exception @@||name^.
func parseAdblock(line string) (e entry, ok bool) {
	line, e.exception = strings.CutPrefix(line, "@@")
	line, ok = strings.CutPrefix(line, "||")
	if !ok {
		return entry{}, false
	}
	line, options, _ := strings.Cut(line, "$")
	for option := range strings.SplitSeq(options, ",") {
		if !adblockOptions[option] {
			return entry{}, false
		}
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "|"), "^")
	if prefix, err := parsePrefix(line); err == nil {
		e.prefixes = []netip.Prefix{prefix}
		return e, true
	}
	name, ok := parseName(strings.TrimPrefix(line, "*."))
	e.names = []string{name}
	return e, ok
}

// parseHosts reads an address and its names, as in a hosts file. The names that every
// hosts file gives to the machine itself have one label, and are left out.
func parseHosts(words []string) (e entry, ok bool) {
	if _, err := netip.ParseAddr(words[0]); err != nil {
		return entry{}, false
	}
	for _, word := range words[1:] {
		if _, err := netip.ParseAddr(word); err == nil {
			continue
		}
		name, ok := parseName(word)
		if !ok {
			return entry{}, false
		}
		if _, more := parent(name); more && name != "localhost.localdomain" {
			e.names = append(e.names, name)
		}
	}
	return e, true
}

// unicode maps what people write to A-labels, without a view on which labels are good.
var unicode = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.Transitional(false))

// parseName gives the canonical form of a name as people write it, also in Unicode.
func parseName(text string) (name string, ok bool) {
	if !isASCII(text) {
		mapped, err := unicode.ToASCII(text)
		if err != nil {
			return "", false
		}
		text = mapped
	}
	text = strings.TrimSuffix(text, ".")
	if !isPlainName(text) {
		return "", false
	}
	return qname.Canonical(text), true
}

// The limits of RFC 1035, 2.3.4, for a name as text.
const (
	longestName  = 253
	longestLabel = 63
)

// isPlainName says whether a name, without the dot at its end, has only what lists hold; what else
// may be in a name of the DNS is a sign here that the line is something else.
func isPlainName(name string) bool {
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && label > 0:
			label = 0
		case c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			label++
		default:
			return false
		}
		if label > longestLabel {
			return false
		}
	}
	return label > 0 && len(name) <= longestName
}

// isLetter tells a name from an IPv4 address, which ends in a digit.
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
