package events

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// delivery is the state of the one goroutine that empties the queue. At most one request
// is under way; while it is, the goroutine goes on to relieve the queue into the spool.
type delivery struct {
	*Sender
	ctx    context.Context // ends requests that are under way
	cancel context.CancelFunc

	// held are batches in memory that were not acknowledged; the last goes first.
	held     []*batch
	inflight *batch
	results  chan outcome

	failures     int
	retryAt      time.Time
	spoolRetryAt time.Time
	lastFill     time.Time
	spoolTurn    bool

	reports []report // counters of earlier processes, yet to be told
	told    string   // the counters that the service has acknowledged

	refusals       int // not logged yet
	refusalsLogged time.Time

	stop    context.Context // set once closing
	leaving bool            // closing, and no more is to be sent

	lastWord bool // closing, and an empty batch has brought the counters
}

// spoolRetry is the pause after the spool refused a batch.
const spoolRetry = time.Second

// refusalsLogEvery keeps a service that refuses everything from flooding the log.
const refusalsLogEvery = 10 * time.Second

// fewEvents is the number below which a flagged event takes the others along. Where there are
// more, one is flagged most of the time, and short batches would cost the service far more for
// each event (docs/protocol.md).
const fewEvents = 500

func newDelivery(s *Sender) *delivery {
	d := &delivery{Sender: s, results: make(chan outcome, 1), lastFill: time.Now()}
	d.told = s.counters.fresh
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if s.spool != nil {
		d.reports = loadReports(s.config.Spool)
	}
	return d
}

// run sends until the sender is closed.
func (d *delivery) run() {
	defer close(d.done)
	defer func() { d.late.told = d.told }()
	defer d.cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		d.relieve(now) // first, so that the next attempt begins with the oldest
		d.dispatch(now)
		if d.finished() {
			d.stow()
			return
		}
		timer.Reset(d.pause(now))
		select {
		case o := <-d.results:
			d.settle(o, time.Now())
		case <-d.queue.wake:
		case <-timer.C:
		case d.stop = <-d.closing:
			d.retryAt = time.Time{}
			d.leaving = d.failures > 0 && d.spool != nil
		case <-d.ended():
			d.leaving = true
			d.cancel()
		}
		if d.leaving {
			d.abandon()
		}
	}
}

// ended is done when the time for closing is over.
func (d *delivery) ended() <-chan struct{} {
	if d.stop == nil || d.leaving {
		return nil
	}
	return d.stop.Done()
}

// abandon ends the request that is under way and takes its batch back.
func (d *delivery) abandon() {
	d.cancel()
	if d.inflight != nil {
		d.settle(<-d.results, time.Now())
	}
}

// finished says whether closing is over.
func (d *delivery) finished() bool {
	if d.stop == nil || d.inflight != nil {
		return false
	}
	queued, _ := d.queue.size()
	return d.leaving || (queued == 0 && len(d.held) == 0)
}

// pause is how long the goroutine may sleep when nothing happens.
func (d *delivery) pause(now time.Time) time.Duration {
	pause := d.config.FlaggedInterval
	for _, wait := range []time.Duration{d.config.FlaggedInterval, d.config.BatchInterval} {
		if left := d.lastFill.Add(wait).Sub(now); left > 0 {
			pause = min(pause, left)
		}
	}
	if wait := d.retryAt.Sub(now); wait > 0 {
		pause = min(pause, wait)
	}
	return max(pause, time.Millisecond)
}

// dispatch starts the next request if it is time for one.
func (d *delivery) dispatch(now time.Time) {
	if d.inflight != nil || d.leaving || now.Before(d.retryAt) {
		return
	}
	b, counters := d.choose(now), ""
	if b == nil {
		if b, counters = d.report(); b == nil {
			return
		}
	} else if b.sensor == d.config.Sensor {
		counters = d.counters.header()
	}
	d.inflight = b
	b.attempts++
	go func() { d.results <- d.poster.post(d.ctx, b, counters) }()
}

