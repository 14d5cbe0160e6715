package mlplugin

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
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
	done     time.Time // when the answer was written

	server       string // address of the server, as metrics have it
	transport    string
	client       netip.Addr
	presentation string // the name as miekg/dns gives it
	name         string // the canonical name
	qtype, class uint16

	judged bool
	waited time.Duration // for the service's verdicts
	ruling ruling
	action action
	// subject is the name that the ruling is on, where tells of its place in the answer.
	subject, where string
	reason         string // filled in where the query is flagged and somebody asks

	rcode   int
	answers []string
}

// take takes down who asks, how, and the canonical name.
func (q *query) take(address net.Addr) {
	q.transport, q.client = transportOf(q.server, address), addressOf(address)
	q.name = qname.Canonical(q.presentation)
	q.subject = q.name
}

// transportOf tells what the query came over, from the server's address, such as
// tls://:853, and, for the plain transports, from the client's.
func transportOf(server string, client net.Addr) string {
	scheme, _, ok := strings.Cut(server, "://")
	if ok && scheme != "dns" {
		return scheme
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
	guard(func() {
		q.ruling = q.rule(ctx, q.name)
		q.action = q.handler.rules.follow(q.ruling)
	})
}

// rule rules on a name for this query's client.
func (q *query) rule(ctx context.Context, name string) ruling {
	r := q.snapshot.judge(q.client, name, q.start)
	if q.snapshot.remote == nil || r.step != byModel {
		return r
	}
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
	guard(func() {
		found := q.judgeAnswer(res, func(name string) ruling { return q.rule(ctx, name) })
		if found.where == "" {
			return
		}
		q.ruling, q.subject, q.where = found.worst, found.name, found.where
		q.reason = ""
		q.action = q.handler.rules.follow(q.ruling)
	})
}

// blocked makes the answer that the action puts in place of the real one, nil where
// that fails.
func (q *query) blocked(w dns.ResponseWriter, r *dns.Msg) (m *dns.Msg) {
	guard(func() { m = q.action.reply(request.Request{W: w, Req: r}, q.owner(), q.why()) })
	return m
}

// owner is where the SOA of a negative answer sits: the registered domain, as the
// question spells it.
func (q *query) owner() string {
	domain := q.snapshot.model.Split(q.name).RegisteredDomain
	if domain == "" {
		return q.presentation
	}
	at, _ := dns.PrevLabel(q.presentation, dns.CountLabel(domain+"."))
	return q.presentation[at:]
}

// why gives the reason of a flagged query.
func (q *query) why() string {
	if q.reason == "" {
		q.reason = q.snapshot.reasonFor(q.subject, q.ruling, q.where)
	}
	return q.reason
}

// note takes down what is answered.
func (q *query) note(m *dns.Msg) {
	q.done = time.Now()
	q.rcode = m.Rcode
	if q.handler.sender != nil {
		guard(func() { q.answers = answersOf(m) })
	}
}

// maxAnswers is how many answers an event carries.
const maxAnswers = 8

// answersOf gives addresses and alias targets, sorted, the first few of them.
func answersOf(m *dns.Msg) []string {
	var answers []string
	for _, record := range m.Answer {
		switch rr := record.(type) {
		case *dns.A:
			answers = append(answers, rr.A.String())
		case *dns.AAAA:
			answers = append(answers, rr.AAAA.String())
		case *dns.CNAME:
			answers = append(answers, qname.Canonical(rr.Target))
		case *dns.DNAME:
			answers = append(answers, qname.Canonical(rr.Target))
		}
	}
	slices.Sort(answers)
	return answers[:min(len(answers), maxAnswers)]
}

// event gives what the history keeps of the query.
func (q *query) event() events.Event {
	e := events.Event{
		Time:      q.start,
		Client:    q.client,
		Transport: q.transport,
		QName:     q.name,
		QType:     q.qtype,
		Rcode:     q.rcode,
		Answers:   q.answers,
		Duration:  q.done.Sub(q.start),
		Verdict:   q.ruling.Verdict,
		Model:     q.snapshot.model.Version(),
		Action:    q.action.effect.String(),
	}
	guard(func() {
		e.RegisteredDomain = q.snapshot.model.Split(q.name).RegisteredDomain
		if q.ruling.flagged() {
			e.Reason = q.why()
		}
	})
	return e
}
