package mlplugin

import (
	"errors"
	"hash/maphash"
	"sync/atomic"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// disputeSlots bounds how many verdicts of a candidate are kept, a power of two: about 1 MB at most.
const disputeSlots = 1 << 12

// candidate is a model in shadow: it judges names beside the model in force, and nothing follows
// from what it says but that the difference is counted and told.
type candidate struct {
	judge
	// failed is set once it has panicked: it is not asked again.
	failed atomic.Bool
	// disputes holds what it said of names that the model in force judges otherwise, each in place
	// of whatever was in its slot.
	disputes [disputeSlots]atomic.Pointer[dispute]
	seed     maphash.Seed
}

// dispute is a candidate's verdict on a name.
type dispute struct {
	name    string
	verdict verdict.Verdict
}

func newCandidate(j judge) *candidate { return &candidate{judge: j, seed: maphash.MakeSeed()} }

// loadCandidate loads what is in shadow at a path; nil where there is nothing.
func loadCandidate(path string) (*candidate, error) {
	if path == "" || nothingAt(path) {
		return nil, nil
	}
	m, err := model.LoadDir(whereItLeads(path))
	if err != nil {
		return nil, err
	}
	return newCandidate(m), nil
}

// disagrees judges a name that the model in force has judged anew, and says whether the level is
// another.
//
//go:noinline
func (c *candidate) disagrees(name string, live verdict.Level) bool {
	v, ok := c.ask(name)
	if !ok {
		return false
	}
	shadowJudged.Inc()
	if v.Level == live {
		return false
	}
	shadowDisagreements[live][v.Level].Inc()
	c.slot(name).Store(&dispute{name: name, verdict: v})
	return true
}

// ask gives the candidate's verdict; one that panics gives none, now and later.
func (c *candidate) ask(name string) (v verdict.Verdict, ok bool) {
	if c.failed.Load() {
		return v, false
	}
	defer func() {
		if p := recover(); p != nil {
			c.failed.Store(true)
			panicsTotal.Inc()
			log.Errorf("the model in shadow is asked no more, it failed: %v: this is a fault of mlplugin, please report it", p)
			ok = false
		}
	}()
	v, _ = c.JudgeAndSplit(name)
	return v, true
}

func (c *candidate) slot(name string) *atomic.Pointer[dispute] {
	return &c.disputes[maphash.String(c.seed, name)&(disputeSlots-1)]
}

// opinion gives what an event tells of a disputed name.
func (c *candidate) opinion(name string) events.Shadow {
	kept := c.slot(name).Load()
	if kept == nil || kept.name != name { // another name has taken its slot
		v, ok := c.ask(name)
		if !ok {
			return events.Shadow{}
		}
		kept = &dispute{name: name, verdict: v}
		c.slot(name).Store(kept)
	}
	return events.Shadow{Model: c.Version(), Level: kept.verdict.Level, Score: kept.verdict.Score}
}

// takeShadow puts in shadow what is at the path now.
func (h *Handler) takeShadow() error {
	next, err := loadCandidate(h.settings.shadow)
	if err != nil {
		return err
	}
	old := h.snapshot.Load().shadow
	h.swap(func(s *snapshot) { s.shadow = next })
	switch {
	case next != nil:
		log.Infof("model %s is in shadow: it judges without effect", next.Version())
	case old != nil:
		log.Infof("model %s is in shadow no more", old.Version())
	}
	return nil
}

// reloadShadow is takeShadow for a handler that has started.
func (h *Handler) reloadShadow() error {
	old := h.snapshot.Load().shadow
	if err := h.takeShadow(); err != nil {
		return err
	}
	useShadow(h.snapshot.Load().shadow, 1)
	useShadow(old, -1)
	return nil
}

// beginShadow loads the candidate for the first time. One that cannot be used is no reason not to
// start, and is tried again as the others are.
func (h *Handler) beginShadow() {
	for _, part := range h.watched {
		if part.what != "shadow" {
			continue
		}
		err := errors.New("it cannot be read")
		guard(func() { err = h.takeShadow() })
		if err != nil {
			part.seen, part.failed = "", err.Error()
			reloaded(part.what, err)
			log.Errorf("nothing is in shadow: %v", err)
		}
	}
}
