package events

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"sync"
)

// batch is the body of one request.
type batch struct {
	sensor      string
	body        []byte
	gzip        bool
	first, last uint64 // sequences
	count       int
	attempts    int
	// origin is the frame of the spool that the batch is, or is a part of; nil for one
	// that is only in memory.
	origin *frame
	// halvings is how many more times the batch and its parts may be halved to find a
	// line that the service refuses; all parts share it.
	halvings *int
}

// maxHalvings bounds the requests that one refused batch may cause, yet lets a few bad
// lines be singled out of 10,000.
const maxHalvings = 64

// fill takes events off the queue into a new batch, nil where there were none; moved is
// told their number before the queue forgets them.
func fill(q *queue, c Config, compress bool, moved func(events int)) *batch {
	b := &batch{sensor: c.Sensor}
	q.drain(func(r *record) bool {
		if b.body == nil {
			b.body = make([]byte, 0, min(c.BatchBytes, max(q.room, 4<<10)))
			b.first = r.sequence
		}
		b.body = appendRecord(b.body, r)
		b.first, b.last = min(b.first, r.sequence), max(b.last, r.sequence)
		b.count++
		return b.count < c.BatchEvents && len(b.body) < c.BatchBytes
	}, moved)
	if b.count == 0 {
		return nil
	}
	// A body that grows leaves five times its size to the garbage collector, whose work every
	// query waits for; the next one is likely to be as large.
	q.room = max(len(b.body)+len(b.body)/8, q.room*3/4)
	if compress {
		b.body, b.gzip = compressed(b.body), true
	}
	return b
}

// writers keeps the tables of gzip writers, which are larger than most batches.
var writers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // fails on an unknown level only
	return w
}}

// compressed gives the gzip form. Writing to memory does not fail.
func compressed(body []byte) []byte {
	var out bytes.Buffer
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}

// maxBody bounds what a spooled body may expand to: the protocol's own limit.
const maxBody = 32 << 20

// lines gives the body as plain NDJSON.
func (b *batch) lines() ([]byte, error) {
	if !b.gzip {
		return b.body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(b.body))
	if err != nil {
		return nil, err
	}
	lines, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(lines) > maxBody {
		err = errors.New("longer than a batch may be")
	}
	return lines, err
}

// halve splits a refused batch in two, so that one bad line does not take thousands
// with it; ok is false where nothing is left to split.
func (b *batch) halve() (front, back *batch, ok bool) {
	if b.halvings == nil {
		b.halvings = new(maxHalvings)
	}
	if b.count < 2 || *b.halvings == 0 {
		return nil, nil, false
	}
	lines, err := b.lines()
	if err != nil || bytes.Count(lines, []byte{'\n'}) != b.count {
		return nil, nil, false
	}
	*b.halvings--
	at := 0
	for range b.count / 2 {
		at += bytes.IndexByte(lines[at:], '\n') + 1
	}
	part := func(body []byte, count int) *batch {
		return &batch{sensor: b.sensor, body: body, first: b.first, last: b.last,
			count: count, origin: b.origin, halvings: b.halvings}
	}
	return part(lines[:at], b.count/2), part(lines[at:], b.count-b.count/2), true
}
