package mlplugin

import (
	"context"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
)

// place is where the stack of a goroutine has got to. It holds only as long as the stack does
// not move.
//
//go:noinline
func place() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}

// grow makes the stack large enough for all that follows.
//
//go:noinline
func grow(n int) (sum byte) {
	var room [1024]byte
	if n > 0 {
		sum = grow(n - 1)
	}
	return sum + room[n]
}

// shallow is a client that notes where it is written to.
type shallow struct {
	*client
	written uintptr
	writes  int
}

func (s *shallow) WriteMsg(*dns.Msg) error {
	s.written = place()
	s.writes++
	return nil
}

// TestStack: the plugins further down have nearly as much of the stack as without this one, and the
// answer is written when they are off it.
func TestStackAboveOthers(t *testing.T) {
	if raceDetector {
		t.Skip("it makes every frame larger; tests/quality/test_go.py runs it without")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // or the stack might shrink
	h, _ := newTestHandler(t, "")
	var below uintptr
	h.Next = test.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		below = place()
		return dns.RcodeSuccess, w.WriteMsg(&dns.Msg{Question: r.Question, Answer: usual})
	})
	w, ctx, r := &shallow{client: newClient()}, serverContext(t), new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	grow(50)
	above := place()
	if _, err := h.ServeDNS(ctx, w, r); err != nil {
		t.Fatal(err)
	}
	const most = 320 // with the frame of the test's own plugin
	if took := above - below; took > most {
		t.Errorf("%d bytes of the stack are taken, at most %d were meant to be", took, most)
	}
	if w.writes != 1 || above-w.written > 2*most {
		t.Errorf("written %d times, %d bytes down the stack", w.writes, above-w.written)
	}
}
