package model

import "math/bits"

const (
	offset64 = 0xcbf29ce484222325
	prime64  = 0x100000001b3
	offset32 = 2166136261
	prime32  = 16777619
)

// lineSize is how many hashes a cache line holds.
const lineSize = 8

// hashSet finds 64-bit hashes in a table of cache lines. The top bits of a hash choose its
// line, one that is full is continued in the next. With two to four hashes a line on
// the average, nearly every look-up reads one line and no more.
type hashSet struct {
	lines [][lineSize]uint64 // from the left; 0 is free
	shift uint
	zero  bool // whether the hash 0 is in the set: the last slot is its
}

func newHashSet(hashes []uint64) hashSet {
	width := max(bits.Len(uint(len(hashes)))-2, 1)
	// One line more than there is a choice of, which stays free, so that a search always ends.
	s := hashSet{lines: make([][lineSize]uint64, 1<<width+2), shift: uint(64 - width)}
	for _, hash := range hashes {
		s.insert(hash)
	}
	return s
}

func (s *hashSet) insert(hash uint64) {
	if hash == 0 {
		s.zero = true
		return
	}
	for line := hash >> s.shift; ; line++ {
		if line+2 >= uint64(len(s.lines)) { // a crowd at the very end: make room
			s.lines = append(s.lines, [lineSize]uint64{})
		}
		for i, there := range s.lines[line] {
			if there == 0 {
				s.lines[line][i] = hash
				return
			}
		}
	}
}

// slots is the number of places that find can give.
func (s *hashSet) slots() int { return len(s.lines) * lineSize }

// find gives the slot of a hash, -1 if it is not in the set.
func (s *hashSet) find(hash uint64) int {
	if hash == 0 {
		if s.zero {
			return s.slots() - 1
		}
		return -1
	}
	for at := hash >> s.shift; at < uint64(len(s.lines)); at++ {
		line := &s.lines[at]
		slot := -1
		for i, there := range line {
			if there == hash {
				slot = i
			}
		}
		if slot >= 0 {
			return int(at)*lineSize + slot
		}
		if line[lineSize-1] == 0 {
			break
		}
	}
	return -1
}
