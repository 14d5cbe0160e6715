package model

import "strings"

// Special tells whether a canonical name is no public name (single-label, special-use or
// private), and by which rule: the zone that it is at or under, "single label", or "." for the root.
func Special(qname string) (rule string, ok bool) {
	if qname == "." {
		return root, true
	}
	cut := lastDot(qname)
	if cut < 0 {
		return singleLabel, true
	}
	top := qname[cut+1:]
	switch top {
	case "com", "net", "org":
		if zone := tail(qname, cut); zone[:len(zone)-len(top)] == "example." {
			return zone, true
		}
		return "", false
	case "arpa":
		switch zone := tail(qname, cut); zone {
		case "home.arpa", "resolver.arpa", "service.arpa":
			return zone, true
		}
		return top, true
	case "alt", "example", "internal", "invalid", "local", "localhost", "onion", "test", // RFC 6761 and its registry
		"intranet", "private", "corp", "home", "lan", // RFC 6762, appendix G
		"localdomain":
		return top, true
	}
	return "", false
}

const (
	root        = "."
	singleLabel = "single label"
)

// lastDot finds the last dot that separates labels, -1 if there is none.
func lastDot(name string) int {
	for cut := len(name) - 1; ; cut-- {
		if cut = strings.LastIndexByte(name[:cut+1], '.'); cut < 0 || !escaped(name, cut) {
			return cut
		}
	}
}

// escaped tells whether an odd number of backslashes stands before the byte.
func escaped(name string, at int) bool {
	n := 0
	for at-n > 0 && name[at-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// tail gives the last two labels of a name whose last separating dot is at cut.
func tail(name string, cut int) string { return name[lastDot(name[:cut])+1:] }
