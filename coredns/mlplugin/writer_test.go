package mlplugin

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
)

// journal is a client's writer that keeps what it is told.
type journal struct {
	test.ResponseWriter
	said  []string
	fault error
}

func (j *journal) WriteMsg(m *dns.Msg) error {
	j.said = append(j.said, dns.RcodeToString[m.Rcode])
	return j.fault
}

func (j *journal) Write(packed []byte) (int, error) {
	j.said = append(j.said, "packed")
	return len(packed), j.fault
}

func (j *journal) Close() error { j.said = append(j.said, "closed"); return nil }
func (j *journal) Hijack()      { j.said = append(j.said, "hijacked") }

// stream is the same over TCP.
type stream struct{ journal }

func (s *stream) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4242} }

func message(r *dns.Msg, rcode int) *dns.Msg { return new(dns.Msg).SetRcode(r, rcode) }

// TestMessagesAreWrittenInOrder: whatever waits is written before what comes after it.
func TestMessagesAreWrittenInOrder(t *testing.T) {
	tests := map[string]struct {
		next func(w dns.ResponseWriter, r *dns.Msg) (int, error)
		want []string
	}{
		"two messages": {func(w dns.ResponseWriter, r *dns.Msg) (int, error) {
			_ = w.WriteMsg(message(r, dns.RcodeNameError))
			return 0, w.WriteMsg(message(r, dns.RcodeSuccess))
		}, []string{"NXDOMAIN", "NOERROR"}},
		"a packed one behind": {func(w dns.ResponseWriter, r *dns.Msg) (int, error) {
			_ = w.WriteMsg(message(r, dns.RcodeNameError))
			packed, _ := message(r, dns.RcodeSuccess).Pack()
			_, err := w.Write(packed)
			return 0, err
		}, []string{"NXDOMAIN", "packed"}},
		"closed": {func(w dns.ResponseWriter, r *dns.Msg) (int, error) {
			_ = w.WriteMsg(message(r, dns.RcodeSuccess))
			return 0, w.Close()
		}, []string{"NOERROR", "closed"}},
		"hijacked": {func(w dns.ResponseWriter, r *dns.Msg) (int, error) {
			_ = w.WriteMsg(message(r, dns.RcodeSuccess))
			w.Hijack()
			return 0, nil
		}, []string{"NOERROR", "hijacked"}},
		"with a code that the server would answer": {func(w dns.ResponseWriter, r *dns.Msg) (int, error) {
			return dns.RcodeServerFailure, w.WriteMsg(message(r, dns.RcodeSuccess))
		}, []string{"NOERROR"}},
	}
	for name, c := range tests {
		h, _ := newTestHandler(t, "")
		h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) { return c.next(w, r) })
		w := &journal{}
		if _, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(w.said, c.want) {
			t.Errorf("%s: %v, want %v", name, w.said, c.want)
		}
	}
}

// TestWhatWaits: an answer over UDP, until the chain has returned; nothing else.
func TestWhatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		w     dns.ResponseWriter
		said  func() []string
		qtype uint16
		waits bool
	}{
		"over UDP":             waiting(&journal{}, dns.TypeA, true),
		"a transfer over UDP":  waiting(&journal{}, dns.TypeIXFR, false),
		"over TCP":             waitingStream(&stream{}, dns.TypeA),
		"a transfer over TCP":  waitingStream(&stream{}, dns.TypeAXFR),
		"over UDP, everything": waiting(&journal{}, dns.TypeANY, true),
	} {
		h, _ := newTestHandler(t, "")
		var within int
		var late dns.ResponseWriter
		h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
			err := w.WriteMsg(message(r, dns.RcodeSuccess))
			within, late = len(c.said()), w
			return 0, err
		})
		r := new(dns.Msg).SetQuestion("www.example.com.", c.qtype)
		if _, err := h.ServeDNS(t.Context(), c.w, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (within == 0) != c.waits || len(c.said()) != 1 {
			t.Errorf("%s: %d written within the chain, %d in all", name, within, len(c.said()))
		}
		if err := late.WriteMsg(message(r, dns.RcodeRefused)); err != nil || len(c.said()) != 2 {
			t.Errorf("%s: late, %v, %v", name, err, c.said())
		}
	}
}

type waitingCase = struct {
	w     dns.ResponseWriter
	said  func() []string
	qtype uint16
	waits bool
}

func waiting(j *journal, qtype uint16, waits bool) waitingCase {
	return waitingCase{j, func() []string { return j.said }, qtype, waits}
}

func waitingStream(s *stream, qtype uint16) waitingCase {
	return waitingCase{s, func() []string { return s.said }, qtype, false}
}

// TestPanicAfterAnAnswer: the server's answer is the only one, and the event says so.
func TestPanicAfterAnAnswer(t *testing.T) {
	h, record := newTestHandler(t, "")
	h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		_ = w.WriteMsg(message(r, dns.RcodeSuccess))
		panic("theirs")
	})
	w := &journal{}
	func() {
		defer func() { _ = recover() }()
		_, _ = h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	}()
	if e := record.last(t); len(w.said) != 0 || e.Rcode != dns.RcodeServerFailure {
		t.Errorf("wrote %v, event %+v", w.said, e)
	}
}

// TestClientsThatAreGone: a client that cannot be written to is no error of the query.
func TestClientsThatAreGone(t *testing.T) {
	h, record := newTestHandler(t, "")
	w := &journal{fault: errors.New("network is unreachable")}
	code, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	if code != dns.RcodeSuccess || err != nil || len(w.said) != 1 {
		t.Errorf("%d, %v, %v", code, err, w.said)
	}
	if e := record.last(t); e.Rcode != dns.RcodeSuccess {
		t.Errorf("event %+v", e)
	}
}

// TestNoMessage: a plugin that writes none is told so, and the server answers.
func TestNoMessage(t *testing.T) {
	h, record := newTestHandler(t, "")
	h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, _ *dns.Msg) (int, error) {
		return dns.RcodeServerFailure, w.WriteMsg(nil)
	})
	code, err := h.ServeDNS(t.Context(), &journal{}, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	if code != dns.RcodeServerFailure || !errors.Is(err, errNoMessage) {
		t.Errorf("%d, %v", code, err)
	}
	if e := record.last(t); e.Rcode != dns.RcodeServerFailure {
		t.Errorf("event %+v", e)
	}
}

// TestADroppedAnswerIsNotMadeUpFor: not by the server either, whatever the chain returns.
func TestADroppedAnswerIsNotMadeUpFor(t *testing.T) {
	h, record := newTestHandler(t, "on malicious drop")
	h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		m := message(r, dns.RcodeSuccess)
		m.Answer = []dns.RR{test.CNAME("www.example.com. 60 IN CNAME evil.example.com.")}
		return dns.RcodeRefused, w.WriteMsg(m)
	})
	w := &journal{}
	code, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA))
	if code != dns.RcodeSuccess || err != nil || len(w.said) != 0 {
		t.Errorf("%d, %v, %v", code, err, w.said)
	}
	if e := record.last(t); e.Rcode != nothingAnswered {
		t.Errorf("event %+v", e)
	}
}
