package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
)

// Status is what a person decided about a name.
type Status uint8

// The statuses; a name that is not vetted has no override.
const (
	// Benign names are never flagged.
	Benign Status = iota
	// Blocked names are answered as malicious ones, or with nxdomain where those are only observed.
	Blocked
	// Honeypot names are answered with the sinkhole.
	Honeypot
)

// String gives the status as the service writes it.
func (s Status) String() string { return [...]string{"benign", "blocked", "honeypot"}[s] }

// Override is one decision of a person.
type Override struct {
	// Name is canonical.
	Name string
	// Exact says that names below Name are not meant.
	Exact  bool
	Status Status
	// Client is the prefix that is meant; not valid where everyone is.
	Client netip.Prefix
	// Expires is zero where the decision holds for good.
	Expires time.Time
	Created time.Time
	Reason  string
}

// Overrides are all decisions of one moment. They never change, and nil holds none.
type Overrides struct {
	version string
	byName  map[string][]*Override
	// lengths says how long their names are, so that few suffixes need be looked up.
	lengths [maxName + 1]bool
}

// maxName is longer than any canonical name: 255 octets, each \DDD.
const maxName = 4 * 255

// document is the policy as docs/protocol.md has it.
type document struct {
	Version   string `json:"version"`
	Overrides *[]struct {
		Name    string     `json:"name"`
		Scope   string     `json:"scope"`
		Status  string     `json:"status"`
		Client  *string    `json:"client"`
		Expires *time.Time `json:"expires"`
		Reason  *string    `json:"reason"`
		Created time.Time  `json:"created"`
	} `json:"overrides"`
}

// ParseOverrides reads what GET /api/v1/policy answers. It takes all or nothing: its
// error names the first override that it cannot take, so that none is lost silently.
func ParseOverrides(data []byte) (*Overrides, error) {
	var read document
	if err := json.Unmarshal(data, &read); err != nil {
		return nil, fmt.Errorf("policy is no valid JSON: %w", err)
	}
	if read.Overrides == nil {
		return nil, errors.New("policy has no overrides: is this the service's /api/v1/policy?")
	}
	o := &Overrides{version: read.Version, byName: make(map[string][]*Override, len(*read.Overrides))}
	for _, entry := range *read.Overrides {
		override := &Override{Created: entry.Created}
		if entry.Expires != nil {
			override.Expires = *entry.Expires
		}
		if entry.Reason != nil {
			override.Reason = *entry.Reason
		}
		err := override.set(entry.Name, entry.Scope, entry.Status, entry.Client)
		if err != nil {
			return nil, fmt.Errorf("policy cannot be taken: override of %q: %w", entry.Name, err)
		}
		o.byName[override.Name] = append(o.byName[override.Name], override)
		o.lengths[len(override.Name)] = true
	}
	return o, nil
}

// set checks and fills in what has few possible values.
func (o *Override) set(name, scope, status string, client *string) error {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return errors.New("this is no domain name")
	}
	o.Name = qname.Canonical(dns.Fqdn(name))
	if len(o.Name) > maxName {
		return errors.New("this is no domain name")
	}
	switch scope {
	case "name":
		o.Exact = true
	case "subdomains", "":
	default:
		return fmt.Errorf("unknown scope %q", scope)
	}
	switch status {
	case "benign":
		o.Status = Benign
	case "blocked":
		o.Status = Blocked
	case "honeypot":
		o.Status = Honeypot
	default:
		return fmt.Errorf("unknown status %q", status)
	}
	if client == nil || *client == "" {
		return nil
	}
	prefix, err := parsePrefix(*client)
	if err != nil {
		return fmt.Errorf("client %q is no address and no subnet", *client)
	}
	o.Client = prefix
	return nil
}

// parsePrefix reads an address or a subnet. IPv4 written as IPv6 becomes IPv4.
func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if address := prefix.Addr(); address.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, errors.New("subnet of IPv6 that covers all of IPv4")
		}
		prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// Version is the service's name for these overrides, empty for none.
func (o *Overrides) Version() string {
	if o == nil {
		return ""
	}
	return o.version
}

// Len is the number of overrides.
func (o *Overrides) Len() int {
	n := 0
	if o != nil {
		for _, overrides := range o.byName {
			n += len(overrides)
		}
	}
	return n
}

// Any says whether there is any.
func (o *Overrides) Any() bool { return o != nil && len(o.byName) > 0 }

// Match gives the override that holds for a canonical name and a client at a time, nil
// for none: the more specific client wins, then the more specific name, then the newest.
func (o *Overrides) Match(client netip.Addr, name string, now time.Time) *Override {
	if !o.Any() {
		return nil
	}
	client = client.Unmap().WithZone("")
	var best *Override
	exact := true
	for at, ok := name, true; ok; at, ok = parent(at) {
		if len(at) <= maxName && o.lengths[len(at)] {
			for _, candidate := range o.byName[at] {
				if candidate.holds(client, exact, now) && (best == nil || candidate.beats(best)) {
					best = candidate
				}
			}
		}
		exact = false
	}
	return best
}

// holds says whether the override is meant for the client at that time; exact says
// whether the name asked for is the override's own.
func (o *Override) holds(client netip.Addr, exact bool, now time.Time) bool {
	if o.Exact && !exact {
		return false
	}
	if o.Client.IsValid() && !o.Client.Contains(client) {
		return false
	}
	return o.Expires.IsZero() || now.Before(o.Expires)
}

// beats says whether o goes before other, which matches as well. Both match the same
// client and name, so that prefixes are of one family, and the longer name is the
// more specific one.
func (o *Override) beats(other *Override) bool {
	if a, b := o.bits(), other.bits(); a != b {
		return a > b
	}
	if o.Exact != other.Exact {
		return o.Exact
	}
	if len(o.Name) != len(other.Name) {
		return len(o.Name) > len(other.Name)
	}
	return o.Created.After(other.Created)
}

// bits is the length of the client's prefix, -1 for everyone.
func (o *Override) bits() int {
	if !o.Client.IsValid() {
		return -1
	}
	return o.Client.Bits()
}
