package mlplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/file"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/plugin/ready"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

var _ ready.Readiness = (*Handler)(nil)

// TestOrderOfJudgement: the first step that knows decides.
func TestOrderOfJudgement(t *testing.T) {
	h, _ := newTestHandler(t, "allow a.listed.example.com\ndeny listed.example.com famous.example.com x.own.example.com printer.local")
	overrides, err := policy.ParseOverrides([]byte(`{"overrides": [
		{"name": "good.listed.example.com", "status": "benign"},
		{"name": "trap.example.com", "status": "honeypot"},
		{"name": "b.a.listed.example.com", "status": "blocked"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	h.swap(func(s *snapshot) { s.overrides, s.ownZones = overrides, newZoneSet("own.example.com.", ".") })
	tests := map[string]struct {
		step  step
		level verdict.Level
	}{
		"good.listed.example.com":    {byOverride, verdict.Benign},
		"w.good.listed.example.com":  {byOverride, verdict.Benign},
		"trap.example.com":           {byOverride, verdict.Malicious},
		"b.a.listed.example.com":     {byOverride, verdict.Malicious},
		"a.listed.example.com":       {byAllow, verdict.Benign},
		"c.a.listed.example.com":     {byAllow, verdict.Benign},
		"listed.example.com":         {byDeny, verdict.Malicious},
		"famous.example.com":         {byDeny, verdict.Malicious},
		"printer.local":              {byDeny, verdict.Malicious},
		"x.own.example.com":          {byDeny, verdict.Malicious},
		"own.example.com":            {byOwnZone, verdict.Benign},
		"xkcdqz.own.example.com":     {byOwnZone, verdict.Benign},
		"notown.example.com":         {byModel, verdict.Benign},
		`xkcdqz\.own.example.com`:    {byModel, verdict.Benign},
		"evil.example.com":           {byModel, verdict.Malicious},
		"odd.example.com":            {byModel, verdict.Suspicious},
		"something-else.example.org": {byModel, verdict.Benign},
	}
	for range 2 { // anew, and from the cache
		for name, want := range tests {
			q := newQueryOf(t, h, name)
			if got := q.rule(t.Context(), name); got.step != want.step || got.Level != want.level {
				t.Errorf("%s: step %d, level %s", name, got.step, got.Level)
			}
		}
	}
}

// TestChain: what the rest of the chain does is neither changed nor forgotten.
func TestChain(t *testing.T) {
	fault := errors.New("no upstream")
	tests := []struct {
		next plugin.Handler
		code int
		err  error
		want int
	}{
		{test.NextHandler(dns.RcodeServerFailure, fault), dns.RcodeServerFailure, fault, dns.RcodeServerFailure},
		{test.NextHandler(dns.RcodeRefused, nil), dns.RcodeRefused, nil, dns.RcodeRefused},
		{test.NextHandler(dns.RcodeSuccess, nil), dns.RcodeSuccess, nil, -1},
		{test.ErrorHandler(), dns.RcodeServerFailure, nil, dns.RcodeServerFailure},
		{answering(), dns.RcodeSuccess, nil, dns.RcodeSuccess},
	}
	for i, c := range tests {
		h, record := newTestHandler(t, "on malicious nxdomain")
		h.Next = c.next
		w := dnstest.NewRecorder(&test.ResponseWriter{})
		code, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
		if code != c.code || !errors.Is(err, c.err) {
			t.Errorf("test %d: code %d, %v", i, code, err)
		}
		if e := record.last(t); e.Rcode != c.want {
			t.Errorf("test %d: recorded rcode %d, want %d", i, e.Rcode, c.want)
		}
	}
}

// TestPanicOfTheChain: it is the server's, and the query is counted all the same.
func TestPanicOfTheChain(t *testing.T) {
	h, record := newTestHandler(t, "")
	h.Next = test.HandlerFunc(func(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) { panic("theirs") })
	func() {
		defer func() {
			if p := recover(); p != "theirs" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = h.ServeDNS(t.Context(), &test.ResponseWriter{}, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	}()
	if e := record.last(t); e.Rcode != dns.RcodeServerFailure {
		t.Errorf("event %+v", e)
	}
}

// TestOwnPanics: they never cost a client its answer.
func TestOwnPanics(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain", test.CNAME("www.example.com. 60 IN CNAME other.example.com."))
	broken := newFakeModel()
	broken.panics = true
	h.swap(func(s *snapshot) { s.model = broken })
	before := testutil.ToFloat64(panicsTotal)
	if m := ask(t, h, "www.example.com.", dns.TypeA); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 {
		t.Errorf("answer %v", m)
	}
	if got := testutil.ToFloat64(panicsTotal) - before; got < 1 {
		t.Errorf("%v panics counted", got)
	}
	if len(record.events) != 1 {
		t.Errorf("%d events", len(record.events))
	}
}

// TestWhatIsNotJudged goes past: other zones, other opcodes, lookups inside a query.
func TestWhatIsNotJudged(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain", test.A("evil.example.com. 60 IN A 192.0.2.1"))
	notify := new(dns.Msg).SetQuestion("evil.example.com.", dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	if m := send(t, h, notify); m.Rcode != dns.RcodeSuccess {
		t.Errorf("notify: %v", m)
	}
	h.Zones = plugin.Zones{"example.org."}
	if m := ask(t, h, "evil.example.com.", dns.TypeA); m.Rcode != dns.RcodeSuccess {
		t.Errorf("other zone: %v", m)
	}
	h.Zones = plugin.Zones{"example.org.", "Example.com."}
	inner := h.Next
	h.Next = test.HandlerFunc(func(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		h.Next = inner // what a zone file does to find the target of an alias
		return h.ServeDNS(ctx, w, new(dns.Msg).SetQuestion("evil.example.com.", dns.TypeA))
	})
	if m := ask(t, h, "www.example.com.", dns.TypeA); m.Rcode != dns.RcodeSuccess {
		t.Errorf("lookup: %v", m)
	}
	if len(record.events) != 1 || record.events[0].QName != "www.example.com" {
		t.Errorf("events %+v", record.events)
	}
}

// TestCounters: queries_total is the number of events, and verdicts add up to it.
func TestCounters(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain\non phishing drop")
	server := fmt.Sprintf("dns://:%s-%p", t.Name(), h) // no other test's, and no other run's
	ctx := context.WithValue(t.Context(), dnsserver.Key{}, &dnsserver.Server{Addr: server})
	names := []string{"evil.example.com.", "phish.example.com.", "odd.example.com.", "www.example.com.", "www.example.com."}
	for _, name := range names {
		w := dnstest.NewRecorder(&test.ResponseWriter{})
		if _, err := h.ServeDNS(ctx, w, new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
			t.Fatal(err)
		}
	}
	served, verdicts := tallied(t, server)
	if got := served; int(got) != len(record.events) || len(record.events) != len(names) {
		t.Errorf("%v queries, %d events", got, len(record.events))
	}
	for labels, want := range map[[3]string]float64{
		{"malicious", "dga", "model"}: 1, {"malicious", "phishing", "model"}: 1,
		{"suspicious", "tunnel", "model"}: 1, {"benign", "", "model"}: 2,
	} {
		if got := verdicts[labels]; got != want {
			t.Errorf("%v: %v", labels, got)
		}
	}
	for action, want := range map[string]float64{"nxdomain": 1, "drop": 1, "observe": 1} {
		if got := testutil.ToFloat64(actionsTotal.WithLabelValues(server, action)); got != want {
			t.Errorf("%s: %v", action, got)
		}
	}
}

// tallied reads the metrics of a server: its queries, and by verdict, threat and source.
func tallied(t *testing.T, server string) (served float64, verdicts map[[3]string]float64) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	verdicts = map[[3]string]float64{}
	for _, family := range families {
		for _, metric := range family.Metric {
			labels := map[string]string{}
			for _, pair := range metric.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			switch {
			case labels["server"] != server:
			case family.GetName() == "coredns_mlplugin_queries_total":
				served = metric.Counter.GetValue()
			case family.GetName() == "coredns_mlplugin_verdicts_total":
				verdicts[[3]string{labels["verdict"], labels["threat"], labels["source"]}] = metric.Counter.GetValue()
			}
		}
	}
	return served, verdicts
}

// lookedUp reads the metrics of the cache of verdicts.
func lookedUp(t *testing.T) (hits, misses float64) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		switch family.GetName() {
		case "coredns_mlplugin_cache_hits_total":
			hits = family.Metric[0].Counter.GetValue()
		case "coredns_mlplugin_cache_misses_total":
			misses = family.Metric[0].Counter.GetValue()
		}
	}
	return hits, misses
}

// TestLookups: names of questions and names within answers are counted, each once.
func TestLookups(t *testing.T) {
	h, _ := newTestHandler(t, "", test.CNAME("www.example.com. 60 IN CNAME b.example.com."))
	hits, misses := lookedUp(t)
	for range 3 {
		ask(t, h, "www.example.com.", dns.TypeA)
	}
	if nowHits, nowMisses := lookedUp(t); nowHits-hits != 4 || nowMisses-misses != 2 {
		t.Errorf("%v hits, %v misses", nowHits-hits, nowMisses-misses)
	}
}

func TestEvent(t *testing.T) {
	h, record := newTestHandler(t, "",
		test.CNAME("WWW.Example.com. 60 IN CNAME b.Example.com."), test.A("b.example.com. 60 IN A 198.51.100.2"),
		test.A("b.example.com. 60 IN A 198.51.100.1"), test.AAAA("b.example.com. 60 IN AAAA 2001:db8::1"),
		test.TXT("b.example.com. 60 IN TXT no"))
	ask(t, h, "WWW.Example.com.", dns.TypeANY)
	e := record.last(t)
	if e.QName != "www.example.com" || e.RegisteredDomain != "example.com" || e.QType != dns.TypeANY || e.Client.String() != "192.0.2.1" ||
		e.Transport != "udp" || e.Model != "1.0.0" || e.Action != "observe" || e.Reason != "" || e.Duration <= 0 || e.Time.IsZero() {
		t.Errorf("event %+v", e)
	}
	want := []events.Answer{{Name: "b.example.com"}, address("198.51.100.2"), address("198.51.100.1"), address("2001:db8::1")}
	if got := e.Answers; !slices.Equal(got, want) {
		t.Errorf("answers %v", got)
	}
	var many []dns.RR
	for i := range events.MaxAnswers + 5 {
		many = append(many, test.A(fmt.Sprintf("b.example.com. 60 IN A 198.51.100.%d", 60-i)))
	}
	h.Next = answering(many...)
	ask(t, h, "www.example.com.", dns.TypeA)
	if e := record.last(t); len(e.Answers) != events.MaxAnswers || e.Answers[0] != address("198.51.100.60") {
		t.Errorf("answers %v", e.Answers)
	}
}

// wrapped is an address as the proxy protocol gives it.
type wrapped struct{ net.Addr }

func (w wrapped) Unwrap() net.Addr { return w.Addr }

func TestTransportAndClient(t *testing.T) {
	udp := &net.UDPAddr{IP: net.ParseIP("192.0.2.1"), Port: 5}
	tcp := &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 5}
	tests := []struct {
		server    string
		address   net.Addr
		transport string
		client    string
	}{
		{"dns://:53", udp, "udp", "192.0.2.1"},
		{"dns://127.0.0.1:53", tcp, "tcp", "2001:db8::1"},
		{"dns://:53", wrapped{tcp}, "tcp", "2001:db8::1"},
		{"tls://:853", tcp, "tls", "2001:db8::1"},
		{"https://:443", tcp, "https", "2001:db8::1"},
		{"https3://:443", udp, "https3", "192.0.2.1"},
		{"quic://:853", udp, "quic", "192.0.2.1"},
		{"grpc://:443", tcp, "grpc", "2001:db8::1"},
		{"", udp, "udp", "192.0.2.1"},
		{"dns://:53", &net.UnixAddr{Name: "x"}, "udp", "invalid IP"},
		{"dns://:53", nil, "udp", "invalid IP"},
	}
	h := new(Handler)
	for _, c := range tests {
		if got := h.tallyOf(c.server).transportOf(c.address); got != c.transport {
			t.Errorf("%s %v: transport %s", c.server, c.address, got)
		}
		if got := addressOf(c.address).String(); got != c.client {
			t.Errorf("%s %v: client %s", c.server, c.address, got)
		}
	}
}

// chained is a plugin with a next one.
type chained struct {
	test.Handler
	Next plugin.Handler
}

func TestNeighbours(t *testing.T) {
	static := fakeHosts{answering()}
	zones := file.File{Zones: file.Zones{Names: []string{"a.example.org.", "."}}, Next: static}
	found, hosts := neighbours(&chained{Handler: answering(), Next: zones})
	if strings.Join(found, " ") != "a.example.org. ." || len(hosts) != 1 {
		t.Errorf("zones %v, hosts %v", found, hosts)
	}
	if found, hosts := neighbours(nil); found != nil || hosts != nil {
		t.Errorf("zones %v, hosts %v", found, hosts)
	}
	if found, _ := neighbours(chained{Handler: answering(), Next: (*chained)(nil)}); found != nil {
		t.Errorf("zones %v", found)
	}
}

// BenchmarkServeDNS is a whole query whose verdict is in the cache, with its event; the
// rest of the chain and the client cost next to nothing.
func BenchmarkServeDNS(b *testing.B) {
	for name, qname := range map[string]string{"benign": "www.example.com.", "blocked": "listed.example.net."} {
		b.Run(name, func(b *testing.B) {
			h, _ := newTestHandler(b, "on malicious nxdomain\ndeny listed.example.net", test.A("www.example.com. 60 IN A 198.51.100.1"))
			h.sender = forgetting{}
			clog.SetOutput(io.Discard)
			defer clog.SetOutput(os.Stderr)
			r := new(dns.Msg).SetQuestion(qname, dns.TypeA)
			ctx := context.WithValue(b.Context(), dnsserver.Key{}, &dnsserver.Server{Addr: "dns://:53"})
			w := &counting{}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.ServeDNS(ctx, w, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// forgetting is a sender that keeps nothing.
type forgetting struct{}

func (forgetting) Record(*events.Event) {}

// address is an answer.
func address(text string) events.Answer { return events.Answer{Address: netip.MustParseAddr(text)} }
