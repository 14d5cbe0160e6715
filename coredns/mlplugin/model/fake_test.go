package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"testing/fstest"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// rules are public suffix rules with all kinds of flags.
var rules = map[string]uint8{
	"com": 1, "org": 1, "net": 1, "dev": 1, "io": 1, "uk": 1, "co.uk": 1, "de": 1,
	"jp": 1, "kobe.jp": 2, "city.kobe.jp": 4, "ck": 2, "www.ck": 4,
	"pages.dev": 1 | 8, "github.io": 1 | 8, "compute.example.net": 2 | 8,
	"both.de": 1 | 2,
}

// reputed are the registered domains that a fake model knows for years.
var reputed = []string{"wikipedia.org", "bbc.co.uk"}

// fake is a model with random numbers, to be written out as a directory.
type fake struct {
	config   map[string]any
	names    []string // of the tensors, in the order of the file
	dtypes   map[string]string
	shapes   map[string][]int
	contents map[string][]byte
}

// size says how large a fake model is.
type size struct {
	dimensions, hidden, buckets, filler int
	look                                lookSize // if all zero, smallLook
}

// lookSize says how large its second look is.
type lookSize struct{ window, filters, hidden, longest int }

var (
	small     = size{dimensions: 16, hidden: 8, buckets: 512, look: smallLook}
	smallLook = lookSize{window: 5, filters: 10, hidden: 9, longest: 40}
)

// looksFrom is the score from which a fake model looks twice: about half of the names reach it.
const looksFrom = 34.0

func newFake(s size) *fake {
	if s.look == (lookSize{}) {
		s.look = smallLook
	}
	random := rand.New(rand.NewPCG(1, 2))
	columns := s.dimensions + verdict.ThreatCount
	f := &fake{dtypes: map[string]string{}, shapes: map[string][]int{}, contents: map[string][]byte{}}
	f.put("table", "I8", int8s(random, s.buckets*columns), s.buckets, columns)
	f.put("table_scale", "F32", floats(random, columns, 0.01), columns)
	f.put("w1", "F32", floats(random, s.hidden*3*s.dimensions, 0.5), s.hidden, 3*s.dimensions)
	f.put("b1", "F32", floats(random, s.hidden, 0.3), s.hidden)
	f.put("w2", "F32", floats(random, s.hidden*verdict.ThreatCount, 0.5), verdict.ThreatCount, s.hidden)
	f.put("b2", "F32", floats(random, verdict.ThreatCount, 1), verdict.ThreatCount)

	flags := map[uint64]uint8{}
	for rule, flag := range rules {
		flags[fnv1a(rule)] = flag
	}
	known := []uint64{}
	for _, domain := range reputed {
		known = append(known, fnv1a(domain))
	}
	for range s.filler {
		known = append(known, random.Uint64())
		if len(flags) < 10000 {
			flags[random.Uint64()] = rulePlain
		}
	}
	hashes := make([]uint64, 0, len(flags))
	for hash := range flags {
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)
	slices.Sort(known)
	kinds := make([]byte, len(hashes))
	for i, hash := range hashes {
		kinds[i] = flags[hash]
	}
	f.put("suffix_hash", "U64", uint64s(hashes), len(hashes))
	f.put("suffix_flag", "U8", kinds, len(hashes))
	f.put("suffix_weight", "I8", int8s(random, len(hashes)*verdict.ThreatCount), len(hashes), verdict.ThreatCount)
	f.put("suffix_scale", "F32", floats(random, 1, 0.02), 1)
	f.put("reputation", "U64", uint64s(known), len(known))
	f.putLook(random, s.look)
	f.config = fakeConfig(s)
	return f
}

func (f *fake) putLook(random *rand.Rand, s lookSize) {
	const threats = verdict.ThreatCount
	scales := make([]byte, 0, 4*s.filters)
	for range s.filters {
		scales = binary.LittleEndian.AppendUint32(scales, math.Float32bits(0.001+0.002*random.Float32()))
	}
	f.put("look_table", "I8", int8s(random, s.window*symbolCount*s.filters), s.window, symbolCount, s.filters)
	f.put("look_scale", "F32", scales, s.filters)
	f.put("look_bias", "F32", floats(random, s.filters, 0.5), s.filters)
	f.put("look_w1", "F32", floats(random, s.hidden*s.filters, 0.2), s.hidden, s.filters)
	f.put("look_b1", "F32", floats(random, s.hidden, 0.3), s.hidden)
	f.put("look_w2", "F32", floats(random, threats*s.hidden, 0.2), threats, s.hidden)
	f.put("look_w3", "F32", floats(random, threats*s.filters, 0.1), threats, s.filters)
	f.put("look_b2", "F32", floats(random, threats, 1), threats)
}

// from has the fake look twice at names from this score on.
func (f *fake) from(score float64) *fake {
	f.config["look"].(map[string]any)["from"] = score
	return f
}

