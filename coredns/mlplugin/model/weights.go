package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// setWeights takes every number out of the weights file; nothing of the file is kept.
func (m *Model) setWeights(ts *tensors, c *config) error {
	for _, set := range []func(*tensors, *config) error{m.setTable, m.setNetwork, m.setSuffixes, m.setReputation} {
		if err := set(ts, c); err != nil {
			return err
		}
	}
	return nil
}

func (m *Model) setTable(ts *tensors, c *config) (err error) {
	columns := m.dimensions + verdict.ThreatCount
	rows, err := ts.get("table", "I8", *c.Ngram.Buckets, columns)
	if err != nil {
		return err
	}
	if m.tableScale, err = ts.floats("table_scale", columns); err != nil {
		return err
	}
	m.table = newTable(rows.data, columns, c)
	return nil
}

func (m *Model) setNetwork(ts *tensors, c *config) (err error) {
	hidden := *c.Hidden
	if m.w1, err = ts.floats("w1", hidden, len(regions)*m.dimensions); err != nil {
		return err
	}
	if m.b1, err = ts.floats("b1", hidden); err != nil {
		return err
	}
	w2, err := ts.floats("w2", verdict.ThreatCount, hidden)
	if err != nil {
		return err
	}
	b2, err := ts.floats("b2", verdict.ThreatCount)
	if err != nil {
		return err
	}
	copy(m.b2[:], b2)
	m.w2 = make([][verdict.ThreatCount]float64, hidden)
	for i, w := range w2 {
		m.w2[i%hidden][i/hidden] = w
	}
	return nil
}

func (m *Model) setSuffixes(ts *tensors, _ *config) error {
	hashes, err := ts.hashes("suffix_hash")
	if err != nil {
		return err
	}
	flags, err := ts.get("suffix_flag", "U8", len(hashes))
	if err != nil {
		return err
	}
	weights, err := ts.get("suffix_weight", "I8", len(hashes), verdict.ThreatCount)
	if err != nil {
		return err
	}
	scale, err := ts.floats("suffix_scale", 1)
	if err != nil {
		return err
	}
	m.suffixes = newHashSet(hashes)
	m.suffixFlag = append([]uint8(nil), flags.data...)
	m.suffixWeight = make([][verdict.ThreatCount]int8, len(hashes))
	for i, w := range weights.data {
		m.suffixWeight[i/verdict.ThreatCount][i%verdict.ThreatCount] = int8(w)
	}
	m.suffixScale = scale[0]
	return nil
}

func (m *Model) setReputation(ts *tensors, _ *config) error {
	hashes, err := ts.hashes("reputation")
	if err != nil {
		return err
	}
	m.reputation = newHashSet(hashes)
	return nil
}
