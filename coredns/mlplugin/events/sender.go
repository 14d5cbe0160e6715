package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	clog "github.com/coredns/coredns/plugin/pkg/log"
)

var log = clog.NewWithPlugin("mlplugin")

// Sender queues events and sends them to the service.
type Sender struct {
	config   Config
	queue    *queue
	counters *counters
	poster   *poster
	spool    *spool // nil for none

	// overflow is the reason under which a full queue drops: the queue's own bound, or
	// what keeps the spool from relieving it.
	overflow atomic.Uint32

	started atomic.Bool
	closed  atomic.Bool
	closing chan context.Context
	done    chan struct{} // the delivery has ended
	over    chan struct{} // Close has ended
	start   sync.Once
	late    late
	// doubted says that the warning of another sensor of this name was given.
	doubted atomic.Bool
}

// New makes a sender that does not send yet. It takes hold of the spool folder. Its
// errors are one line each: a URL or sensor name that cannot be used, a spool folder
// that cannot be made or read or is another instance's.
func New(config Config) (*Sender, error) {
	config = config.withDefaults()
	endpoint, err := config.endpoint()
	if err != nil {
		return nil, err
	}
	s := &Sender{
		config:  config,
		queue:   newQueue(config),
		closing: make(chan context.Context, 1),
		done:    make(chan struct{}),
		over:    make(chan struct{}),
	}
	var used uint64
	if config.Spool != "" {
		if s.spool, err = openSpool(config, s.missing); err != nil {
			return nil, err
		}
		used = s.spool.lastSequence
	}
	s.counters = newCounters(used)
	if s.spool != nil {
		s.counters.recovered.Store(uint64(s.spool.events.Load()))
	}
	s.poster = newPoster(config, endpoint, s.counters)
	register(s)
	return s, nil
}

// Start begins to send. Events recorded before wait in the queue.
func (s *Sender) Start() {
	s.start.Do(func() {
		s.started.Store(true)
		go newDelivery(s).run()
	})
}

// Record gives the query its sequence and queues its event, or counts it as dropped
// where there is no room. It waits for nothing while the sender is open. After Close the query
// is answered, and a server that stops waits for those who serve: so does the last count. The
// event may be used again afterwards; its strings must not change.
func (s *Sender) Record(e *Event) {
	sequence := s.counters.next.Add(1) - 1
	switch s.queue.push(sequence, e) {
	case pushedFull:
		s.drop(reason(s.overflow.Load()), 1)
	case pushedClosed:
		s.drop(shutdown, 1)
		select {
		case <-s.over:
			s.tellLate(context.Background())
		default: // Close tells of it
		}
	}
}

// Ready says whether events are taken: from Start to Close, whether or not the service answers.
func (s *Sender) Ready() bool { return s.started.Load() && !s.closed.Load() }

// Close takes no more events and sends those that wait until ctx ends, then puts the
// rest into the spool; what has no place there is counted as dropped, reason shutdown,
// and told as an error. Later calls wait for the first.
func (s *Sender) Close(ctx context.Context) error {
	if s.closed.Swap(true) {
		<-s.done
		return nil
	}
	s.queue.close()
	s.Start()
	s.closing <- ctx
	<-s.done
	s.poster.close()
	if s.spool != nil {
		s.spool.close()
	}
	raise(s.counters.next.Load())
	unregister(s)
	close(s.over)
	s.tellLate(ctx)
	if n := s.counters.dropped[shutdown].Load(); n > 0 {
		return fmt.Errorf("%d events could be neither sent to %s nor kept", n, s.poster.endpoint.Redacted())
	}
	return nil
}

// Totals gives the counts as they are now.
func (s *Sender) Totals() Totals {
	queued, _ := s.queue.size()
	pending := int64(queued) + s.counters.inHand.Load()
	t := Totals{
		Recorded:  s.counters.served(),
		Recovered: s.counters.recovered.Load(),
		Sent:      s.counters.sent.Load(),
		Dropped:   make(map[string]uint64, reasonCount),
	}
	for r := range reasonCount {
		t.Dropped[r.String()] = s.counters.dropped[r].Load()
	}
	if s.spool != nil {
		pending += s.spool.events.Load()
		t.SpoolBytes = uint64(max(s.spool.bytes.Load(), 0))
		t.SpoolDamaged = s.spool.damaged.Load()
	}
	t.Pending = uint64(max(pending, 0))
	return t
}

func (s *Sender) drop(why reason, events int) {
	s.counters.dropped[why].Add(uint64(events))
}

// missing accounts for a spool that holds fewer or more events than it should.
func (s *Sender) missing(events int) {
	if events > 0 {
		s.drop(spoolError, events)
	} else {
		s.counters.recovered.Add(uint64(-events))
	}
}

// toSpool moves a batch from memory to the spool and says whether it could.
func (s *Sender) toSpool(b *batch) bool {
	before := reason(s.overflow.Load())
	err := s.spool.append(b)
	now := queueFull
	switch {
	case errors.Is(err, errSpoolFull):
		now = spoolFull
	case err != nil:
		now = spoolError
	default:
		s.counters.inHand.Add(-int64(b.count))
	}
	s.overflow.Store(uint32(now))
	if now != before && err != nil {
		log.Errorf("spool folder %s: %v; events wait in memory, then the newest are dropped", s.config.Spool, err)
	}
	return err == nil
}
