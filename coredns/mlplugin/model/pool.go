package model

import (
	"encoding/binary"
	"math"
)

const (
	laneBytes = 8    // columns in a word
	bias      = 0x80 // added to an int8 to make it unsigned
	evenLanes = 0x00ff00ff00ff00ff
	// laneRoom is how many rows a 16-bit lane takes before it could overflow.
	laneRoom = math.MaxUint16 / math.MaxUint8

	maxColumns = 96 // of maxDimensions and the threats, in whole words
)

// table is the hashed table of rows. A row's columns are held as biased bytes, eight
// a word, so that eight columns are added by two additions; 32-byte rows never straddle two
// cache lines.
type table struct {
	words  int // in a row
	rows   []uint64
	rows4  [][4]uint64 // instead of rows where a row fits
	mask   uint32
	low    int // shortest n-gram
	high   int // longest n-gram
	chunk  int // starts after which the lanes must be emptied
	counts grams
}

// grams has what depends on the number of n-grams alone.
type grams struct {
	bag, linear []float64 // n^-pooling.bag, n^-pooling.linear
	powerBag    float64
	powerLinear float64
}

// tokenRoom is enough for the longest name, every octet escaped, and the marks of its ends.
const tokenRoom = 4*255 + 2

func newTable(data []byte, columns int, c *config) table {
	t := table{
		words: (columns + laneBytes - 1) / laneBytes,
		mask:  uint32(*c.Ngram.Buckets - 1),
		low:   *c.Ngram.Min,
		high:  *c.Ngram.Max,
	}
	t.chunk = laneRoom / (t.high - t.low + 1)
	t.counts = newGrams(*c.Pooling.Bag, *c.Pooling.Linear, (t.high-t.low+1)*tokenRoom)
	var row [maxColumns]byte
	if t.words <= 4 {
		t.rows4 = make([][4]uint64, *c.Ngram.Buckets)
	} else {
		t.rows = make([]uint64, *c.Ngram.Buckets*t.words)
	}
	for b := range *c.Ngram.Buckets {
		for i, v := range data[b*columns : (b+1)*columns] {
			row[i] = v ^ bias
		}
		for w := range t.words {
			word := binary.LittleEndian.Uint64(row[w*laneBytes:])
			if t.rows4 != nil {
				t.rows4[b][w] = word
			} else {
				t.rows[b*t.words+w] = word
			}
		}
	}
	return t
}

func newGrams(bag, linear float64, largest int) grams {
	g := grams{make([]float64, largest+1), make([]float64, largest+1), bag, linear}
	for n := 1; n <= largest; n++ {
		g.bag[n], g.linear[n] = math.Pow(float64(n), -bag), math.Pow(float64(n), -linear)
	}
	return g
}

// of gives the two factors for n n-grams.
func (g *grams) of(n int) (bag, linear float64) {
	if n < len(g.bag) {
		return g.bag[n], g.linear[n]
	}
	return math.Pow(float64(n), -g.powerBag), math.Pow(float64(n), -g.powerLinear)
}

// total is the number of n-grams in a token of this many bytes.
func (t *table) total(length int) int {
	n := 0
	for size := t.low; size <= t.high && size <= length; size++ {
		n += length - size + 1
	}
	return n
}

// seed is the hash of an n-gram of the region before its first byte.
func seed(region int) uint32 {
	var h uint32 = offset32
	return (h ^ uint32(region+1)) * prime32
}

// bucket is the row of an n-gram with this hash.
func (t *table) bucket(hash uint32) uint32 { return (hash ^ hash>>16) & t.mask }

// workspace is the room that the pooling of one name needs, all regions one after the other.
type workspace struct {
	token   [tokenRoom]byte
	buckets [laneRoom]uint32
	sums    [maxColumns]int32
	touched uint64
}

