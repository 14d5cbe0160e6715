//go:build !amd64

package model

import "testing"

// withoutVectors has nothing to do here: there are none.
func withoutVectors(*testing.T) {}
