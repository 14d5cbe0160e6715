package model

import (
	"math"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// A row of the table is kept as lanes of 10 bits, six to a word and 24 to four words, with the
// int8 biased to be unsigned. So four rows are added word by word before any lane could run over; then
// their sum moves on into lanes of 20 bits, which hold the sum of any token's chunk.
const (
	laneBits   = 10
	laneMask   = 1<<laneBits - 1
	wordLanes  = 6
	rowWords   = 4
	rowLanes   = rowWords * wordLanes
	bias       = 128 // what makes an int8 unsigned
	addable    = laneMask / 255
	wideBits   = 2 * laneBits
	wideMask   = 1<<wideBits - 1
	evenLanes  = laneMask * (1 + 1<<wideBits + 1<<(2*wideBits))
	maxColumns = (maxDimensions + verdict.ThreatCount + rowLanes - 1) / rowLanes * rowLanes
	chunkGrams = 256       // n-grams that are summed at a time
	tokenRoom  = 4*255 + 2 // the longest name, every octet escaped, and the marks of its ends
	usualLow   = 2
	usualHigh  = 5
	usualGrams = usualHigh - usualLow + 1
)

// table is the hashed table of rows. With up to 24 columns a row has 32 bytes and never
// straddles two cache lines; with more it goes on in further rows.
type table struct {
	rows   [][rowWords]uint64
	blocks int // rows that belong to one bucket
	mask   uint32
	low    int // shortest n-gram
	high   int // longest n-gram
	counts grams
}

// grams has what depends on the number of n-grams alone.
type grams struct {
	bag, linear []float64 // n^-pooling.bag, n^-pooling.linear
	powerBag    float64
	powerLinear float64
}

func newTable(data []byte, columns int, c *config) table {
	t := table{
		blocks: (columns + rowLanes - 1) / rowLanes,
		mask:   uint32(*c.Ngram.Buckets - 1),
		low:    *c.Ngram.Min,
		high:   *c.Ngram.Max,
	}
	t.counts = newGrams(*c.Pooling.Bag, *c.Pooling.Linear, (t.high-t.low+1)*tokenRoom)
	t.rows = make([][rowWords]uint64, *c.Ngram.Buckets*t.blocks)
	for b := range *c.Ngram.Buckets {
		rows := t.rows[b*t.blocks : (b+1)*t.blocks]
		for i, v := range data[b*columns : (b+1)*columns] {
			word := &rows[i/rowLanes][i%rowLanes/wordLanes]
			*word |= uint64(int(int8(v))+bias) << (laneBits * (i % wordLanes))
		}
	}
	return t
}

// value is the number in a column of a bucket's row.
func (t *table) value(bucket uint32, column int) float64 {
	word := t.rows[int(bucket)*t.blocks+column/rowLanes][column%rowLanes/wordLanes]
	return float64(int(word>>(laneBits*(column%wordLanes))&laneMask) - bias)
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

// bucket is the place of an n-gram with this hash.
func (t *table) bucket(hash uint32) uint32 { return (hash ^ hash>>16) & t.mask }

// workspace is the room that the pooling of one name needs, all regions one after the other.
type workspace struct {
	token   [tokenRoom]byte
	places  [chunkGrams]uint32 // of the first row of each n-gram's bucket
	sums    [maxColumns]int32
	touched uint64
}

// sum adds up the rows of all n-grams of a token into the sums of the workspace. It returns their number.
func (t *table) sum(token []byte, region int, space *workspace) int {
	n := t.total(len(token))
	sums := space.sums[:t.blocks*rowLanes]
	for i := range sums {
		sums[i] = int32(-bias * n)
	}
	chunk := chunkGrams / (t.high - t.low + 1)
	for start := 0; start < len(token); start += chunk {
		places := t.places(token, start, min(start+chunk, len(token)), region, space)
		for block := range t.blocks {
			rows, sums := t.rows[block:], sums[block*rowLanes:]
			sumFirst(rows, places, sums)
			sumLast(rows, places, sums)
		}
	}
	return n
}

// places finds the rows of the n-grams that begin in [start, stop). It also touches each: so
// short a loop has the processor fetch a score of rows at a time, where the longer loop that adds
// them up would have it fetch few. The table does not fit the nearer caches; waiting for it is
// most of what a name costs.
func (t *table) places(token []byte, start, stop, region int, space *workspace) []uint32 {
	n, first := 0, seed(region)
	if t.low == usualLow && t.high == usualHigh && t.blocks == 1 {
		n = t.usualPlaces(token, start, stop, first, space)
		start += n / usualGrams
	}
	for ; start < stop; start++ {
		h := first
		for i, char := range token[start:min(start+t.high, len(token))] {
			h = (h ^ uint32(char)) * prime32
			if i+1 >= t.low {
				space.places[n] = t.bucket(h) * uint32(t.blocks)
				n++
			}
		}
	}
	return space.places[:n]
}

// usualPlaces is the same, unrolled for n-grams of 2 to 5 bytes and without the last few of a token.
func (t *table) usualPlaces(token []byte, start, stop int, first uint32, space *workspace) int {
	n, touched, rows, mask := 0, uint64(0), t.rows, t.mask
	for ; start < stop && start+usualHigh <= len(token); start++ {
		gram := token[start : start+usualHigh : start+usualHigh]
		h := (first ^ uint32(gram[0])) * prime32
		h = (h ^ uint32(gram[1])) * prime32
		a := (h ^ h>>16) & mask
		h = (h ^ uint32(gram[2])) * prime32
		b := (h ^ h>>16) & mask
		h = (h ^ uint32(gram[3])) * prime32
		c := (h ^ h>>16) & mask
		h = (h ^ uint32(gram[4])) * prime32
		d := (h ^ h>>16) & mask
		out := space.places[n : n+usualGrams : n+usualGrams]
		out[0], out[1], out[2], out[3] = a, b, c, d
		n += usualGrams
		touched ^= rows[a][0] ^ rows[b][0] ^ rows[c][0] ^ rows[d][0]
	}
	space.touched ^= touched // or the compiler would leave the reading out
	return n
}

// sumFirst adds the first two words of rows; two at a time is what the registers have room for.
func sumFirst(rows [][rowWords]uint64, places []uint32, sums []int32) {
	var even0, odd0, even1, odd1 uint64
	for ; len(places) >= addable; places = places[addable:] {
		p := places[:addable]
		a, b, c, d := &rows[p[0]], &rows[p[1]], &rows[p[2]], &rows[p[3]]
		u, v := a[0]+b[0]+c[0]+d[0], a[1]+b[1]+c[1]+d[1]
		even0 += u & evenLanes
		odd0 += u >> laneBits & evenLanes
		even1 += v & evenLanes
		odd1 += v >> laneBits & evenLanes
	}
	for _, place := range places {
		u, v := rows[place][0], rows[place][1]
		even0 += u & evenLanes
		odd0 += u >> laneBits & evenLanes
		even1 += v & evenLanes
		odd1 += v >> laneBits & evenLanes
	}
	drain(sums, even0, odd0)
	drain(sums[wordLanes:], even1, odd1)
}

// sumLast adds the other two words.
func sumLast(rows [][rowWords]uint64, places []uint32, sums []int32) {
	var even0, odd0, even1, odd1 uint64
	for ; len(places) >= addable; places = places[addable:] {
		p := places[:addable]
		a, b, c, d := &rows[p[0]], &rows[p[1]], &rows[p[2]], &rows[p[3]]
		u, v := a[2]+b[2]+c[2]+d[2], a[3]+b[3]+c[3]+d[3]
		even0 += u & evenLanes
		odd0 += u >> laneBits & evenLanes
		even1 += v & evenLanes
		odd1 += v >> laneBits & evenLanes
	}
	for _, place := range places {
		u, v := rows[place][2], rows[place][3]
		even0 += u & evenLanes
		odd0 += u >> laneBits & evenLanes
		even1 += v & evenLanes
		odd1 += v >> laneBits & evenLanes
	}
	drain(sums[2*wordLanes:], even0, odd0)
	drain(sums[3*wordLanes:], even1, odd1)
}

// drain adds the wide lanes of a word's even and odd columns to the sums.
func drain(sums []int32, even, odd uint64) {
	sums = sums[:wordLanes]
	for i := 0; i < wordLanes; i += 2 {
		sums[i] += int32(even & wideMask)
		sums[i+1] += int32(odd & wideMask)
		even, odd = even>>wideBits, odd>>wideBits
	}
}
