package mlplugin

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// client is a writer that costs nothing.
type client struct {
	test.ResponseWriter
	address net.Addr
}

func newClient() *client {
	return &client{address: net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:4242"))}
}

func (c *client) RemoteAddr() net.Addr    { return c.address }
func (c *client) WriteMsg(*dns.Msg) error { return nil }

// cached is a plugin that answers with a message it has.
func cached(answers ...dns.RR) plugin.Handler {
	m := &dns.Msg{Answer: answers}
	return test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, _ *dns.Msg) (int, error) {
		return dns.RcodeSuccess, w.WriteMsg(m)
	})
}

// usual is what most answers look like.
var usual = []dns.RR{
	test.CNAME("www.example.com. 60 IN CNAME www.cdn.example.com."),
	test.A("www.cdn.example.com. 60 IN A 198.51.100.1"), test.A("www.cdn.example.com. 60 IN A 198.51.100.2"),
}

func serverContext(tb testing.TB) context.Context {
	return context.WithValue(tb.Context(), dnsserver.Key{}, &dnsserver.Server{Addr: "dns://:53"})
}

// TestAllocationsOfAQuery: a query whose verdict is known takes one piece of memory more than it
// takes without the plugin, and so it does with its event.
func TestAllocationsOfAQuery(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool forgets things on purpose here; tests/quality/test_go.py runs it without")
	}
	h, _ := newTestHandler(t, "")
	h.Next = cached(usual...)
	r, w, ctx := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA), newClient(), serverContext(t)
	bare := testing.AllocsPerRun(1000, func() { _, _ = plugin.NextOrFailure("", h.Next, ctx, w, r) })
	for name, to := range map[string]recorder{"verdict": nil, "verdict and event": forgetting{}} {
		h.sender = to
		ours := testing.AllocsPerRun(1000, func() { _, _ = h.ServeDNS(ctx, w, r) })
		if ours > bare+1 {
			t.Errorf("%s: %v allocations, %v without the plugin", name, ours, bare)
		}
	}
}

// BenchmarkQuery is what the plugin adds to a query whose verdict is in the cache, beside the
// chain without it.
func BenchmarkQuery(b *testing.B) {
	sender, err := events.New(events.Config{URL: "http://127.0.0.1:1", Sensor: "benchmark", QueueEvents: 1})
	if err != nil {
		b.Fatal(err)
	}
	h, _ := newTestHandler(b, "")
	h.Next = cached(usual...)
	m, err := loadModel(settings{})
	if err != nil {
		b.Fatal(err)
	}
	h.swap(func(s *snapshot) { s.model = m })
	r, w, ctx := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA), newClient(), serverContext(b)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = plugin.NextOrFailure("", h.Next, ctx, w, r)
		}
	})
	for name, to := range map[string]recorder{"verdict": nil, "events": sender} {
		b.Run(name, func(b *testing.B) {
			h.sender = to
			b.ReportAllocs()
			for b.Loop() {
				_, _ = h.ServeDNS(ctx, w, r)
			}
		})
	}
}

// working counts what the model is asked to do.
type working struct {
	*fakeModel
	judged, split, explained int
}

func (m *working) JudgeAndSplit(name string) (verdict.Verdict, string) {
	m.judged++
	return m.fakeModel.JudgeAndSplit(name)
}

func (m *working) Split(name string) model.Parts {
	m.split++
	return m.fakeModel.Split(name)
}

func (m *working) Explain(name string, v verdict.Verdict) []verdict.Reason {
	m.explained++
	return m.fakeModel.Explain(name, v)
}

// TestWorkOfAQuery: each name of question and answer is judged once, whoever asks how often, and
// nothing is worked out that nobody has asked for.
func TestWorkOfAQuery(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain", usual...)
	m := &working{fakeModel: newFakeModel()}
	h.swap(func(s *snapshot) { s.model = m })
	for range 10 {
		ask(t, h, "www.example.com.", dns.TypeA)
	}
	if m.judged != 2 || m.split != 0 || m.explained != 0 {
		t.Errorf("judged %d times, split %d times, explained %d times", m.judged, m.split, m.explained)
	}
	h.sender = nil
	for range 10 { // without EDNS nobody can be told; the log is
		ask(t, h, "evil.example.com.", dns.TypeA)
	}
	if m.judged != 3 || m.split != 0 || m.explained != 1 {
		t.Errorf("judged %d times, split %d times, explained %d times", m.judged, m.split, m.explained)
	}
	if len(record.events) != 10 {
		t.Errorf("%d events", len(record.events))
	}
}

// TestServersTakeTurns: a handler that serves several servers makes nothing for each query.
func TestServersTakeTurns(t *testing.T) {
	h, _ := newTestHandler(t, "")
	servers := []string{"dns://:53", "tls://:853"}
	turn := 0
	if n := testing.AllocsPerRun(100, func() { turn++; h.tallyOf(servers[turn%2]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := h.tallyOf("tls://:853"); got.scheme != "tls" || got.server != "tls://:853" {
		t.Errorf("tally of %q, scheme %q", got.server, got.scheme)
	}
}

// TestAnswersDoNotComeBack: an event that is used again holds nothing of another client's.
func TestAnswersDoNotComeBack(t *testing.T) {
	h, _ := newTestHandler(t, "")
	h.sender = forgetting{}
	h.Next = cached(usual...)
	for range 100 {
		_, _ = h.ServeDNS(serverContext(t), newClient(), new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	}
	for range 100 {
		e := spareEvents.Get().(*events.Event)
		if rest := e.Answers[:cap(e.Answers)]; len(e.Answers) != 0 || slices.ContainsFunc(rest, func(a events.Answer) bool { return a != events.Answer{} }) {
			t.Fatalf("%v of %v", e.Answers, rest)
		}
	}
}
