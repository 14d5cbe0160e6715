package mlplugin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// fakeModel knows a few names; names of which it has never heard are benign.
type fakeModel struct {
	version  string
	verdicts map[string]verdict.Verdict
	panics   bool
}

var (
	evil  = verdict.Verdict{Level: verdict.Malicious, Threat: verdict.DGA, Source: verdict.Model, Score: 41.25}
	phish = verdict.Verdict{Level: verdict.Malicious, Threat: verdict.Phishing, Source: verdict.Model, Score: 38}
	odd   = verdict.Verdict{Level: verdict.Suspicious, Threat: verdict.Tunnel, Source: verdict.Model, Score: 31.5}
)

func newFakeModel() *fakeModel {
	return &fakeModel{version: "1.0.0", verdicts: map[string]verdict.Verdict{
		"evil.example.com":   evil,
		"phish.example.com":  phish,
		"odd.example.com":    odd,
		"famous.example.com": {Source: verdict.Reputation},
		"printer.local":      {Source: verdict.Allowlist},
		`a"b\010.evil.net`:   evil,
	}}
}

func (m *fakeModel) Version() string { return m.version }
func (m *fakeModel) SHA256() string  { return "00" + m.version }
func (m *fakeModel) Judge(name string) verdict.Verdict {
	if m.panics {
		panic("a fault")
	}
	if v, ok := m.verdicts[name]; ok {
		return v
	}
	return verdict.Verdict{Source: verdict.Model, Score: 1}
}

func (m *fakeModel) JudgeAndSplit(name string) (verdict.Verdict, string) {
	return m.Judge(name), m.Split(name).RegisteredDomain
}

func (m *fakeModel) Explain(string, verdict.Verdict) []verdict.Reason {
	return []verdict.Reason{
		{Kind: "ngram", Text: "label:^ev", Weight: 2.5}, {Kind: "ngram", Text: "label:il$", Weight: -1},
		{Kind: "suffix", Text: "com", Weight: 0.5}, {Kind: "rest", Text: "rest", Weight: 9},
	}
}

func (m *fakeModel) Split(name string) model.Parts {
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return model.Parts{}
	}
	return model.Parts{RegisteredDomain: strings.Join(labels[len(labels)-2:], ".")}
}

// recording keeps the events it is given.
type recording struct {
	sync.Mutex
	events []events.Event
}

func (r *recording) Record(e *events.Event) {
	r.Lock()
	defer r.Unlock()
	kept := *e
	kept.Answers = slices.Clone(e.Answers)
	r.events = append(r.events, kept)
}

// last gives the last event.
func (r *recording) last(t *testing.T) events.Event {
	t.Helper()
	r.Lock()
	defer r.Unlock()
	if len(r.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	return r.events[len(r.events)-1]
}

// newTestHandler makes a handler from the block of a Corefile, with a fake model and a
// next plugin that answers.
func newTestHandler(t testing.TB, block string, answers ...dns.RR) (*Handler, *recording) {
	t.Helper()
	c := caddy.NewTestController("dns", "mlplugin {\n"+block+"\n}")
	c.ServerBlockKeys = []string{"."}
	s, err := parse(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(s)
	if err != nil {
		t.Fatal(err)
	}
	h.swap(func(s *snapshot) { s.model = newFakeModel() })
	h.Next = answering(answers...)
	record := &recording{}
	h.sender = record
	return h, record
}

// answering is a plugin that answers every query with the records.
func answering(answers ...dns.RR) plugin.Handler {
	return test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		m := new(dns.Msg).SetReply(r)
		m.Answer = answers
		return dns.RcodeSuccess, w.WriteMsg(m)
	})
}

// ask sends a query through the handler and gives what the client gets, nil for nothing.
func ask(t *testing.T, h *Handler, name string, qtype uint16) *dns.Msg {
	t.Helper()
	return send(t, h, new(dns.Msg).SetQuestion(name, qtype))
}

func send(t *testing.T, h *Handler, r *dns.Msg) *dns.Msg {
	t.Helper()
	w := dnstest.NewRecorder(&test.ResponseWriter{RemoteIP: "192.0.2.1"})
	code, err := h.ServeDNS(t.Context(), w, r)
	if err != nil || !plugin.ClientWrite(code) {
		t.Fatalf("%s: rcode %d, %v", r.Question[0].Name, code, err)
	}
	return w.Msg
}

// newQueryOf is a query for the addresses of a name, not yet judged.
func newQueryOf(t testing.TB, h *Handler, name string) *query {
	q := new(query)
	h.takeDown(t.Context(), q, &test.ResponseWriter{RemoteIP: "192.0.2.1"}, new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA))
	return q
}