// choose takes the batch that goes next. In an outage the oldest comes first, so that a
// service that is back fills its gap in order; then the spool and live events take turns.
func (d *delivery) choose(now time.Time) *batch {
	replay := d.spool != nil && d.stop == nil && !d.spool.empty()
	if n := len(d.held); n > 0 && (d.held[n-1].origin != nil || !replay || d.failures == 0) {
		b := d.held[n-1]
		d.held = d.held[:n-1]
		return b
	}
	due := d.due(now)
	if replay && (d.failures > 0 || d.spoolTurn || !due) {
		if b := d.spool.next(); b != nil {
			d.spoolTurn = false
			return b
		}
	}
	if !due {
		return nil
	}
	d.spoolTurn = true
	return d.fill(now)
}

// due says whether the queue's events make a batch by number, by the room they take or by age.
func (d *delivery) due(now time.Time) bool {
	queued, bytes := d.queue.size()
	longest := d.config.BatchInterval
	if queued < fewEvents && d.queue.flagged.Load() {
		longest = d.config.FlaggedInterval
	}
	return queued >= d.config.BatchEvents || bytes >= d.config.QueueBytes/2 ||
		(queued > 0 && (d.stop != nil || now.Sub(d.lastFill) >= longest))
}

// fill takes a batch off the queue.
func (d *delivery) fill(now time.Time) *batch {
	d.lastFill = now
	return fill(d.queue, d.config, d.poster.compresses(), func(events int) {
		d.counters.inHand.Add(int64(events))
	})
}

// report gives an empty batch that brings counters which no batch brought: those of an
// earlier process, and drops after the last batch.
func (d *delivery) report() (*batch, string) {
	if d.failures > 0 {
		return nil, ""
	}
	if len(d.reports) > 0 && d.stop == nil {
		return &batch{sensor: d.reports[0].Sensor}, string(d.reports[0].Counters)
	}
	if queued, _ := d.queue.size(); queued > 0 {
		return nil, ""
	}
	if now := d.counters.header(); now != d.told && !d.lastWord {
		d.lastWord = d.stop != nil // under traffic the counters never rest
		return &batch{sensor: d.config.Sensor}, now
	}
	return nil, ""
}

// reported notes which counters the service has seen, or will never take.
func (d *delivery) reported(o outcome) {
	switch {
	case o.header == "":
	case len(d.reports) > 0 && o.header == string(d.reports[0].Counters):
		d.reports = d.reports[1:]
		if err := storeReports(d.config.Spool, d.reports); err != nil {
			log.Warningf("spool folder %s: %v", d.config.Spool, err)
		}
	default:
		d.told = o.header
	}
}

// settle does what the answer to the request under way asks for.
func (d *delivery) settle(o outcome, now time.Time) {
	b := d.inflight
	d.inflight = nil
	if o.result == unanswered {
		d.failed(b, o, now)
		return
	}
	if d.failures > 0 {
		log.Infof("the service at %s is back", d.poster.endpoint.Redacted())
	}
	d.failures = 0
	d.overflow.Store(uint32(queueFull))
	d.reported(o)
	d.doubt(b, o)
	if b.count == 0 && b.origin == nil {
		return
	}
	if o.result == acknowledged {
		stored := min(o.stored, b.count)
		d.counters.sent.Add(uint64(stored))
		d.refuse(b.count-stored, o)
		d.resolve(b)
		return
	}
	if front, back, ok := b.halve(); ok && o.result == refused {
		if b.origin != nil {
			b.origin.open++
		}
		d.held = append(d.held, back, front)
		return
	}
	d.refuse(b.count, o)
	d.resolve(b)
}

// doubt warns once where events that were never sent before are known: their numbers
// are another's, and what it does not know it cannot have stored.
func (d *delivery) doubt(b *batch, o outcome) {
	if o.known == 0 || b.attempts > 1 || b.origin != nil || d.doubted.Swap(true) {
		return
	}
	log.Warningf("the service at %s knows events of sensor %q that are new here: "+
		"if another CoreDNS has the same name, events are lost; give each its own with the option sensor",
		d.poster.endpoint.Redacted(), d.config.Sensor)
}

