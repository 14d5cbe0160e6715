// Package events carries what was asked and how it was judged from the query path to
// the service: a bounded queue that never makes a query wait, batches, retries without
// doubles, and a spool on disk that bridges outages. docs/protocol.md says what goes
// over the wire.
//
// Every recorded query ends in exactly one place, so that at rest
//
//	recorded + recovered = sent + dropped (by reason) + pending
//
// where recovered are the events that an earlier process left in the spool.
package events

import (
	"net/netip"
	"time"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// Event is one served query. It may be used again once it is recorded, and the array of its
// answers too; its strings are kept as they are, so none may share memory that somebody
// writes to.
type Event struct {
	// Time is when the query came in.
	Time time.Time
	// Client is the address the query came from; one that is not valid is sent as 0.0.0.0.
	Client netip.Addr
	// Transport is udp, tcp, tls, https, https3, quic or grpc.
	Transport string
	// QName is the canonical name.
	QName string
	// RegisteredDomain is eTLD+1, empty where there is none.
	RegisteredDomain string
	// QType is the type of the question.
	QType uint16
	// Rcode is the answer's, -1 where nothing was answered.
	Rcode int
	// Answers are the addresses and alias targets of the answer, of which MaxAnswers are
	// kept and the eight first in lexical order are sent.
	Answers []Answer
	// Duration is the time from query to answer.
	Duration time.Duration
	// Verdict is the judgement.
	Verdict verdict.Verdict
	// Model is the version of the model that judged.
	Model string
	// Action is what was done; empty means observe.
	Action string
	// Reason says why a flagged query was flagged; bytes that are not printable ASCII are
	// replaced by a question mark, and only the first 256 are sent.
	Reason string
	// Shadow is what a candidate in shadow thinks, where that is another level.
	Shadow Shadow
}

// Shadow is the opinion of a candidate; its Model is empty where there is none to tell.
type Shadow struct {
	// Model is the candidate's version.
	Model string
	Level verdict.Level
	Score float64
}

// Answer is an address or, where that is not valid, a name.
type Answer struct {
	Address netip.Addr
	Name    string
}

// MaxAnswers bounds what one event may hold in memory.
const MaxAnswers = 32

const (
	// sentAnswers is how many answers an event carries on the wire.
	sentAnswers = 8
	// maxReason is the longest reason on the wire, in bytes.
	maxReason = 256
)

// record is an event as the queue holds it.
type record struct {
	sequence uint64
	time     int64 // microseconds since 1970
	duration int64 // microseconds
	client   netip.Addr
	verdict  verdict.Verdict
	rcode    int32
	qtype    uint16

	transport, qname, domain, model, action, reason string

	shadow Shadow

	answers []Answer
}

const (
	// recordBytes is what a record takes without its strings, roughly.
	recordBytes = 256
	// answerBytes is what an answer takes without its name.
	answerBytes = 40
)

// cost is the memory that the event takes in the queue, in bytes.
func (e *Event) cost() int {
	n := recordBytes + len(e.QName) + len(e.RegisteredDomain) + len(e.Reason)
	return n + costOf(e.Answers[:min(len(e.Answers), MaxAnswers)])
}

func costOf(answers []Answer) int {
	n := answerBytes * len(answers)
	for i := range answers {
		n += len(answers[i].Name)
	}
	return n
}

// set copies the event; the array of r.answers is used again.
func (r *record) set(sequence uint64, e *Event) {
	r.sequence = sequence
	r.time = e.Time.UnixMicro()
	r.duration = e.Duration.Microseconds()
	r.client = e.Client
	r.verdict = e.Verdict
	r.rcode = int32(e.Rcode)
	r.qtype = e.QType
	r.transport, r.qname, r.domain = e.Transport, e.QName, e.RegisteredDomain
	r.model, r.action, r.reason = e.Model, e.Action, e.Reason
	r.shadow = e.Shadow
	r.answers = append(r.answers[:0], e.Answers[:min(len(e.Answers), MaxAnswers)]...)
}

// clear lets go of every string but keeps the array of answers for the next event.
func (r *record) clear() {
	if cap(r.answers) > sentAnswers { // rare, and the queue does not count what is spare
		r.answers = nil
	}
	clear(r.answers)
	*r = record{answers: r.answers[:0]}
}
