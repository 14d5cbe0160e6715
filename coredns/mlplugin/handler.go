package mlplugin

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/miekg/dns"
	ot "github.com/opentracing/opentracing-go"

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

	tally    atomic.Pointer[tally] // of the server that asked last; most handlers serve one
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
	p := h.begin(ctx, w, r)
	if p == nil {
		return h.pass(ctx, w, r)
	}
	defer p.finish()
	if p.writer.query.effect != observe && p.block() {
		return dns.RcodeSuccess, p.fault
	}
	return p.close(p.next.ServeDNS(&p.below, &p.writer, r))
}

// The stack. A query over UDP has a goroutine of its own, whose stack of 2 KB grows to 4 KB
// before any plugin is asked. The cache and all that it calls, down to the write, just fit into
// that. Any plugin above it takes room of theirs, and then the stack grows once more, deep
// down, which costs more than ten times what this plugin does for a name that it knows. So
// little is kept on the stack while others work: what is seldom needed in ServeDNS is in
// functions that are not inlined. And the answer is judged and written when the cache's
// frames are off the stack again.

// pass lets the query go on as if there were no plugin.
//
//go:noinline
func (h *Handler) pass(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
}

// passage is all that one query needs on its way through the plugin, in one piece of memory.
// Plugins further down may keep the writer and the context for longer than the query takes,
// so that no other query ever gets it.
type passage struct {
	query  query // unless metadata has made one
	writer responseWriter
	below  belowContext
	next   plugin.Handler
	fault  error // of writing the answer of a blocked query
}

// block answers as the policy says, where it can; it says whether the query goes no further.
//
//go:noinline
func (p *passage) block() bool {
	q := p.writer.query
	if q.effect == drop {
		q.rcode = nothingAnswered
		return true
	}
	m := q.blocked(p.writer.ResponseWriter, p.writer.request)
	if m == nil {
		return false
	}
	q.note(m)
	p.fault = p.writer.ResponseWriter.WriteMsg(m)
	return true
}

// traced is the next plugin where a trace follows the query.
type traced struct{ *Handler }

// ServeDNS implements plugin.Handler.
func (t traced) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return t.pass(ctx, w, r)
}

// chain gives the next plugin. Without a trace, what NextOrFailure does has no effect: it
// wraps a writer that tells ours who writes, which ours does not ask.
func (h *Handler) chain(ctx context.Context) plugin.Handler {
	if h.Next == nil || ot.SpanFromContext(ctx) != nil {
		return traced{h}
	}
	return h.Next
}

// close writes the answer that waits and takes down how the chain has ended. That a client
// could not be written to is no fault of the query: plugins that answer do not tell of it either.
//
//go:noinline
func (p *passage) close(code int, err error) (int, error) {
	_ = p.writer.flush()
	switch {
	case p.writer.written:
	case p.writer.swallowed: // and the server is not to answer instead
		p.writer.query.rcode = nothingAnswered
		return dns.RcodeSuccess, err
	case plugin.ClientWrite(code):
		p.writer.query.rcode = nothingAnswered
	default: // the server answers in place of the chain
		p.writer.query.rcode = code
	}
	return code, err
}

// belowContext is the context of the plugins further down; it has lookupKey.
type belowContext struct{ context.Context }

// Value implements context.Context.
func (c *belowContext) Value(key any) any {
	if key == (lookupKey{}) {
		return true
	}
	return c.Context.Value(key)
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
//
//go:noinline
func (p *passage) finish() {
	q := p.writer.query
	h := q.handler
	q.tally.count(q.lookup, q.ruling.Verdict)
	if q.took == 0 && (h.sender != nil || q.ruling.flagged()) {
		q.took = time.Since(q.start)
	}
	if q.ruling.flagged() {
		guard(func() {
			actionsTotal.WithLabelValues(q.tally.server, q.effect.String()).Inc()
			q.alert()
		})
	}
	if h.sender == nil {
		return
	}
	e := q.event() // only complete events are recorded, yet each query is one
	h.sender.Record(e)
	clear(e.Answers) // what another client was answered must not come back
	e.Answers = e.Answers[:0]
	spareEvents.Put(e)
}

// guard runs a part of our own code; a panic in it must not cost the client its answer.
func guard(f func()) {
	defer rescue()
	f()
}

// rescue is to be deferred.
func rescue() {
	if p := recover(); p != nil {
		panicsTotal.Inc()
		log.Errorf("recovered from %v: this is a fault of mlplugin, please report it", p)
	}
}

// begin takes down what the query is and judges it; it gives nil for a query that is not to be
// judged. Where metadata has asked about it before, it is the same
// query still.
//
//go:noinline
func (h *Handler) begin(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) *passage {
	if !h.serves(r) || ctx.Value(lookupKey{}) != nil {
		return nil
	}
	p := &passage{next: h.chain(ctx)}
	q, ok := ctx.Value(queryKey{h}).(*query)
	if !ok {
		q = &p.query
	}
	if !ok || q.presentation != r.Question[0].Name { // rewrite may have been between
		if ok {
			*q = query{}
		}
		h.takeDown(ctx, q, w, r)
	}
	p.writer.ResponseWriter, p.writer.ctx, p.writer.query, p.writer.request = w, ctx, q, r
	p.writer.waits = q.transport == "udp" && q.qtype != dns.TypeAXFR && q.qtype != dns.TypeIXFR
	p.below.Context = ctx
	q.decide(ctx)
	// Until the chain has returned, a panic in it is the server's to answer.
	q.rcode = dns.RcodeServerFailure
	return p
}

// takeDown takes down, in a query that is all zero, what is asked, by whom and how.
func (h *Handler) takeDown(ctx context.Context, q *query, w dns.ResponseWriter, r *dns.Msg) {
	question := &r.Question[0]
	q.handler, q.snapshot = h, h.snapshot.Load()
	q.start = time.Now()
	q.tally = h.tallyOf(metrics.WithServer(ctx))
	q.presentation = question.Name
	q.qtype, q.class = question.Qtype, question.Qclass
	q.rcode = nothingAnswered
	defer rescue()
	q.take(w.RemoteAddr())
}

// unjudged is the ruling on what has no name of the public DNS.
var unjudged = ruling{Verdict: verdict.Verdict{Source: verdict.Allowlist}, step: byAllow}
