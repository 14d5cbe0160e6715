package mlplugin

import (
	"context"
	"crypto/tls"

	"github.com/miekg/dns"
)

// responseWriter judges the answer on its way to the client.
type responseWriter struct {
	dns.ResponseWriter

	ctx     context.Context
	query   *query
	request *dns.Msg

	judged    bool
	written   bool
	swallowed bool // the answer was not, and what follows it is not to be, written
}

// WriteMsg judges the answer, once, and writes it or what the policy puts in its place.
func (w *responseWriter) WriteMsg(res *dns.Msg) error {
	if replaced, ok := w.replace(res); !ok {
		return nil
	} else if replaced != nil {
		return w.write(replaced)
	}
	return w.write(res)
}

// Write does the same for an answer that is packed already.
func (w *responseWriter) Write(packed []byte) (int, error) {
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
	switch w.query.action.effect {
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

func (w *responseWriter) write(m *dns.Msg) error {
	w.written = true
	w.query.note(m)
	return w.ResponseWriter.WriteMsg(m)
}

// ConnectionState gives the state of TLS to plugins that ask for it.
func (w *responseWriter) ConnectionState() *tls.ConnectionState {
	if inner, ok := w.ResponseWriter.(dns.ConnectionStater); ok {
		return inner.ConnectionState()
	}
	return nil
}
