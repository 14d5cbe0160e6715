package mlplugin

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const pluginName = "mlplugin"

var log = clog.NewWithPlugin(pluginName)

// recorder is the part of events.Sender that queries need.
type recorder interface{ Record(*events.Event) }

// Handler judges queries and their answers.
type Handler struct {
	// Next is the plugin that answers what is not blocked.
	Next plugin.Handler
	// Zones are those whose names are judged.
	Zones plugin.Zones

	settings settings
	rules    rules
	hosts    []staticHosts

	snapshot atomic.Pointer[snapshot]
	swapping sync.Mutex // held by those who replace snapshot

	remote classifier // nil where verdicts are local
	sender recorder   // nil where no service is set

	counters sync.Map // of *counters by server
	stopping []func()
	watched  []*watched
}

// Name implements plugin.Handler.
func (h *Handler) Name() string { return pluginName }

// Ready implements ready.Readiness: verdicts can be given. It does not wait for the
// service, which nothing on the way of a query needs.
func (h *Handler) Ready() bool { return h.snapshot.Load() != nil }

// ServeDNS implements plugin.Handler.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if !h.serves(r) || ctx.Value(lookupKey{}) != nil {
		return plugin.NextOrFailure(h.Name(), h.Next, ctx, w, r)
	}
	q := h.begin(ctx, w, r)
	defer h.finish(q)
	q.decide(ctx)
	if q.action.effect == drop {
		return dns.RcodeSuccess, nil
	}
	if q.action.effect != observe {
		if m := q.blocked(w, r); m != nil {
			q.note(m)
			return dns.RcodeSuccess, w.WriteMsg(m)
		}
	}
	// Until the chain has returned, a panic in it is the server's to answer.
	q.rcode = dns.RcodeServerFailure
	rw := &responseWriter{ResponseWriter: w, ctx: ctx, query: q, request: r}
	code, err := plugin.NextOrFailure(h.Name(), h.Next, context.WithValue(ctx, lookupKey{}, true), rw, r)
	switch {
	case rw.written:
	case rw.swallowed || plugin.ClientWrite(code):
		q.rcode = nothingAnswered
	default: // the server answers in place of the chain
		q.rcode = code
	}
	return code, err
}

// lookupKey marks the context of what is looked up on behalf of a query, such as the
// target of an alias in a zone file: it is no query of a client, and it is judged as a
// part of the answer.
type lookupKey struct{}

// serves says whether the query is one to judge.
func (h *Handler) serves(r *dns.Msg) bool {
	if r.Opcode != dns.OpcodeQuery || len(r.Question) == 0 {
		return false
	}
	for _, zone := range h.Zones {
		if zone == "." || dns.IsSubDomain(zone, r.Question[0].Name) {
			return true
		}
	}
	return false
}

// swap puts another snapshot in force, for queries that come from now on.
func (h *Handler) swap(change func(*snapshot)) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	h.snapshot.Store(h.snapshot.Load().with(change))
}

// finish counts, logs and records the query. It runs after the answer is on its way.
func (h *Handler) finish(q *query) {
	if q.done.IsZero() {
		q.done = time.Now()
	}
	h.countersOf(q.server).count(q.ruling.Verdict)
	guard(func() {
		if q.ruling.flagged() {
			actionsTotal.WithLabelValues(q.server, q.action.effect.String()).Inc()
			q.alert()
		}
	})
	if h.sender == nil {
		return
	}
	e := q.event() // only complete events are recorded, yet each query is one
	h.sender.Record(&e)
}

// guard runs a part of our own code; a panic in it must not cost the client its answer.
func guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			panicsTotal.Inc()
			log.Errorf("recovered from %v: this is a fault of mlplugin, please report it", p)
		}
	}()
	f()
}

// begin takes down what the query is. Where metadata has asked about it before, it is
// the same query still.
func (h *Handler) begin(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) *query {
	q, ok := ctx.Value(queryKey{h}).(*query)
	if !ok {
		q = new(query)
	}
	if !ok || q.presentation != r.Question[0].Name { // rewrite may have been between
		*q = h.query(ctx, request.Request{W: w, Req: r})
	}
	return q
}

// query takes down what is asked, by whom and how.
func (h *Handler) query(ctx context.Context, state request.Request) query {
	server := metrics.WithServer(ctx)
	question := state.Req.Question[0]
	q := query{
		handler:      h,
		snapshot:     h.snapshot.Load(),
		start:        time.Now(),
		server:       server,
		presentation: question.Name,
		qtype:        question.Qtype,
		class:        question.Qclass,
		rcode:        nothingAnswered,
	}
	guard(func() { q.take(state.W.RemoteAddr()) })
	return q
}

// unjudged is the ruling on what has no name of the public DNS.
var unjudged = ruling{Verdict: verdict.Verdict{Source: verdict.Allowlist}, step: byAllow}
