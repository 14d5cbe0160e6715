package mlplugin

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
)

// nothingAnswered stands in an event for the rcode of a query that was dropped.
const nothingAnswered = -1

// queryKey is the key of a query in a context.
type queryKey struct{ handler *Handler }

// query is one query on its way through the plugin. One goroutine has it at a time.
type query struct {
	handler  *Handler
	snapshot *snapshot
	start    time.Time
	took     time.Duration // until the answer was written

	tally        *tally // of the server
	transport    string
	client       netip.Addr
	presentation string // the name as miekg/dns gives it
	name         string // the canonical name
	qtype, class uint16

	judged bool
	waited time.Duration // for the service's verdicts
	lookup lookup        // of the question's name
	domain int           // length of the registered domain, which the name ends with
	ruling ruling
	effect effect // what is done about it
	// subject is the name that the ruling is on, where tells of its place in the answer.
	subject, where string
	reason         string // filled in where the query is flagged and somebody asks

	rcode   int
	answers *events.Event // has the answers, nil where none were noted
}

// spareEvents are those that were recorded, which made copies of them; with room for answers.
var spareEvents = sync.Pool{New: func() any { return new(events.Event) }}

// take takes down who asks, how, and the canonical name.
func (q *query) take(address net.Addr) {
	q.transport, q.client = q.tally.transportOf(address), addressOf(address)
	q.name = qname.Canonical(q.presentation)
	q.subject = q.name
}

// transportOf tells what a query came over, from the server's address, such as
// tls://:853, and, for the plain transports, from the client's.
func (t *tally) transportOf(client net.Addr) string {
	if t.scheme != "" {
		return t.scheme
	}
	if _, ok := unwrap(client).(*net.TCPAddr); ok {
		return "tcp"
	}
	return "udp"
}

// unwrap gives the address inside one that the proxy protocol has added to.
func unwrap(address net.Addr) net.Addr {
	if w, ok := address.(interface{ Unwrap() net.Addr }); ok {
		if inner := w.Unwrap(); inner != nil {
			return inner
		}
	}
	return address
}

// addressOf gives the IP address, not valid where there is none.
func addressOf(address net.Addr) netip.Addr {
	var ip net.IP
	switch a := unwrap(address).(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.TCPAddr:
		ip = a.IP
	case nil:
	default:
		parsed, err := netip.ParseAddrPort(a.String())
		if err == nil {
			return parsed.Addr().Unmap().WithZone("")
		}
	}
	parsed, _ := netip.AddrFromSlice(ip)
	return parsed.Unmap()
}

// decide judges the question, once, and finds what is to be done. Where judging fails,
// the query goes on.
func (q *query) decide(ctx context.Context) {
	if q.judged {
		return
	}
	q.judged = true
	q.ruling = unjudged
	if q.class != dns.ClassINET && q.class != dns.ClassANY {
		return // the names of other classes are no names of the public DNS
	}
	defer rescue()
	q.ruling = q.rule(ctx, q.name)
	q.lookup = q.ruling.lookup
	if q.ruling.flagged() {
		q.follow()
	}
	q.domain = int(q.ruling.domain)
	if q.ruling.override != nil || q.domain == longDomain {
		q.domain = len(q.snapshot.model.Split(q.name).RegisteredDomain)
	}
}

// follow finds what is to be done.
//
//go:noinline
func (q *query) follow() { q.effect = q.handler.rules.follow(&q.ruling).effect }

// rule rules on a name for this query's client.
func (q *query) rule(ctx context.Context, name string) ruling {
	r := q.snapshot.judge(q.client, name, q.start)
	if q.snapshot.remote != nil && r.step == byModel {
		r = q.ask(ctx, name, r)
	}
	return r
}

// ask lets the service rule, in the time that is left.
//
//go:noinline
func (q *query) ask(ctx context.Context, name string, r ruling) ruling {
	// The question and all targets of its answer share the time that a query may wait.
	left := q.handler.settings.remoteTimeout - q.waited
	if left <= 0 {
		return r
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	r = q.snapshot.ask(ctx, q.handler.remote, name, r, q.start)
	q.waited += time.Since(begin)
	return r
}

// decideAnswer judges the answer and finds what is to be done with it.
func (q *query) decideAnswer(ctx context.Context, res *dns.Msg) {
	if q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR {
		return
	}
	defer rescue()
	j := answerJudge{ctx: ctx, query: q, worst: q.ruling, name: q.name}
	j.judge(res)
	if j.where != "" {
		q.ruling, q.subject, q.where = j.worst, j.name, j.where
		q.reason = ""
		q.follow()
	}
}

// blocked makes the answer that the action puts in place of the real one, nil where
// that fails.
func (q *query) blocked(w dns.ResponseWriter, r *dns.Msg) (m *dns.Msg) {
	guard(func() { m = q.handler.rules.follow(&q.ruling).reply(request.Request{W: w, Req: r}, q.owner(), q.why) })
	return m
}

// owner is where the SOA of a negative answer sits: the registered domain, as the
// question spells it.
func (q *query) owner() string {
	if q.domain == 0 {
		return q.presentation
	}
	at, _ := dns.PrevLabel(q.presentation, dns.CountLabel(q.registeredDomain()+"."))
	return q.presentation[at:]
}

// registeredDomain gives the end of the name that somebody registered, empty for none.
func (q *query) registeredDomain() string { return q.name[len(q.name)-q.domain:] }

// why gives the reason of a flagged query.
func (q *query) why() string {
	if q.reason == "" {
		q.reason = q.snapshot.reasonFor(q.subject, q.ruling, q.where)
	}
	return q.reason
}

// note takes down what is answered.
func (q *query) note(m *dns.Msg) {
	q.rcode = m.Rcode
	if q.handler.sender == nil {
		return
	}
	defer rescue()
	q.took = time.Since(q.start)
	if q.answers == nil {
		q.answers = spareEvents.Get().(*events.Event)
	}
	q.answers.Answers = appendAnswers(q.answers.Answers[:0], m)
}

// appendAnswers adds addresses and alias targets, as many as an event keeps.
func appendAnswers(answers []events.Answer, m *dns.Msg) []events.Answer {
	for _, record := range m.Answer {
		if len(answers) == events.MaxAnswers {
			break
		}
		var ip net.IP
		switch rr := record.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		case *dns.CNAME:
			answers = append(answers, events.Answer{Name: qname.Canonical(rr.Target)})
			continue
		case *dns.DNAME:
			answers = append(answers, events.Answer{Name: qname.Canonical(rr.Target)})
			continue
		}
		if address, ok := netip.AddrFromSlice(ip); ok {
			answers = append(answers, events.Answer{Address: address.Unmap()})
		}
	}
	return answers
}

// event gives what the history keeps of the query.
func (q *query) event() *events.Event {
	e := q.answers
	if e == nil {
		e = spareEvents.Get().(*events.Event)
		e.Answers = e.Answers[:0]
	}
	*e = events.Event{
		Time:      q.start,
		Client:    q.client,
		Transport: q.transport,
		QName:     q.name,
		QType:     q.qtype,
		Rcode:     q.rcode,
		Answers:   e.Answers,
		Duration:  q.took,
		Verdict:   q.ruling.Verdict,
		Model:     q.snapshot.model.Version(),
		Action:    q.effect.String(),
	}
	q.answers = nil
	guard(func() {
		e.RegisteredDomain = q.registeredDomain()
		if q.ruling.flagged() {
			e.Reason = q.why()
		}
		if q.ruling.disputed {
			e.Shadow = q.snapshot.shadow.opinion(q.subject)
		}
	})
	return e
}
