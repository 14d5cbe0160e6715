package mlplugin

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const rule = `on malicious nxdomain
on suspicious refuse
allow allowed.example.com 10.9.0.0/16
deny listed.example.net 203.0.113.0/24 2001:db8:bad::/48`

// judged sends a query for A and gives the rcode that came back and the recorded verdict.
func judged(t *testing.T, name string, answers ...dns.RR) (rcode int, v verdict.Verdict, reason string) {
	t.Helper()
	h, record := newTestHandler(t, rule, answers...)
	h.swap(func(s *snapshot) { s.ownZones = newZoneSet("own.example.com.") })
	m := ask(t, h, name, dns.TypeA)
	e := record.last(t)
	if e.Rcode != m.Rcode {
		t.Errorf("%s: rcode %d was recorded, %d answered", name, e.Rcode, m.Rcode)
	}
	return m.Rcode, e.Verdict, e.Reason
}

func TestAliasTargets(t *testing.T) {
	long := strings.Repeat("x", 60) + ".example.org."
	tests := map[string]struct {
		answers []dns.RR
		want    verdict.Verdict
		rcode   int
	}{
		"harmless": {[]dns.RR{
			test.CNAME("www.example.com. 60 IN CNAME cdn.example.com."), test.A("cdn.example.com. 60 IN A 198.51.100.1"),
		}, verdict.Verdict{Source: verdict.Model, Score: 1}, dns.RcodeSuccess},
		"model": {[]dns.RR{
			test.CNAME("www.example.com. 60 IN CNAME EVIL.example.com."), test.A("evil.example.com. 60 IN A 198.51.100.1"),
		}, evil, dns.RcodeNameError},
		"suspicious": {[]dns.RR{test.CNAME("www.example.com. 60 IN CNAME odd.example.com.")}, odd, dns.RcodeRefused},
		"second": {[]dns.RR{
			test.CNAME("www.example.com. 60 IN CNAME a.example.com."),
			test.CNAME("a.example.com. 60 IN CNAME odd.example.com."),
			test.CNAME("odd.example.com. 60 IN CNAME evil.example.com."),
		}, evil, dns.RcodeNameError},
		"list": {[]dns.RR{test.CNAME("www.example.com. 60 IN CNAME x.listed.example.net.")}, denied().Verdict, dns.RcodeNameError},
		"DNAME": {[]dns.RR{
			test.DNAME("example.com. 60 IN DNAME listed.example.net."),
		}, denied().Verdict, dns.RcodeNameError},
		"HTTPS":      {[]dns.RR{test.HTTPS("www.example.com. 60 IN HTTPS 0 evil.example.com.")}, evil, dns.RcodeNameError},
		"HTTPS self": {[]dns.RR{test.HTTPS("www.example.com. 60 IN HTTPS 1 . alpn=h2")}, verdict.Verdict{Source: verdict.Model, Score: 1}, dns.RcodeSuccess},
		"SVCB hint": {[]dns.RR{
			test.SVCB("www.example.com. 60 IN SVCB 1 a.example.com. ipv4hint=203.0.113.1"),
		}, denied().Verdict, dns.RcodeNameError},
		"other types": {[]dns.RR{test.MX("www.example.com. 60 IN MX 1 " + long)}, verdict.Verdict{Source: verdict.Model, Score: 1}, dns.RcodeSuccess},
	}
	for name, c := range tests {
		rcode, v, reason := judged(t, "www.example.com.", c.answers...)
		if rcode != c.rcode || v != c.want {
			t.Errorf("%s: rcode %d, verdict %+v, reason %q", name, rcode, v, reason)
		}
		if flagged := c.want.Level > verdict.Benign; flagged != (reason != "") {
			t.Errorf("%s: reason %q", name, reason)
		}
	}
}

// TestPermittedNamesStay: what an allow list permits is never flagged for its answer.
func TestPermittedNamesStay(t *testing.T) {
	for _, answer := range []dns.RR{
		test.CNAME("allowed.example.com. 60 IN CNAME evil.example.com."),
		test.A("allowed.example.com. 60 IN A 10.0.0.1"),
		test.A("allowed.example.com. 60 IN A 203.0.113.1"),
	} {
		if rcode, v, _ := judged(t, "allowed.example.com.", answer); rcode != dns.RcodeSuccess || v.Level != verdict.Benign {
			t.Errorf("%s: rcode %d, %+v", answer, rcode, v)
		}
	}
}