// sum adds up the rows of all n-grams of a token into the sums of the workspace. It returns their number.
func (t *table) sum(token []byte, region int, space *workspace) int {
	n := t.total(len(token))
	sums := space.sums[:t.words*laneBytes]
	for i := range sums {
		sums[i] = int32(-bias * n)
	}
	for start := 0; start < len(token); start += t.chunk {
		buckets := t.hash(token, start, min(start+t.chunk, len(token)), region, space)
		switch {
		case t.rows4 == nil:
			t.sumWide(buckets, &space.sums)
		case t.words == 3:
			t.sum3(buckets, &space.sums)
		default:
			t.sum4(buckets, &space.sums)
		}
	}
	return n
}

// hash gives the buckets of the n-grams that begin in [start, stop). It also touches each row: so
// short a loop has the processor fetch a score of rows at a time, where the longer loop that adds
// them up would have it fetch few. The table does not fit the nearer caches; waiting for it is
// most of what a name costs.
func (t *table) hash(token []byte, start, stop, region int, space *workspace) []uint32 {
	n, touched, first := 0, uint64(0), seed(region)
	for ; start < stop; start++ {
		h := first
		for i, char := range token[start:min(start+t.high, len(token))] {
			h = (h ^ uint32(char)) * prime32
			if i+1 < t.low {
				continue
			}
			bucket := t.bucket(h)
			space.buckets[n] = bucket
			n++
			if int(bucket) < len(t.rows4) {
				touched ^= t.rows4[bucket][0]
			}
		}
	}
	space.touched ^= touched // or the compiler would leave the reading out
	return space.buckets[:n]
}

// sum3 adds rows of three words, by far the usual.
func (t *table) sum3(buckets []uint32, sums *[maxColumns]int32) {
	var a, b, c, d, e, f uint64
	rows := t.rows4
	for _, bucket := range buckets {
		row := &rows[bucket]
		u, v, w := row[0], row[1], row[2]
		a += u & evenLanes
		b += u >> 8 & evenLanes
		c += v & evenLanes
		d += v >> 8 & evenLanes
		e += w & evenLanes
		f += w >> 8 & evenLanes
	}
	drain(sums, 0, a, b)
	drain(sums, 1, c, d)
	drain(sums, 2, e, f)
}

// sum4 adds rows of one to four words.
func (t *table) sum4(buckets []uint32, sums *[maxColumns]int32) {
	var lanes [8]uint64
	for _, bucket := range buckets {
		for w, word := range t.rows4[bucket] {
			lanes[2*w] += word & evenLanes
			lanes[2*w+1] += word >> 8 & evenLanes
		}
	}
	for w := range t.words {
		drain(sums, w, lanes[2*w], lanes[2*w+1])
	}
}

// sumWide adds rows of any width.
func (t *table) sumWide(buckets []uint32, sums *[maxColumns]int32) {
	var lanes [2 * maxColumns / laneBytes]uint64
	for _, bucket := range buckets {
		at := int(bucket) * t.words
		for w, word := range t.rows[at : at+t.words] {
			lanes[2*w] += word & evenLanes
			lanes[2*w+1] += word >> 8 & evenLanes
		}
	}
	for w := range t.words {
		drain(sums, w, lanes[2*w], lanes[2*w+1])
	}
}

// drain adds the lanes of a word's even and odd columns to the sums.
func drain(sums *[maxColumns]int32, word int, even, odd uint64) {
	for i := 0; i < laneBytes; i += 2 {
		sums[word*laneBytes+i] += int32(even & math.MaxUint16)
		sums[word*laneBytes+i+1] += int32(odd & math.MaxUint16)
		even, odd = even>>16, odd>>16
	}
}

// value is the unbiased number in a column of a row.
func (t *table) value(bucket uint32, column int) float64 {
	var word uint64
	if t.rows4 != nil {
		word = t.rows4[bucket][column/laneBytes]
	} else {
		word = t.rows[int(bucket)*t.words+column/laneBytes]
	}
	return float64(int8(byte(word>>(8*(column%laneBytes))) ^ bias))
}
