package mlplugin

import (
	"context"
	"net"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const (
	// maxTargets bounds how many aliases of one answer are judged; resolvers give up
	// on chains long before.
	maxTargets = 64
	// rebindingScore is the score of a private address given for a public name.
	rebindingScore = 30
)

// answerJudge looks through the answer to one query for something worse than the
// ruling on its question.
type answerJudge struct {
	ctx     context.Context
	query   *query
	targets int
	// worst is the ruling so far, and where says what it is about.
	worst ruling
	where string
	// name is what worst is a ruling on.
	name string
}

// judge finds how bad the answer is, never better than the question was.
func (j *answerJudge) judge(res *dns.Msg) {
	if j.worst.permitted() {
		return
	}
	for _, record := range res.Answer {
		if j.worst.Level == verdict.Malicious {
			break
		}
		switch rr := record.(type) {
		case *dns.CNAME:
			j.target(rr.Target)
		case *dns.DNAME:
			j.target(rr.Target)
		case *dns.HTTPS:
			j.service(&rr.SVCB)
		case *dns.SVCB:
			j.service(rr)
		case *dns.A:
			j.address(rr.A)
		case *dns.AAAA:
			j.address(rr.AAAA)
		}
	}
}

// service judges what an SVCB or HTTPS record points to.
func (j *answerJudge) service(rr *dns.SVCB) {
	if rr.Target != "." { // the owner itself
		j.target(rr.Target)
	}
	for _, pair := range rr.Value {
		var hints []net.IP
		switch value := pair.(type) {
		case *dns.SVCBIPv4Hint:
			hints = value.Hint
		case *dns.SVCBIPv6Hint:
			hints = value.Hint
		}
		for _, hint := range hints {
			j.address(hint)
		}
	}
}

// target judges a name that the answer leads to.
func (j *answerJudge) target(presentation string) {
	name := qname.Canonical(presentation)
	if name == j.query.name || j.targets == maxTargets {
		return
	}
	j.targets++
	r := j.query.rule(j.ctx, name)
	targetLookups[r.lookup].Add(1)
	if r.Level > j.worst.Level {
		j.worst, j.name, j.where = r, name, "alias target "+name
	}
}

// address judges an address that the answer gives.
func (j *answerJudge) address(ip net.IP) {
	address, ok := netip.AddrFromSlice(ip)
	if !ok || j.worst.Level == verdict.Malicious {
		return
	}
	address = address.Unmap()
	if j.query.snapshot.lists.HaveAddrs() && j.listed(address) {
		return
	}
	if j.worst.Level < verdict.Suspicious && j.rebinds(address) {
		j.worst = ruling{step: byAnswer, Verdict: verdict.Verdict{
			Level: verdict.Suspicious, Source: verdict.Answer, Score: rebindingScore,
		}}
		j.where = "answer " + address.String() + " is a private address for a public name"
	}
}

// listed says whether an address is on a list, and what follows.
func (j *answerJudge) listed(address netip.Addr) bool {
	side, rule := j.query.snapshot.lists.MatchAddr(address)
	if side == policy.Denied {
		j.worst = denied()
		j.where = "address " + address.String() + " in " + rule.String()
	}
	return side != policy.None
}

// nat64 is the prefix under which IPv6-only networks reach IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// rebinds says whether the address lets a stranger's name reach into this network.
// 0.0.0.0 and :: are how other resolvers block.
func (j *answerJudge) rebinds(address netip.Addr) bool {
	if !j.query.ruling.strange() {
		return false
	}
	if nat64.Contains(address) {
		b := address.As16()
		address = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !address.IsPrivate() && !address.IsLoopback() && !address.IsLinkLocalUnicast() {
		return false
	}
	return j.reachesInside(address)
}

// reachesInside says whether nobody has a reason to give the private address.
//
//go:noinline
func (j *answerJudge) reachesInside(address netip.Addr) bool {
	if address.Is4() && address.IsLoopback() && j.query.snapshot.asksListOperator(j.query.name) {
		return false
	}
	return !j.query.handler.isStaticHost(j.query.presentation, address)
}

// isStaticHost says whether the hosts plugin of this server gives the address to the name.
func (h *Handler) isStaticHost(name string, address netip.Addr) bool {
	for _, hosts := range h.hosts {
		found := hosts.LookupStaticHostV4(name)
		if address.Is6() {
			found = hosts.LookupStaticHostV6(name)
		}
		for _, ip := range found {
			if known, ok := netip.AddrFromSlice(ip); ok && known.Unmap() == address {
				return true
			}
		}
	}
	return false
}

// listOperators run lists on the DNS whose answers are codes in 127.0.0.0/8 (RFC 5782) and
// have no reputation of their own. They are known by name, not by what their look-ups look
// like: anybody can make a name of a reversed address or a hash. Others can be allowed.
var listOperators = map[string]bool{
	"dronebl.org": true, "gbudb.net": true, "mailspike.net": true, "manitu.net": true,
	"sophosxl.net": true, "sorbs.net": true, "spamcop.net": true, "spamhaus.net": true,
	"spamhaus.org": true, "surbl.org": true, "surriel.com": true, "uribl.com": true,
}

// asksListOperator says whether the canonical name asks one of them.
func (s *snapshot) asksListOperator(name string) bool {
	return listOperators[s.model.Split(name).RegisteredDomain]
}