func TestRebinding(t *testing.T) {
	tests := []struct {
		name, address string
		flagged       bool
	}{
		{"www.example.com.", "10.0.0.1", true},
		{"www.example.com.", "172.16.1.1", true},
		{"www.example.com.", "192.168.1.1", true},
		{"www.example.com.", "127.0.0.1", true},
		{"www.example.com.", "169.254.169.254", true},
		{"www.example.com.", "::1", true},
		{"www.example.com.", "fe80::1", true},
		{"www.example.com.", "fd00::1", true},
		{"www.example.com.", "::ffff:192.168.1.1", true},
		{"www.example.com.", "64:ff9b::10.0.0.1", true},
		{"www.example.com.", "0.0.0.0", false},
		{"www.example.com.", "::", false},
		{"www.example.com.", "100.64.0.1", false},
		{"www.example.com.", "192.0.2.1", false},
		{"www.example.com.", "2001:db8::1", false},
		{"www.example.com.", "10.9.1.1", false}, // allowed
		{"famous.example.com.", "10.0.0.1", false},
		{"printer.local.", "192.168.1.1", false},
		{"a.own.example.com.", "192.168.1.1", false},
		{"2.0.0.127.zen.spamhaus.org.", "127.0.0.2", false},
		{"2.0.0.127.zen.spamhaus.org.", "10.0.0.1", true},
		{"2.0.0.127.list.example.com.", "127.0.0.1", true}, // anybody can make such a name
		{"2.0.0.127.list.example.com.", "127.0.0.2", true},
		{"d41d8cd98f00b204e9800998ecf8427e.hash.example.com.", "127.0.0.1", true},
		{strings.Repeat("1.", 32) + "v6.example.com.", "127.0.0.1", true},
	}
	for _, c := range tests {
		ip := net.ParseIP(c.address)
		var answer dns.RR = &dns.AAAA{Hdr: dns.RR_Header{Name: c.name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET}, AAAA: ip}
		if ip4 := ip.To4(); ip4 != nil && !strings.HasPrefix(c.address, "::ffff") {
			answer = &dns.A{Hdr: dns.RR_Header{Name: c.name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: ip4}
		}
		rcode, v, reason := judged(t, c.name, answer)
		want := verdict.Verdict{Level: verdict.Suspicious, Source: verdict.Answer, Score: rebindingScore}
		if c.flagged && (rcode != dns.RcodeRefused || v != want || !strings.Contains(reason, "private address")) {
			t.Errorf("%s %s: rcode %d, %+v, %q", c.name, c.address, rcode, v, reason)
		}
		if !c.flagged && (rcode != dns.RcodeSuccess || v.Level != verdict.Benign) {
			t.Errorf("%s %s: rcode %d, %+v, %q", c.name, c.address, rcode, v, reason)
		}
	}
}

// TestListedAddresses: also behind names with a reputation, and of the operator's own zones.
func TestListedAddresses(t *testing.T) {
	for _, name := range []string{"www.example.com.", "famous.example.com.", "a.own.example.com.", "printer.local."} {
		for _, answer := range []dns.RR{test.A(name + " 60 IN A 203.0.113.77"), test.AAAA(name + " 60 IN AAAA 2001:db8:bad::1")} {
			rcode, v, reason := judged(t, name, answer)
			if rcode != dns.RcodeNameError || v.Source != verdict.Denylist || !strings.Contains(reason, " in 2") {
				t.Errorf("%s: rcode %d, %+v, %q", answer, rcode, v, reason)
			}
		}
	}
}

// TestWorseAnswerWins: an answer never makes a verdict better.
func TestWorseAnswerWins(t *testing.T) {
	rcode, v, _ := judged(t, "odd.example.com.", test.A("odd.example.com. 60 IN A 203.0.113.1"))
	if rcode != dns.RcodeRefused || v != odd { // the question was acted on, and nobody was asked
		t.Errorf("rcode %d, %+v", rcode, v)
	}
	h, record := newTestHandler(t, "on malicious nxdomain\ndeny 203.0.113.0/24",
		test.A("odd.example.com. 60 IN A 10.0.0.1"), test.A("odd.example.com. 60 IN A 203.0.113.1"))
	if m := ask(t, h, "odd.example.com.", dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("rcode %d", m.Rcode)
	}
	if e := record.last(t); e.Verdict != denied().Verdict {
		t.Errorf("%+v", e.Verdict)
	}
}

// TestTargetsOfClients: an override of a target holds for the client that asks.
func TestTargetsOfClients(t *testing.T) {
	h, _ := newTestHandler(t, "", test.CNAME("www.example.com. 60 IN CNAME x.vetted.example.net."))
	overrides, err := policy.ParseOverrides([]byte(
		`{"overrides": [{"name": "vetted.example.net", "status": "blocked", "client": "192.0.2.0/24", "reason": "said so"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	h.swap(func(s *snapshot) { s.overrides = overrides })
	r := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	r.SetEdns0(1232, false)
	m := send(t, h, r)
	if m.Rcode != dns.RcodeNameError {
		t.Fatalf("rcode %d", m.Rcode)
	}
	text := m.IsEdns0().Option[0].(*dns.EDNS0_EDE).ExtraText
	if text != "alias target x.vetted.example.net: override blocked: said so" {
		t.Errorf("text %q", text)
	}
}

func TestManyTargetsEndSoon(t *testing.T) {
	var answers []dns.RR
	for range 5000 {
		answers = append(answers, test.CNAME("www.example.com. 60 IN CNAME a.example.com."))
	}
	h, _ := newTestHandler(t, "", answers...)
	q := newQueryOf(t, h, "www.example.com")
	hits, misses := lookedUp(t)
	q.decideAnswer(t.Context(), &dns.Msg{Answer: answers})
	if nowHits, nowMisses := lookedUp(t); nowHits-hits+nowMisses-misses != maxTargets {
		t.Errorf("%v targets were judged", nowHits-hits+nowMisses-misses)
	}
}

// TestDropOfAnswer: the client hears nothing of an answer that is dropped.
func TestDropOfAnswer(t *testing.T) {
	h, record := newTestHandler(t, "on malicious drop\ndeny 203.0.113.0/24", test.A("www.example.com. 60 IN A 203.0.113.1"))
	if m := ask(t, h, "www.example.com.", dns.TypeA); m != nil {
		t.Errorf("answered: %v", m)
	}
	if e := record.last(t); e.Rcode != -1 || e.Action != "drop" || len(e.Answers) > 0 {
		t.Errorf("event %+v", e)
	}
}

// TestSecondMessage: what follows a replaced answer is not sent, what follows a good one is.
func TestSecondMessage(t *testing.T) {
	for address, want := range map[string]int{"203.0.113.1": 1, "198.51.100.1": 2} {
		h, _ := newTestHandler(t, "on malicious nxdomain\ndeny 203.0.113.0/24")
		answer := test.A("www.example.com. 60 IN A " + address)
		h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
			m := new(dns.Msg).SetReply(r)
			m.Answer = []dns.RR{answer}
			_ = w.WriteMsg(m)
			return dns.RcodeSuccess, w.WriteMsg(m)
		})
		w := &counting{}
		if _, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if w.messages != want {
			t.Errorf("%s: %d messages", address, w.messages)
		}
	}
}

// TestPackedAnswer: an answer that is written as bytes is judged as well.
func TestPackedAnswer(t *testing.T) {
	for address, want := range map[string]int{"203.0.113.1": 1, "198.51.100.1": 0} {
		h, record := newTestHandler(t, "on malicious nxdomain\ndeny 203.0.113.0/24")
		answer := test.A("www.example.com. 60 IN A " + address)
		h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
			m := new(dns.Msg).SetReply(r)
			m.Answer = []dns.RR{answer}
			packed, err := m.Pack()
			if err != nil {
				return dns.RcodeServerFailure, err
			}
			_, err = w.Write(packed)
			return dns.RcodeSuccess, err
		})
		w := &counting{}
		if _, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		if w.messages != want || w.bytes != 1-want {
			t.Errorf("%s: %d messages, %d of bytes", address, w.messages, w.bytes)
		}
		if e := record.last(t); (e.Rcode == dns.RcodeNameError) != (want == 1) {
			t.Errorf("%s: event %+v", address, e)
		}
	}
}

// counting counts what is written.
type counting struct {
	test.ResponseWriter
	messages, bytes int
}

func (c *counting) WriteMsg(*dns.Msg) error          { c.messages++; return nil }
func (c *counting) Write(packed []byte) (int, error) { c.bytes++; return len(packed), nil }

// fakeHosts is a next plugin that knows static hosts.
type fakeHosts struct{ test.Handler }

func (fakeHosts) LookupStaticHostV4(name string) []net.IP {
	if name == "nas.example.com." {
		return []net.IP{net.IPv4(192, 168, 1, 9)}
	}
	return nil
}
func (fakeHosts) LookupStaticHostV6(string) []net.IP { return []net.IP{net.ParseIP("fd00::9")} }

func TestStaticHosts(t *testing.T) {
	for address, want := range map[string]int{"192.168.1.9": dns.RcodeSuccess, "192.168.1.8": dns.RcodeRefused} {
		h, _ := newTestHandler(t, "on suspicious refuse")
		h.Next = fakeHosts{answering(test.A("nas.example.com. 60 IN A " + address))}
		if err := h.start(); err != nil {
			t.Fatal(err)
		}
		if m := ask(t, h, "nas.example.com.", dns.TypeA); m.Rcode != want {
			t.Errorf("%s: rcode %d", address, m.Rcode)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
