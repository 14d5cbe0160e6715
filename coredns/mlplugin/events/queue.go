package events

import (
	"sync"
	"sync/atomic"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// chunkEvents is how many records a chunk holds: the queue grows by chunks, so that no
// query ever pays for copying a long slice.
const chunkEvents = 128

// chunk is a link of a shard's list.
type chunk struct {
	used    int
	next    *chunk
	records [chunkEvents]record
}

// shard is one part of the queue. Consecutive sequences fall to different shards.
type shard struct {
	mu         sync.Mutex
	head, tail *chunk
	count      int
	bytes      int64
	closed     bool
	_          [64]byte // keeps neighbours off this cache line
}

// queue is a bounded queue of many writers and one reader.
type queue struct {
	shards    []shard
	mask      uint64
	maxEvents int   // of one shard
	maxBytes  int64 // of one shard
	wakeEvery int
	// wake gets a token whenever a shard has taken its part of a batch.
	wake chan struct{}
	free chan *chunk
	// flagged says that an event which is flagged came since the last batch was begun.
	flagged atomic.Bool

	// heads are the lists that the reader has taken off the shards; only the reader uses them.
	heads []cursor
	// room is how large the reader's next body is expected to be, in bytes.
	room int
}

// cursor is the reader's place in a list.
type cursor struct {
	chunk *chunk
	next  int
}

func newQueue(c Config) *queue {
	n := c.shardCount()
	q := &queue{
		shards:    make([]shard, n),
		mask:      uint64(n - 1),
		maxEvents: max(c.QueueEvents/n, 1),
		maxBytes:  max(c.QueueBytes/int64(n), 1),
		wakeEvery: max(c.BatchEvents/n, 1),
		wake:      make(chan struct{}, 1),
		free:      make(chan *chunk, 128),
		heads:     make([]cursor, n),
	}
	return q
}

// pushed is what became of an event.
type pushed uint8

const (
	pushedOK pushed = iota
	pushedFull
	pushedClosed
)

// push adds the event. It never waits for the reader.
func (q *queue) push(sequence uint64, e *Event) pushed {
	cost := int64(e.cost())
	sh := &q.shards[sequence&q.mask]
	sh.mu.Lock()
	if sh.closed {
		sh.mu.Unlock()
		return pushedClosed
	}
	if sh.count >= q.maxEvents || sh.bytes+cost > q.maxBytes {
		sh.mu.Unlock()
		q.notify()
		return pushedFull
	}
	tail := sh.tail
	if tail == nil || tail.used == chunkEvents {
		tail = q.grow(sh)
	}
	tail.records[tail.used].set(sequence, e)
	tail.used++
	if e.Verdict.Level > verdict.Benign && !q.flagged.Load() { // written seldom: all share it
		q.flagged.Store(true)
	}
	sh.count++
	sh.bytes += cost
	due := sh.count%q.wakeEvery == 0
	sh.mu.Unlock()
	if due {
		q.notify()
	}
	return pushedOK
}

// grow links a new chunk to the shard's list.
func (q *queue) grow(sh *shard) *chunk {
	var fresh *chunk
	select {
	case fresh = <-q.free:
	default:
		fresh = new(chunk)
	}
	if sh.tail == nil {
		sh.head = fresh
	} else {
		sh.tail.next = fresh
	}
	sh.tail = fresh
	return fresh
}

func (q *queue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// size is the number of events and of bytes that are queued.
func (q *queue) size() (events int, bytes int64) {
	for i := range q.shards {
		sh := &q.shards[i]
		sh.mu.Lock()
		events += sh.count
		bytes += sh.bytes
		sh.mu.Unlock()
	}
	return events, bytes
}

// close makes the queue refuse events; those that are in it stay.
func (q *queue) close() {
	for i := range q.shards {
		sh := &q.shards[i]
		sh.mu.Lock()
		sh.closed = true
		sh.mu.Unlock()
	}
}

// drain gives the queue's events, ordered by sequence among those that it sees, to use
// until use says that it wants no more. A record is only valid during the call. Before
// the events are off the queue's count, moved is told their number, so that none is
// ever counted nowhere.
func (q *queue) drain(use func(*record) (more bool), moved func(events int)) {
	flagged := q.flagged.Swap(false) // first: one that comes meanwhile counts for the next
	counts := make([]int, len(q.shards))
	costs := make([]int64, len(q.shards))
	for i := range q.heads {
		q.refill(i)
	}
	for more := true; more; {
		i := q.oldest()
		if i < 0 {
			break
		}
		r := q.peek(i)
		counts[i]++
		costs[i] += r.cost()
		more = use(r)
		q.advance(i)
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	moved(total)
	left := 0
	for i, n := range counts {
		sh := &q.shards[i]
		sh.mu.Lock()
		sh.count -= n
		sh.bytes -= costs[i]
		left += sh.count
		sh.mu.Unlock()
	}
	if flagged && left > 0 { // it may be among them
		q.flagged.Store(true)
	}
}

// cost is what push accounted for the record.
func (r *record) cost() int64 {
	n := recordBytes + len(r.qname) + len(r.domain) + len(r.reason)
	return int64(n + costOf(r.answers))
}

// refill takes the list of a shard whose taken events are used up.
func (q *queue) refill(i int) {
	if q.heads[i].chunk != nil {
		return
	}
	sh := &q.shards[i]
	sh.mu.Lock()
	q.heads[i] = cursor{chunk: sh.head}
	sh.head, sh.tail = nil, nil
	sh.mu.Unlock()
}

// peek gives the first record taken from shard i, nil where there is none.
func (q *queue) peek(i int) *record {
	h := &q.heads[i]
	if h.chunk == nil {
		return nil
	}
	return &h.chunk.records[h.next]
}

// oldest gives the shard whose first taken record has the lowest sequence, -1 for none.
func (q *queue) oldest() int {
	best, lowest := -1, uint64(0)
	for i := range q.heads {
		if r := q.peek(i); r != nil && (best < 0 || r.sequence < lowest) {
			best, lowest = i, r.sequence
		}
	}
	return best
}

// advance drops the first record taken from shard i and gives its chunk back when done.
func (q *queue) advance(i int) {
	h := &q.heads[i]
	h.chunk.records[h.next].clear()
	h.next++
	if h.next < h.chunk.used {
		return
	}
	done := h.chunk
	*h = cursor{chunk: done.next}
	if h.chunk == nil {
		q.refill(i)
	}
	done.used, done.next = 0, nil
	select {
	case q.free <- done:
	default:
	}
}
