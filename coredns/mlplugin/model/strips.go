package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// A strip is as many sums as go side by side in vectors, a block in one of them. Without vectors a block
// goes at a time: of more sums than four some would not stay in registers.
const (
	stripSize = 24
	blockSize = 4
	maxStrips = (verdict.ThreatCount + max(maxHidden, maxLookHidden) + stripSize - 1) / stripSize
)

// strips are weighted sums of inputs, all sums side by side.
type strips []strip

// strip is some of them. Those that fill up the last block are all zero.
type strip struct {
	weights [][blockSize]float64 // for each input, block after block
	inputs  int
	biases  [stripSize]float64
	blocks  int // that are in use
}

// block is the weights of all inputs in the sums of a block.
func (s *strip) block(block int) [][blockSize]float64 { return s.weights[block*s.inputs:][:s.inputs] }

// weight is that of an input in one of the sums.
func (s *strip) weight(input, sum int) *float64 {
	return &s.block(sum / blockSize)[input][sum%blockSize]
}

// sums is room for those of all strips.
type sums [maxStrips * stripSize]float64

// everyInput names the inputs of the first look, all in their order.
var everyInput = func() (places [len(regions) * maxDimensions]uint16) {
	for i := range places {
		places[i] = uint16(i)
	}
	return places
}()

// newStrips takes the weights of one sum after those of the other.
func newStrips(weights, biases []float64, inputs int) strips {
	s := make(strips, (len(biases)+stripSize-1)/stripSize)
	for i := range s {
		s[i].inputs, s[i].weights = inputs, make([][blockSize]float64, inputs*stripSize/blockSize)
		used := copy(s[i].biases[:], biases[i*stripSize:])
		s[i].blocks = (used + blockSize - 1) / blockSize
	}
	for i, weight := range weights {
		sum, input := i/inputs, i%inputs
		*s[sum/stripSize].weight(input, sum%stripSize) = weight
	}
	return s
}

// sum adds up what some of the inputs add to each sum.
func (s strips) sum(inputs []uint16, values []float64, out *sums) {
	for i := range s {
		s[i].sum(inputs, values, (*[stripSize]float64)(out[i*stripSize:]))
	}
}

// sum is that of a strip.
func (s *strip) sum(inputs []uint16, values []float64, out *[stripSize]float64) {
	*out = s.biases
	if len(inputs) == 0 {
		return
	}
	if wide {
		sumWide(&s.weights[0], s.inputs, &inputs[0], &values[0], len(inputs), out)
		return
	}
	for block := range s.blocks {
		s.sumBlock(block, inputs, values, (*[blockSize]float64)(out[block*blockSize:]))
	}
}

// sumBlock adds to the sums of a block.
func (s *strip) sumBlock(block int, inputs []uint16, values []float64, out *[blockSize]float64) {
	s0, s1, s2, s3 := out[0], out[1], out[2], out[3]
	values, weights := values[:len(inputs)], s.block(block)
	for i, input := range inputs {
		// A product is rounded before it is added, as it is in vectors: the conversion keeps
		// compilers from doing both at once where a processor can.
		w, v := &weights[input], values[i]
		s0 += float64(w[0] * v)
		s1 += float64(w[1] * v)
		s2 += float64(w[2] * v)
		s3 += float64(w[3] * v)
	}
	*out = [...]float64{s0, s1, s2, s3}
}

// rectify adds what the active hidden units make of each threat.
func rectify(hidden []float64, w2 [][verdict.ThreatCount]float64, out *[verdict.ThreatCount]float64) {
	y0, y1, y2, y3, y4, y5 := out[0], out[1], out[2], out[3], out[4], out[5]
	w2 = w2[:len(hidden)]
	for i, before := range hidden {
		// No branch: which units are active is beyond what the processor can foresee.
		s, w := max(before, 0), &w2[i]
		y0 += w[0] * s
		y1 += w[1] * s
		y2 += w[2] * s
		y3 += w[3] * s
		y4 += w[4] * s
		y5 += w[5] * s
	}
	*out = [...]float64{y0, y1, y2, y3, y4, y5}
}

// byUnit turns the weights of one threat after those of the other into those of each hidden unit.
func byUnit(weights []float64, hidden int) [][verdict.ThreatCount]float64 {
	units := make([][verdict.ThreatCount]float64, hidden)
	for i, weight := range weights {
		units[i%hidden][i/hidden] = weight
	}
	return units
}
