package model

import "testing"

// withoutVectors has the rest of a test do what a processor without vectors does.
func withoutVectors(t *testing.T) {
	before := wide
	wide = false
	t.Cleanup(func() { wide = before })
}