// refuse counts events that the service will not store.
func (d *delivery) refuse(events int, o outcome) {
	if events == 0 {
		return
	}
	d.drop(rejected, events)
	d.refusals += events
	if now := time.Now(); now.Sub(d.refusalsLogged) >= refusalsLogEvery {
		log.Errorf("the service at %s has not stored %d events that it was sent: %v",
			d.poster.endpoint.Redacted(), d.refusals, o.err)
		d.refusals, d.refusalsLogged = 0, now
	}
}

// resolve takes a batch that is done with off the books.
func (d *delivery) resolve(b *batch) {
	if b.origin != nil {
		d.spool.settle(b.origin, b.count)
		return
	}
	d.counters.inHand.Add(-int64(b.count))
}

// failed keeps the batch and sets the time of the next attempt.
func (d *delivery) failed(b *batch, o outcome, now time.Time) {
	// A frame of the spool that is still whole stays there; all else is in memory only.
	whole := b.origin != nil && b.halvings == nil
	if !whole && b.count > 0 {
		d.held = append(d.held, b)
	}
	if d.leaving {
		return
	}
	d.failures++
	if d.failures == 1 {
		log.Warningf("the service at %s cannot be reached, events are kept: %v", d.poster.endpoint.Redacted(), o.err)
	}
	d.retryAt = now.Add(max(d.backoff(), o.waitFor))
	d.leaving = d.stop != nil && d.spool != nil
}

// backoff doubles with each failure, and is spread so that many sensors do not come back
// in the same instant.
func (d *delivery) backoff() time.Duration {
	pause := d.config.RetryMax
	if shift := d.failures - 1; shift < 16 {
		pause = min(pause, d.config.RetryMin<<shift)
	}
	return pause/2 + rand.N(pause/2+1)
}

// relieve moves events to the spool while the service does not take them.
func (d *delivery) relieve(now time.Time) {
	if d.spool == nil || d.stop != nil || now.Before(d.spoolRetryAt) {
		return
	}
	if d.failures == 0 && !(d.inflight != nil && d.queueHalfFull()) {
		return
	}
	kept := d.held[:0]
	for _, b := range d.held {
		if b.origin != nil || !d.toSpool(b) {
			kept = append(kept, b)
		}
	}
	clear(d.held[len(kept):])
	d.held = kept
	// While a batch is refused, the queue keeps the rest.
	for !slices.ContainsFunc(d.held, func(b *batch) bool { return b.origin == nil }) {
		if !d.due(now) {
			return
		}
		b := d.fill(now)
		if b == nil {
			return
		}
		if !d.toSpool(b) {
			d.held = slices.Insert(d.held, 0, b)
		}
	}
	d.spoolRetryAt = now.Add(spoolRetry)
}

// queueHalfFull says whether the queue needs relief though a request is under way.
func (d *delivery) queueHalfFull() bool {
	events, bytes := d.queue.size()
	return events >= max(d.config.QueueEvents/2, 1) || bytes >= d.config.QueueBytes/2
}

// stow puts what was not sent into the spool, or counts it as dropped.
func (d *delivery) stow() {
	put := func(b *batch) {
		if b.origin != nil {
			return // its frame is still in the spool
		}
		if d.spool == nil || !d.toSpool(b) {
			d.drop(shutdown, b.count)
			d.counters.inHand.Add(-int64(b.count))
		}
	}
	for i := len(d.held) - 1; i >= 0; i-- {
		put(d.held[i])
	}
	for b := d.fill(time.Now()); b != nil; b = d.fill(time.Now()) {
		put(b)
	}
	if now := d.counters.header(); d.spool != nil && now != d.told {
		d.reports = append(d.reports, report{Sensor: d.config.Sensor, Counters: []byte(now)})
		if err := storeReports(d.config.Spool, d.reports); err != nil {
			log.Warningf("spool folder %s: %v", d.config.Spool, err)
		}
		if d.leaving { // else the service answers, and Close tells it
			d.told = now
		}
	}
}
