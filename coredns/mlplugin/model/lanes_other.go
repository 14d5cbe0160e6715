//go:build !amd64

package model

// wide says that there are vectors: none that this package knows to use.
const wide = false

func highestWide(*[lineWords]uint64, *uint8, int, *[lineWords]uint64) {}

func sumWide(*[blockSize]float64, int, *uint16, *float64, int, *[stripSize]float64) {}
