package policy

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// nameSet holds listed names as hashes with a seed of this process: eight bytes a name and little
// more, as a list has millions of them. They are added, then sealed, then looked for.
type nameSet struct {
	seed maphash.Seed
	// hashes ascend once sealed, each once. The lowest bit is not the hash's: it says deniedBit.
	hashes []uint64
	// starts has the place of the first hash with these top bits, and where the last ends.
	starts []uint32
	shift  uint
}

// deniedBit is set where a name is denied. Allowed comes first among equal hashes, and wins.
const deniedBit = 1

// crowd is how many hashes share a start, on the average: they lie side by side in memory.
const crowd = 4

func newNameSet() nameSet { return nameSet{seed: maphash.MakeSeed()} }

func (n *nameSet) add(name string, side Side) {
	hash := maphash.String(n.seed, name) &^ deniedBit
	if side == Denied {
		hash |= deniedBit
	}
	n.hashes = append(n.hashes, hash)
}

// seal makes names findable; none is added after it.
func (n *nameSet) seal() {
	slices.Sort(n.hashes)
	distinct := slices.CompactFunc(n.hashes, func(a, b uint64) bool { return a&^deniedBit == b&^deniedBit })
	n.hashes = slices.Clone(distinct) // without the room that was left for more
	width := bits.Len(uint(len(n.hashes) / crowd))
	n.shift = uint(64 - width)
	n.starts = make([]uint32, 1<<width+1)
	for _, hash := range n.hashes {
		n.starts[hash>>n.shift+1]++
	}
	for i, before := range n.starts[:len(n.starts)-1] {
		n.starts[i+1] += before
	}
}

// find says on which side a name stands by itself.
func (n *nameSet) find(name string) Side {
	hash := maphash.String(n.seed, name) &^ deniedBit
	at := hash >> n.shift
	for _, there := range n.hashes[n.starts[at]:n.starts[at+1]] {
		if there&^deniedBit == hash {
			return Allowed + Side(there&deniedBit)
		}
	}
	return None
}

func (n *nameSet) len() int { return len(n.hashes) }
