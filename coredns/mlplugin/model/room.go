package model

import "sync"

// room is what the work on one name needs for a while, larger than the stack that a query's
// goroutine begins with: a stack that has to grow costs as much as the work itself. Whoever
// takes it finds what was left in it.
type room struct {
	starts   [maxLabels]int32
	hashes   [maxLabels]uint64
	features features
	space    workspace
	text     text
	active   seen
	sums     sums
}

// rooms are those that nobody uses.
var rooms = sync.Pool{New: func() any { return new(room) }}
