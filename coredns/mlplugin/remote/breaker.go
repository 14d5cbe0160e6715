package remote

import (
	"sync"
	"time"
)

// breaker keeps queries from waiting for a service that has failed several times in a
// row. While it is open, one question at a time may try the service, after a pause that
// doubles with each failure.
type breaker struct {
	limit             int           // failures in a row that open it
	shortest, longest time.Duration // the pause
	patience          time.Duration // after which a trial that had no result is forgotten

	mu       sync.Mutex
	failures int
	pause    time.Duration
	trial    bool      // a trial is under way
	until    time.Time // no question before
}

// allow says whether the service may be asked now.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.limit {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.trial, b.until = true, now.Add(b.patience)
	return true
}

// succeed closes the breaker and says whether it was open.
func (b *breaker) succeed() (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed = b.failures >= b.limit
	b.failures, b.pause, b.trial = 0, 0, false
	return closed
}

// fail counts a failed request and says whether it has opened the breaker.
func (b *breaker) fail(now time.Time) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures >= b.limit && !b.trial:
		return false // was under way when the breaker opened
	case b.failures < b.limit:
		b.failures++
		if b.failures < b.limit {
			return false
		}
		opened = true
	}
	b.trial = false
	b.pause = min(max(2*b.pause, b.shortest), b.longest)
	b.until = now.Add(b.pause)
	return opened
}
