package mlplugin

import (
	"sync/atomic"
	"time"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// cacheSlots is the number of verdicts that a cache holds, a power of two: 2 MiB.
const cacheSlots = 1 << 17

// slot is one verdict under the hash of its name. Neither half is locked: check ties
// value to hash, so that halves of different writers do not match.
type slot struct{ check, value atomic.Uint64 }

// checkOf gives the check of a value. The factor keeps alike values from having alike checks.
func checkOf(hash, value uint64) uint64 { return hash ^ value*0x9e3779b97f4a7c15 }

// cache holds verdicts of names, without locks and without allocation. A name is known
// by its 64-bit hash, whose seed nobody outside knows.
type cache struct{ slots []slot }

func newCache() *cache { return &cache{slots: make([]slot, cacheSlots)} }

// get gives the value under the hash, 0 for none.
func (c *cache) get(hash uint64) uint64 {
	s := &c.slots[hash&(cacheSlots-1)]
	value := s.value.Load()
	if s.check.Load() != checkOf(hash, value) {
		return 0
	}
	return value
}

// put keeps the value, in place of whatever was in the slot.
func (c *cache) put(hash, value uint64) {
	s := &c.slots[hash&(cacheSlots-1)]
	s.value.Store(value)
	s.check.Store(checkOf(hash, value))
}

// A ruling is packed as, from the lowest bit: 1 (so that nothing packs to 0), level 2,
// threat 3, source 3, step 3, disputed 1, second of its making 19, length of the registered
// domain 8, score 24.
const (
	levelShift  = 1
	threatShift = levelShift + 2
	sourceShift = threatShift + 3
	stepShift   = sourceShift + 3
	disputeBit  = stepShift + 3
	bornShift   = disputeBit + 1
	domainShift = bornShift + 19
	scoreShift  = domainShift + 8

	bornMask = 1<<19 - 1
	// longDomain stands for a length that has no room: the name is to be split again.
	longDomain = 1<<8 - 1
	// scoreUnit is the resolution of a packed score, whose range is 0 to 64.
	scoreUnit = 64.0 / (1 << (64 - scoreShift))
)

// pack gives a ruling as one word. It must not be one of an override.
func pack(r ruling, born time.Time) uint64 {
	score := uint64(min(max(r.Score, 0), 63)/scoreUnit + 0.5)
	var disputed uint64
	if r.disputed {
		disputed = 1 << disputeBit
	}
	return 1 | disputed |
		uint64(r.Level)<<levelShift |
		uint64(r.Threat)<<threatShift |
		uint64(r.Source)<<sourceShift |
		uint64(r.step)<<stepShift |
		(uint64(born.Unix())&bornMask)<<bornShift |
		uint64(r.domain)<<domainShift |
		score<<scoreShift
}

// unpack is the inverse of pack; a score comes back within 2e-6.
func unpack(value uint64) ruling {
	return ruling{
		Verdict: verdict.Verdict{
			Level:  verdict.Level(value >> levelShift & 3),
			Threat: verdict.Threat(value >> threatShift & 7),
			Source: verdict.Source(value >> sourceShift & 7),
			Score:  float64(value>>scoreShift) * scoreUnit,
		},
		step:     step(value >> stepShift & 7),
		disputed: value>>disputeBit&1 == 1,
		domain:   uint8(value >> domainShift),
	}
}

// age is how many seconds ago a packed ruling was made, modulo six days.
func age(value uint64, now time.Time) uint64 {
	return (uint64(now.Unix()) - value>>bornShift) & bornMask
}
