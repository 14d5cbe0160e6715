package mlplugin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

var qtypes = []uint16{
	dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeANY, dns.TypeMX, dns.TypeTXT, dns.TypeNS,
	dns.TypeSOA, dns.TypeSRV, dns.TypeCAA, dns.TypePTR, dns.TypeCNAME, dns.TypeDS, dns.TypeAXFR, 65400,
}

const (
	noOPT = iota
	plainOPT
	doOPT
)

// TestActions goes through every action, query type and kind of EDNS.
func TestActions(t *testing.T) {
	actions := []string{"observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole", "sinkhole 192.0.2.66 2001:db8::66"}
	for _, rule := range actions {
		h, record := newTestHandler(t, "on malicious "+rule, test.TXT("Evil.example.com. 60 IN TXT upstream"))
		for _, qtype := range qtypes {
			for _, edns := range []int{noOPT, plainOPT, doOPT} {
				t.Run(fmt.Sprintf("%s/%s/%d", rule, dns.Type(qtype), edns), func(t *testing.T) {
					r := new(dns.Msg).SetQuestion("Evil.example.com.", qtype)
					r.CheckingDisabled = true
					if edns != noOPT {
						r.SetEdns0(1232, edns == doOPT)
					}
					m := send(t, h, r.Copy())
					checkAction(t, strings.Fields(rule), qtype, m)
					if m != nil && !strings.HasPrefix(rule, "observe") {
						checkHeader(t, r, m, edns)
					}
					e := record.last(t)
					if e.Action != strings.Fields(rule)[0] || e.Verdict != evil || e.Reason == "" {
						t.Errorf("event %+v", e)
					}
				})
			}
		}
	}
}

func checkAction(t *testing.T, rule []string, qtype uint16, m *dns.Msg) {
	t.Helper()
	switch {
	case rule[0] == "drop":
		if m != nil {
			t.Fatalf("answered: %v", m)
		}
		return
	case rule[0] == "observe":
		if len(m.Answer) != 1 {
			t.Errorf("answer %v", m.Answer)
		}
		return
	case qtype == dns.TypeAXFR || rule[0] == "refuse":
		if m.Rcode != dns.RcodeRefused || len(m.Answer)+len(m.Ns) > 0 {
			t.Errorf("not refused: %v", m)
		}
		return
	}
	wanted := map[string]int{"nxdomain": dns.RcodeNameError}[rule[0]]
	if m.Rcode != wanted {
		t.Errorf("rcode %d, want %d", m.Rcode, wanted)
	}
	var addresses []string
	if rule[0] == "sinkhole" {
		addresses = sunk(rule[1:], qtype)
	}
	checkRecords(t, m, addresses)
}

// sunk gives the addresses that a sinkhole answers with.
func sunk(given []string, qtype uint16) []string {
	if len(given) == 0 {
		given = []string{"0.0.0.0", "::"}
	}
	switch qtype {
	case dns.TypeA:
		return given[:1]
	case dns.TypeAAAA:
		return given[1:]
	case dns.TypeANY:
		return given
	}
	return nil
}

func checkRecords(t *testing.T, m *dns.Msg, addresses []string) {
	t.Helper()
	var got []string
	for _, record := range m.Answer {
		if record.Header().Ttl != blockTTL || record.Header().Name != "Evil.example.com." || record.Header().Class != dns.ClassINET {
			t.Errorf("record %v", record)
		}
		switch rr := record.(type) {
		case *dns.A:
			got = append(got, rr.A.String())
		case *dns.AAAA:
			got = append(got, rr.AAAA.String())
		default:
			t.Errorf("record %v", record)
		}
	}
	if !slices.Equal(got, addresses) {
		t.Errorf("addresses %v, want %v", got, addresses)
	}
	if len(addresses) > 0 {
		if len(m.Ns) > 0 {
			t.Errorf("authority %v", m.Ns)
		}
		return
	}
	if len(m.Ns) != 1 {
		t.Fatalf("authority %v", m.Ns)
	}
	soa, ok := m.Ns[0].(*dns.SOA)
	if !ok || soa.Hdr.Name != "example.com." || soa.Hdr.Ttl != blockTTL || soa.Minttl != blockTTL {
		t.Errorf("SOA %v", m.Ns[0])
	}
}

// checkHeader looks at what every blocked answer has to have.
func checkHeader(t *testing.T, r, m *dns.Msg, edns int) {
	t.Helper()
	if !m.Response || m.Authoritative || !m.RecursionAvailable || !m.RecursionDesired || !m.CheckingDisabled || m.AuthenticatedData || m.Truncated {
		t.Errorf("header %+v", m.MsgHdr)
	}
	if m.Id != r.Id || len(m.Question) != 1 || m.Question[0] != r.Question[0] {
		t.Errorf("question %v", m.Question)
	}
	opt := m.IsEdns0()
	if edns == noOPT {
		if opt != nil || len(m.Extra) > 0 {
			t.Errorf("additional %v", m.Extra)
		}
		return
	}
	if opt == nil || len(m.Extra) != 1 || opt.UDPSize() != 1232 || opt.Do() != (edns == doOPT) || opt.Version() != 0 {
		t.Fatalf("additional %v", m.Extra)
	}
	if len(opt.Option) != 1 {
		t.Fatalf("options %v", opt.Option)
	}
	ede, ok := opt.Option[0].(*dns.EDNS0_EDE)
	if !ok || ede.InfoCode != 15 || !strings.Contains(ede.ExtraText, "dga") || len(ede.ExtraText) > maxExtraText {
		t.Errorf("option %v", opt.Option[0])
	}
	if packed, err := m.Pack(); err != nil || len(packed) > 1232 {
		t.Errorf("%d bytes, %v", len(packed), err)
	}
}