// looksAs has every second look of the fake give a score.
func (f *fake) looksAs(score float64) *fake {
	calibration := f.config["look"].(map[string]any)["calibration"].(map[string]any)
	calibration["overall"] = map[string]any{"in": []float64{0}, "score": []float64{score}}
	return f
}

func fakeConfig(s size) map[string]any {
	prior, curves := map[string]any{}, map[string]any{}
	lookPrior, lookCurves := map[string]any{}, map[string]any{}
	for i, threat := range threats() {
		prior[threat] = float64(i) / 10
		curves[threat] = map[string]any{"logit": ramp(-4, 4, 40), "score": ramp(0, 60, 40)}
		lookPrior[threat] = 1 - float64(i)/4
		lookCurves[threat] = map[string]any{"logit": ramp(-5, 5, 30), "score": ramp(2, 58, 30)}
	}
	return map[string]any{
		"format": 2, "version": "1.2.3", "created": "2026-11-23T00:00:00Z", "data_cutoff": "2026-01-03",
		"threats": threats(), "regions": regions[:],
		"ngram":      map[string]any{"min": 2, "max": 5, "buckets": s.buckets},
		"dimensions": s.dimensions, "hidden": s.hidden,
		"pooling": map[string]any{"bag": 1.0, "linear": 0.5},
		"prior":   prior,
		"calibration": map[string]any{
			"threats": curves,
			"overall": map[string]any{"in": ramp(0, 61, 40), "score": ramp(0, 60, 40)},
		},
		"look": map[string]any{
			"from": looksFrom, "window": s.look.window, "filters": s.look.filters,
			"hidden": s.look.hidden, "longest": s.look.longest, "share": 0.4, "prior": lookPrior,
			"calibration": map[string]any{
				"threats": lookCurves,
				"overall": map[string]any{"in": ramp(10, 66, 30), "score": ramp(looksFrom-5, 60, 30)},
			},
		},
		"thresholds": map[string]any{"suspicious": 30.0, "malicious": 37.0},
	}
}

func (f *fake) put(name, dtype string, content []byte, shape ...int) {
	if _, there := f.contents[name]; !there {
		f.names = append(f.names, name)
	}
	f.dtypes[name], f.shapes[name], f.contents[name] = dtype, shape, content
}

// weights writes the safetensors file.
func (f *fake) weights() []byte {
	header, at := map[string]any{"__metadata__": map[string]string{"made": "for tests"}}, 0
	for _, name := range f.names {
		end := at + len(f.contents[name])
		header[name] = map[string]any{"dtype": f.dtypes[name], "shape": f.shapes[name], "data_offsets": []int{at, end}}
		at = end
	}
	var out bytes.Buffer
	text, _ := json.Marshal(header)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	out.Write(text)
	for _, name := range f.names {
		out.Write(f.contents[name])
	}
	return out.Bytes()
}

// dir writes the model directory.
func (f *fake) dir() fstest.MapFS { return f.dirWith(f.weights()) }

// dirWith writes the model directory with other weights, hash and size to match.
func (f *fake) dirWith(weights []byte) fstest.MapFS {
	sum := sha256.Sum256(weights)
	f.config["weights"] = map[string]any{
		"file": "weights.safetensors", "sha256": hex.EncodeToString(sum[:]), "bytes": len(weights),
	}
	text, _ := json.Marshal(f.config)
	return fstest.MapFS{configFile: {Data: text}, "weights.safetensors": {Data: weights}}
}

func load(tb testing.TB, f *fake) *Model {
	tb.Helper()
	m, err := Load(f.dir())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// float reads one number of a tensor, as the format says it is stored.
func (f *fake) float(name string, at int) float64 {
	switch content := f.contents[name]; f.dtypes[name] {
	case "I8":
		return float64(int8(content[at]))
	default:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(content[4*at:])))
	}
}

// row finds a suffix rule.
func (f *fake) row(rule string) int {
	content := f.contents["suffix_hash"]
	return sort.Search(len(content)/8, func(i int) bool {
		return binary.LittleEndian.Uint64(content[8*i:]) >= fnv1a(rule)
	})
}

func fnv1a(text string) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(text))
	return hash.Sum64()
}

func int8s(random *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.IntN(255) - 127)
	}
	return out
}

func floats(random *rand.Rand, n int, scale float64) []byte {
	out := make([]byte, 0, 4*n)
	for range n {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(random.NormFloat64()*scale)))
	}
	return out
}

func uint64s(values []uint64) []byte {
	out := make([]byte, 0, 8*len(values))
	for _, value := range values {
		out = binary.LittleEndian.AppendUint64(out, value)
	}
	return out
}

func ramp(low, high float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = low + (high-low)*float64(i)/float64(n-1)
	}
	return out
}
