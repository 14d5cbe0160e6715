package model

// curve is a calibration: linear between its knots, constant outside of them.
type curve struct{ in, out []float64 }

func (c *curve) at(v float64) float64 {
	in := c.in
	last := len(in) - 1
	if v <= in[0] {
		return c.out[0]
	}
	if v >= in[last] {
		return c.out[last]
	}
	low, high := 0, last // in[low] < v < in[high] or v is at low
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		if in[middle] <= v {
			low = middle
		} else {
			high = middle
		}
	}
	return c.out[low] + (c.out[high]-c.out[low])*(v-in[low])/(in[high]-in[low])
}
