package model

import "math/bits"

const (
	offset64 = 0xcbf29ce484222325
	prime64  = 0x100000001b3
	offset32 = 2166136261
	prime32  = 16777619
)

// hashSet finds a 64-bit hash in a sorted list. The top bits choose a stretch of
// about four hashes, so that a look-up touches two cache lines whatever the size.
type hashSet struct {
	sorted []uint64
	starts []uint32 // starts[top] to starts[top+1] is the stretch of top
	shift  uint
}

func newHashSet(sorted []uint64) hashSet {
	width := max(bits.Len(uint(len(sorted)))-2, 1)
	set := hashSet{sorted, make([]uint32, 1<<width+1), uint(64 - width)}
	for _, hash := range sorted {
		set.starts[hash>>set.shift+1]++
	}
	for i := 1; i < len(set.starts); i++ {
		set.starts[i] += set.starts[i-1]
	}
	return set
}

// find gives the place of the hash in the list, -1 if it is not there.
func (s *hashSet) find(hash uint64) int {
	top := hash >> s.shift
	low, high := int(s.starts[top]), int(s.starts[top+1])
	for high-low > 8 { // a crowded stretch must not make the look-up long
		middle := int(uint(low+high) / 2)
		if s.sorted[middle] <= hash {
			low = middle
		} else {
			high = middle
		}
	}
	for ; low < high; low++ {
		if s.sorted[low] == hash {
			return low
		}
	}
	return -1
}
