package model

import (
	"math/rand/v2"
	"testing"
)

// withoutVectors has the rest of a test do what a processor without vectors does.
func withoutVectors(t *testing.T) {
	before := wide
	wide = false
	t.Cleanup(func() { wide = before })
}

// TestKernels holds each kernel to its twin in plain Go, over inputs that no model has.
func TestKernels(t *testing.T) {
	if !wide {
		t.Skip("this processor has no vectors of 256 bits")
	}
	random := rand.New(rand.NewPCG(7, 8))
	group, inputs := &group{rows: make([][lineWords]uint64, usualWindow*symbolCount)}, 300
	for row := range group.rows {
		data := make([]byte, groupSize)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		group.rows[row] = newRow(data, row < symbolCount)
	}
	weights, biases := make([]float64, stripSize*inputs), make([]float64, stripSize)
	for i := range weights {
		weights[i] = random.NormFloat64()
	}
	for i := range biases {
		biases[i] = random.NormFloat64()
	}
	strip := &newStrips(weights, biases, inputs)[0]
	for n := range 200 {
		symbols := make([]uint8, usualWindow+n)
		for i := range symbols {
			symbols[i] = uint8(random.IntN(symbolCount))
		}
		var want, got [lineWords]uint64
		group.usualHighest(symbols, &want)
		if highestWide(&group.rows[0], &symbols[0], n+1, &got); got != want {
			t.Fatalf("highest over %d windows: %x, want %x", n+1, got, want)
		}

		some, values := make([]uint16, n+1), make([]float64, n+1)
		for i := range some {
			some[i], values[i] = uint16(random.IntN(inputs)), random.NormFloat64()
		}
		sums, wanted := strip.biases, strip.biases
		sumWide(&strip.weights[0], inputs, &some[0], &values[0], len(some), &sums)
		for block := range strip.blocks {
			strip.sumBlock(block, some, values, (*[blockSize]float64)(wanted[block*blockSize:]))
		}
		if sums != wanted {
			t.Fatalf("sums of %d inputs: %v, want %v", len(some), sums, wanted)
		}
	}
}
