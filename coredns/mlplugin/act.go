package mlplugin

import (
	"net/netip"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// effect is what an action does to the answer.
type effect uint8

const (
	observe effect = iota
	nxdomain
	nodata
	refuse
	drop
	sinkhole
)

var effectNames = [...]string{"observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole"}

// String gives the effect's name in the Corefile, the log and events.
func (e effect) String() string { return effectNames[e] }

// action is an effect and, for sinkhole, where to.
type action struct {
	effect     effect
	ipv4, ipv6 netip.Addr
}

// defaultSinkhole is nowhere.
var defaultSinkhole = action{effect: sinkhole, ipv4: netip.IPv4Unspecified(), ipv6: netip.IPv6Unspecified()}

// rules say what follows from a verdict; the zero value observes.
type rules struct {
	levels  [verdict.Malicious + 1]action
	threats [verdict.ThreatCount + 1]*action
}

// follow gives the action that follows from a ruling: that of its threat, if there is
// one, else that of its level. People's decisions have actions of their own.
func (r *rules) follow(ruling *ruling) action {
	if !ruling.flagged() {
		return action{}
	}
	if ruling.override != nil {
		return r.followOverride(ruling.override.Status)
	}
	if threat := r.threats[ruling.Threat]; threat != nil {
		return *threat
	}
	return r.levels[ruling.Level]
}

func (r *rules) followOverride(status policy.Status) action {
	malicious := r.levels[verdict.Malicious]
	switch {
	case status == policy.Honeypot:
		return r.sink()
	case malicious.effect == observe:
		return action{effect: nxdomain}
	}
	return malicious
}

// sink gives the sinkhole that the rules name, else the default.
func (r *rules) sink() action {
	for _, a := range []action{r.levels[verdict.Malicious], r.levels[verdict.Suspicious]} {
		if a.effect == sinkhole {
			return a
		}
	}
	for _, a := range r.threats {
		if a != nil && a.effect == sinkhole {
			return *a
		}
	}
	return defaultSinkhole
}

const (
	// blockTTL bounds, in seconds, how long clients keep a blocked answer, so that
	// lifting the block is felt soon.
	blockTTL = 30
	// maxExtraText bounds, in bytes, the text of an Extended DNS Error, so that a negative
	// answer about the longest name fits into 512 bytes.
	maxExtraText = 160
)

// reply makes the answer that the action puts in place of the real one. owner is where
// the SOA of a negative answer sits, in presentation form. why gives the reason, for those
// who can be told.
func (a action) reply(state request.Request, owner string, why func() string) *dns.Msg {
	m := new(dns.Msg).SetReply(state.Req)
	m.RecursionAvailable = true
	switch effect := a.effectFor(state.QType()); effect {
	case refuse:
		m.Rcode = dns.RcodeRefused
	case sinkhole:
		m.Answer = a.addresses(state)
	case nxdomain:
		m.Rcode = dns.RcodeNameError
	}
	if len(m.Answer) == 0 && m.Rcode != dns.RcodeRefused {
		m.Ns = []dns.RR{negativeSOA(owner)}
	}
	explain(state, m, why)
	return m
}

// effectFor gives the effect on a query type. A zone transfer has no negative answer.
func (a action) effectFor(qtype uint16) effect {
	if qtype == dns.TypeAXFR || qtype == dns.TypeIXFR {
		return refuse
	}
	return a.effect
}

// addresses gives the sinkhole's records of the type that was asked for, none for
// types that hold no address.
func (a action) addresses(state request.Request) []dns.RR {
	header := func(rrtype uint16) dns.RR_Header {
		return dns.RR_Header{
			Name: state.Req.Question[0].Name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: blockTTL,
		}
	}
	var records []dns.RR
	qtype := state.QType()
	if qtype == dns.TypeA || qtype == dns.TypeANY {
		records = append(records, &dns.A{Hdr: header(dns.TypeA), A: a.ipv4.AsSlice()})
	}
	if qtype == dns.TypeAAAA || qtype == dns.TypeANY {
		records = append(records, &dns.AAAA{Hdr: header(dns.TypeAAAA), AAAA: a.ipv6.AsSlice()})
	}
	return records
}

// negativeSOA bounds how long the answer is kept (RFC 2308, 5).
func negativeSOA(owner string) *dns.SOA {
	return &dns.SOA{
		Hdr:  dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: blockTTL},
		Ns:   "localhost.",
		Mbox: "nobody.invalid.",
		// A zone that nobody transfers: the timers say nothing but the last.
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: blockTTL,
	}
}

// explain adds the reason as an Extended DNS Error (RFC 8914), where the client speaks
// EDNS, and makes the answer fit.
func explain(state request.Request, m *dns.Msg, why func() string) {
	if state.Req.IsEdns0() != nil {
		reason := why()
		opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{
			InfoCode:  dns.ExtendedErrorCodeBlocked,
			ExtraText: reason[:min(len(reason), maxExtraText)],
		})
		m.Extra = append(m.Extra, opt)
		state.SizeAndDo(m)
	}
	state.Scrub(m)
}
