// Package policy holds what people decided: lists of names and addresses, which the
// Corefile names, and overrides, which come from the service.
package policy

import "net/netip"

// Side says on which list something stands.
type Side uint8

// The sides.
const (
	// None stands on no list.
	None Side = iota
	// Allowed is never flagged.
	Allowed
	// Denied is malicious.
	Denied
)

// Lists are allow and deny lists as they were read at one moment. They never change,
// and nil holds nothing.
//
// Names are kept as 64-bit hashes with a seed of this process, because lists have
// millions of lines: a name that nobody listed is found with a chance of 1 in 10^13
// for a list of a million, and nobody outside can look for one.
type Lists struct {
	names     nameSet
	addresses map[netip.Prefix]Side
	// bits4 and bits6 say which lengths of prefixes there are.
	bits4, bits6 [129]bool
}

func newLists() *Lists {
	return &Lists{names: newNameSet(), addresses: map[netip.Prefix]Side{}}
}

// addPrefix lists addresses. Allowed wins over Denied.
func (l *Lists) addPrefix(prefix netip.Prefix, side Side) {
	if l.addresses[prefix] != Allowed {
		l.addresses[prefix] = side
	}
	l.bits(prefix.Addr())[prefix.Bits()] = true
}

// bits gives the lengths of prefixes that there are of the address's family.
func (l *Lists) bits(address netip.Addr) *[129]bool {
	if address.Is4() {
		return &l.bits4
	}
	return &l.bits6
}

// Names is the number of distinct names.
func (l *Lists) Names() int {
	if l == nil {
		return 0
	}
	return l.names.len()
}

// Addresses is the number of distinct addresses and subnets.
func (l *Lists) Addresses() int {
	if l == nil {
		return 0
	}
	return len(l.addresses)
}

// Match says on which side a canonical name stands, and by which listed name, which is
// itself or above it: the longest that is listed.
func (l *Lists) Match(name string) (side Side, rule string) {
	if l == nil || l.names.len() == 0 {
		return None, ""
	}
	for at, ok := name, true; ok; at, ok = parent(at) {
		if side := l.names.find(at); side != None {
			return side, at
		}
	}
	return None, ""
}

// HaveAddrs says whether any address is listed.
func (l *Lists) HaveAddrs() bool { return l != nil && len(l.addresses) > 0 }

// MatchAddr says on which side an address stands, and by which prefix: the longest
// that is listed.
func (l *Lists) MatchAddr(address netip.Addr) (side Side, rule netip.Prefix) {
	if !l.HaveAddrs() {
		return None, netip.Prefix{}
	}
	address = address.Unmap().WithZone("")
	bits := l.bits(address)
	for n := address.BitLen(); n >= 0; n-- {
		if !bits[n] {
			continue
		}
		prefix, err := address.Prefix(n)
		if err != nil { // no address at all
			return None, netip.Prefix{}
		}
		if side := l.addresses[prefix]; side != None {
			return side, prefix
		}
	}
	return None, netip.Prefix{}
}
