package mlplugin

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/coredns/caddy"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
)

// generation is what the handlers of one reading of the Corefile share.
type generation struct {
	// restarting says that another generation is about to take over.
	restarting atomic.Bool
}

// generationKey is the key of the generation in the storage of a CoreDNS instance.
type generationKey struct{}

func generationOf(c *caddy.Controller) *generation {
	g, ok := c.Get(generationKey{}).(*generation)
	if !ok {
		g = new(generation)
		c.Set(generationKey{}, g)
	}
	return g
}

// live are the handlers that were started and not stopped. CoreDNS stops no plugin of an
// instance that it discards after a failed reload, so that somebody has to know them.
var live = struct {
	sync.Mutex
	handlers map[*Handler]*generation
}{handlers: map[*Handler]*generation{}}

// manage lets the handler run from the start of its instance until the successor has
// taken over or, where there is none, until the very end: queries are served, and are to
// be recorded, for as long as health's lameduck, which comes between the callbacks of
// a shutdown and those of a final one.
func (h *Handler) manage(c *caddy.Controller) {
	g := generationOf(c)
	c.OnStartup(func() error {
		live.Lock()
		live.handlers[h] = g
		live.Unlock()
		err := h.start()
		if err != nil {
			h.end()
		}
		return err
	})
	c.OnRestart(func() error { g.restarting.Store(true); return nil })
	c.OnRestartFailed(func() error {
		g.restarting.Store(false)
		stopDiscarded()
		return nil
	})
	c.OnShutdown(func() error {
		if g.restarting.Load() {
			h.end()
		}
		return nil
	})
	c.OnFinalShutdown(func() error {
		h.end()
		return closeOrphans()
	})
}

// end stops the handler once.
func (h *Handler) end() {
	live.Lock()
	_, running := live.handlers[h]
	delete(live.handlers, h)
	live.Unlock()
	if running {
		_ = h.stop()
	}
}

// stopDiscarded stops the handlers of instances that CoreDNS no longer knows.
func stopDiscarded() {
	known := map[*generation]bool{}
	for _, instance := range caddy.Instances() {
		instance.StorageMu.RLock()
		g, ok := instance.Storage[generationKey{}].(*generation)
		instance.StorageMu.RUnlock()
		if ok {
			known[g] = true
		}
	}
	var discarded []*Handler
	live.Lock()
	for h, g := range live.handlers {
		if !known[g] {
			discarded = append(discarded, h)
		}
	}
	live.Unlock()
	for _, h := range discarded {
		h.end()
	}
}

// closeOrphans closes every sender once no handler is left: what one of them still
// holds would be lost with the process.
func closeOrphans() error {
	live.Lock()
	left := len(live.handlers)
	live.Unlock()
	if left > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return events.CloseShared(ctx)
}
