package model

import "golang.org/x/sys/cpu"

// wide says that the processor has vectors of 256 bits, as nearly all have that are in use. What
// is done with them is done without as well, to the same numbers.
var wide = cpu.X86.HasAVX2

// The assembly has these as numbers.
var (
	_ = [1]int{}[symbolCount-121]
	_ = [1]int{}[lineWords-8]
	_ = [1]int{}[sumBits-16]
	_ = [1]int{}[usualWindow-7]
	_ = [1]int{}[stripSize-24]
	_ = [1]int{}[blockSize-4]
)

// highestWide is group.usualHighest, sixteen lanes at a time: rows are those of a group, symbols as many as
// the windows have.
//
//go:noescape
func highestWide(rows *[lineWords]uint64, symbols *uint8, windows int, highest *[lineWords]uint64)

// sumWide is strip.sumBlock for all blocks of a strip, four sums at a time.
//
//go:noescape
func sumWide(weights *[blockSize]float64, all int, inputs *uint16, values *float64, count int, out *[stripSize]float64)
