package mlplugin

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/miekg/dns"
)

var errNoMessage = errors.New("no message to write")

// responseWriter judges the answer on its way to the client. An answer over UDP waits until
// the chain has returned: see "The stack" in handler.go. That is at once, as nothing is left to
// do for a plugin that has answered; one that has more to write has it written in order. Until
// then a plugin must leave the message that it has written alone, as those do that hand it on.
type responseWriter struct {
	dns.ResponseWriter

	ctx     context.Context
	query   *query
	request *dns.Msg

	waits   bool     // whether the next message is to wait
	waiting *dns.Msg // not judged yet

	judged    bool
	written   bool
	swallowed bool // the answer was not, and what follows it is not to be, written
}

// WriteMsg judges the answer, once, and writes it or what the policy puts in its place.
func (w *responseWriter) WriteMsg(res *dns.Msg) error {
	if res == nil {
		return errNoMessage
	}
	if w.waits {
		w.waits, w.waiting = false, res
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.writeNow(res)
}

// Close writes what waits before the connection goes.
func (w *responseWriter) Close() error {
	failed := w.flush()
	if err := w.ResponseWriter.Close(); err != nil {
		return err
	}
	return failed
}

// Hijack writes what waits before the connection is somebody else's.
func (w *responseWriter) Hijack() {
	_ = w.flush()
	w.ResponseWriter.Hijack()
}

// flush writes the message that waits.
func (w *responseWriter) flush() error {
	w.waits = false
	res := w.waiting
	if res == nil {
		return nil
	}
	w.waiting = nil
	return w.writeNow(res)
}

// writeNow judges and writes.
func (w *responseWriter) writeNow(res *dns.Msg) error {
	replaced, ok := w.replace(res)
	switch {
	case !ok:
		return nil
	case replaced != nil:
		res = replaced
	}
	return w.write(res)
}

func (w *responseWriter) write(m *dns.Msg) error {
	w.written = true
	w.query.note(m)
	return w.ResponseWriter.WriteMsg(m)
}

// Write does the same for an answer that is packed already.
func (w *responseWriter) Write(packed []byte) (int, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	res := new(dns.Msg)
	if err := res.Unpack(packed); err != nil {
		w.written = true
		return w.ResponseWriter.Write(packed)
	}
	replaced, ok := w.replace(res)
	switch {
	case !ok:
		return len(packed), nil
	case replaced != nil:
		return len(packed), w.write(replaced)
	}
	w.written = true
	w.query.note(res)
	return w.ResponseWriter.Write(packed)
}

// replace gives the message to write in place of res, nil where res is fine; ok is
// false where nothing is to be written.
func (w *responseWriter) replace(res *dns.Msg) (replaced *dns.Msg, ok bool) {
	if w.judged || w.swallowed {
		return nil, !w.swallowed
	}
	w.judged = true
	before := w.query.where
	w.query.decideAnswer(w.ctx, res)
	if w.query.where == before { // nothing worse than the question, which is being answered
		return nil, true
	}
	switch w.query.effect {
	case observe:
		return nil, true
	case drop:
		w.swallowed = true
		return nil, false
	}
	replaced = w.query.blocked(w.ResponseWriter, w.request)
	w.swallowed = replaced != nil // whatever else the chain writes belongs to the real answer
	return replaced, true
}

// ConnectionState gives the state of TLS to plugins that ask for it.
func (w *responseWriter) ConnectionState() *tls.ConnectionState {
	if inner, ok := w.ResponseWriter.(dns.ConnectionStater); ok {
		return inner.ConnectionState()
	}
	return nil
}
