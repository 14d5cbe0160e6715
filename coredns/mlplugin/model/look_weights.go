package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// setLook takes the numbers of the second look.
func (m *Model) setLook(ts *tensors, c *config) error {
	m.look = look{
		from:    *c.Look.From,
		share:   *c.Look.Share,
		longest: *c.Look.Longest,
		window:  *c.Look.Window,
		scale:   newScale(&c.Look.Calibration, c.Look.Prior),
	}
	if err := m.look.setFilters(ts, *c.Look.Filters); err != nil {
		return err
	}
	return m.look.setNetwork(ts, *c.Look.Filters, *c.Look.Hidden)
}

func (l *look) setFilters(ts *tensors, filters int) error {
	table, err := ts.get("look_table", "I8", l.window, symbolCount, filters)
	if err != nil {
		return err
	}
	scales, err := ts.floats("look_scale", filters)
	if err != nil {
		return err
	}
	for i, scale := range scales {
		if scale <= 0 {
			return fault(ts.file, trainAgain, "tensor %q has a number that is not above 0, at %d", "look_scale", i)
		}
	}
	biases, err := ts.floats("look_bias", filters)
	if err != nil {
		return err
	}
	l.groups = make([]group, (filters+groupSize-1)/groupSize)
	for i := range l.groups {
		first, last := i*groupSize, min((i+1)*groupSize, filters)
		g := &l.groups[i]
		copy(g.scales[:], scales[first:last])
		copy(g.biases[:], biases[first:last])
		g.rows = make([][lineWords]uint64, l.window*symbolCount)
		for row := range g.rows {
			g.rows[row] = newRow(table.data[row*filters+first:row*filters+last], row < symbolCount)
		}
	}
	return nil
}

// newRow packs a row of a group's filters; the first place of a window has top bits.
func newRow(data []byte, tops bool) (row [lineWords]uint64) {
	for i := range row {
		if tops {
			row[i] = sumTops
		}
	}
	for i, v := range data {
		row[i/wordSums] += uint64(int(int8(v))+bias) << (i % wordSums * sumBits)
	}
	return row
}

func (l *look) setNetwork(ts *tensors, filters, hidden int) error {
	w1, err := ts.floats("look_w1", hidden, filters)
	if err != nil {
		return err
	}
	b1, err := ts.floats("look_b1", hidden)
	if err != nil {
		return err
	}
	w2, err := ts.floats("look_w2", verdict.ThreatCount, hidden)
	if err != nil {
		return err
	}
	w3, err := ts.floats("look_w3", verdict.ThreatCount, filters)
	if err != nil {
		return err
	}
	b2, err := ts.floats("look_b2", verdict.ThreatCount)
	if err != nil {
		return err
	}
	l.strips = newStrips(append(w3, w1...), append(b2, b1...), filters)
	l.w2 = byUnit(w2, hidden)
	return nil
}
