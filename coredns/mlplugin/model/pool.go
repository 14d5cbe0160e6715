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

// sum adds up the rows of all n-grams of a token. It returns their number.
func (t *table) sum(token []byte, region int, sums *[maxColumns]int32) int {
	*sums = [maxColumns]int32{}
	n := t.total(len(token))
	for i := range sums[:t.words*laneBytes] {
		sums[i] = int32(-bias * n)
	}
	for start := 0; start < len(token); start += t.chunk {
		stop := min(start+t.chunk, len(token))
		switch {
		case t.rows4 == nil:
			t.sumWide(token, start, stop, seed(region), sums)
		case t.words == 3:
			t.sum3(token, start, stop, seed(region), sums)
		default:
			t.sum4(token, start, stop, seed(region), sums)
		}
	}
	return n
}

// sum3 adds the rows of the n-grams that begin in [start, stop): three words a row, by far the usual.
func (t *table) sum3(token []byte, start, stop int, seed uint32, sums *[maxColumns]int32) {
	var a, b, c, d, e, f uint64
	rows, mask := t.rows4, t.mask
	for ; start < stop; start++ {
		gram := token[start:min(start+t.high, len(token))]
		h := seed
		for i, char := range gram {
			h = (h ^ uint32(char)) * prime32
			if i+1 < t.low {
				continue
			}
			row := &rows[(h^h>>16)&mask]
			u, v, w := row[0], row[1], row[2]
			a += u & evenLanes
			b += u >> 8 & evenLanes
			c += v & evenLanes
			d += v >> 8 & evenLanes
			e += w & evenLanes
			f += w >> 8 & evenLanes
		}
	}
	drain(sums, 0, a, b)
	drain(sums, 1, c, d)
	drain(sums, 2, e, f)
}

// sum4 does the same for rows of one to four words.
func (t *table) sum4(token []byte, start, stop int, seed uint32, sums *[maxColumns]int32) {
	var lanes [8]uint64
	for ; start < stop; start++ {
		gram := token[start:min(start+t.high, len(token))]
		h := seed
		for i, char := range gram {
			h = (h ^ uint32(char)) * prime32
			if i+1 < t.low {
				continue
			}
			for w, word := range t.rows4[t.bucket(h)] {
				lanes[2*w] += word & evenLanes
				lanes[2*w+1] += word >> 8 & evenLanes
			}
		}
	}
	for w := range t.words {
		drain(sums, w, lanes[2*w], lanes[2*w+1])
	}
}

// sumWide does the same for rows of any width.
func (t *table) sumWide(token []byte, start, stop int, seed uint32, sums *[maxColumns]int32) {
	var lanes [2 * maxColumns / laneBytes]uint64
	for ; start < stop; start++ {
		gram := token[start:min(start+t.high, len(token))]
		h := seed
		for i, char := range gram {
			h = (h ^ uint32(char)) * prime32
			if i+1 < t.low {
				continue
			}
			at := int(t.bucket(h)) * t.words
			for w, word := range t.rows[at : at+t.words] {
				lanes[2*w] += word & evenLanes
				lanes[2*w+1] += word >> 8 & evenLanes
			}
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