// TestSmallBuffer has the longest name, the longest reason and the least room.
func TestSmallBuffer(t *testing.T) {
	name := strings.Repeat(strings.Repeat("a", 62)+".", 3) + strings.Repeat("b", 47) + ".blocked.example."
	if _, ok := dns.IsDomainName(name); !ok || len(name) != 253 {
		t.Fatalf("%d bytes", len(name))
	}
	overrides, err := policy.ParseOverrides([]byte(
		`{"overrides": [{"name": "blocked.example", "status": "blocked", "reason": "` + strings.Repeat("why ", 99) + `"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"nxdomain", "nodata", "sinkhole", "refuse"} {
		h, _ := newTestHandler(t, "on malicious "+rule)
		h.swap(func(s *snapshot) { s.overrides = overrides })
		for _, qtype := range []uint16{dns.TypeA, dns.TypeANY} {
			m := send(t, h, new(dns.Msg).SetQuestion(name, qtype).SetEdns0(100, true))
			packed, err := m.Pack()
			if err != nil || len(packed) > 512 || m.Truncated {
				t.Errorf("%s: %d bytes, truncated %t, %v", rule, len(packed), m.Truncated, err)
			}
			if opt := m.IsEdns0(); opt == nil || len(opt.Option[0].(*dns.EDNS0_EDE).ExtraText) != maxExtraText {
				t.Errorf("%s: additional %v", rule, m.Extra)
			}
			if records := len(m.Answer) + len(m.Ns); (records == 0) != (rule == "refuse") {
				t.Errorf("%s: %d records", rule, records)
			}
		}
	}
}

func TestOwnerOfOddNames(t *testing.T) {
	h, _ := newTestHandler(t, "on malicious nxdomain\ndeny blocked.example.org")
	for _, name := range []string{
		`a\.b.Blocked.Example.ORG.`, `\000\255\ .blocked.example.org.`, `"q";$.blocked.EXAMPLE.org.`, "blocked.example.org.",
	} {
		m := ask(t, h, name, dns.TypeA)
		if m.Rcode != dns.RcodeNameError || !strings.EqualFold(m.Ns[0].Header().Name, "example.org.") {
			t.Errorf("%s: %v", name, m)
		}
		if _, err := m.Pack(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRules(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain\non phishing refuse\non tunnel nodata")
	for name, want := range map[string]string{
		"evil.example.com.":  "nxdomain",
		"phish.example.com.": "refuse",
		"odd.example.com.":   "nodata",
		"fine.example.com.":  "observe",
	} {
		ask(t, h, name, dns.TypeA)
		if e := record.last(t); e.Action != want {
			t.Errorf("%s: %s, want %s", name, e.Action, want)
		}
	}
}

// TestOverrideActions: a person asked for it, whatever the rules observe.
func TestOverrideActions(t *testing.T) {
	blocked := ruling{Verdict: verdict.Verdict{Level: verdict.Malicious}, override: &policy.Override{Status: policy.Blocked}}
	honeypot := ruling{Verdict: verdict.Verdict{Level: verdict.Malicious}, override: &policy.Override{Status: policy.Honeypot}}
	trap := defaultSinkhole
	trap.ipv4 = trap.ipv4.Next()
	malicious := func(a action) *rules { r := &rules{}; r.levels[verdict.Malicious] = a; return r }
	scam := &rules{}
	scam.threats[verdict.Scam] = &trap
	tests := []struct {
		rules  *rules
		ruling ruling
		want   action
	}{
		{&rules{}, blocked, action{effect: nxdomain}},
		{malicious(action{effect: drop}), blocked, action{effect: drop}},
		{malicious(trap), blocked, trap},
		{&rules{}, honeypot, defaultSinkhole},
		{malicious(action{effect: drop}), honeypot, defaultSinkhole},
		{malicious(trap), honeypot, trap},
		{scam, honeypot, trap},
	}
	for i, test := range tests {
		if got := test.rules.follow(&test.ruling); got != test.want {
			t.Errorf("test %d: %+v, want %+v", i, got, test.want)
		}
	}
}

// TestOtherClasses: names of other classes are none of the public DNS.
func TestOtherClasses(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain")
	for class, want := range map[uint16]string{
		dns.ClassINET: "nxdomain", dns.ClassANY: "nxdomain", dns.ClassCHAOS: "observe", dns.ClassHESIOD: "observe",
	} {
		r := new(dns.Msg).SetQuestion("evil.example.com.", dns.TypeTXT)
		r.Question[0].Qclass = class
		send(t, h, r)
		if e := record.last(t); e.Action != want {
			t.Errorf("class %d: %s", class, e.Action)
		}
	}
}

// TestLargeBuffer has a client with room for everything.
func TestLargeBuffer(t *testing.T) {
	h, _ := newTestHandler(t, "on malicious sinkhole")
	w := dnstest.NewRecorder(&test.ResponseWriter{TCP: true})
	if _, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("evil.example.com.", dns.TypeANY)); err != nil {
		t.Fatal(err)
	}
	if len(w.Msg.Answer) != 2 || w.Msg.Truncated {
		t.Errorf("%v", w.Msg)
	}
}
