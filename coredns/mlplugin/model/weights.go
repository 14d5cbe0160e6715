package model

import "github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"

// setWeights takes every number out of the weights file; nothing of the file is kept.
func (m *Model) setWeights(ts *tensors, c *config) error {
	for _, set := range []func(*tensors, *config) error{m.setTable, m.setNetwork, m.setLook, m.setSuffixes, m.setReputation} {
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

func (m *Model) setNetwork(ts *tensors, c *config) error {
	hidden, inputs := *c.Hidden, len(regions)*m.dimensions
	w1, err := ts.floats("w1", hidden, inputs)
	if err != nil {
		return err
	}
	b1, err := ts.floats("b1", hidden)
	if err != nil {
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
	m.strips, m.w2 = newStrips(w1, b1, inputs), byUnit(w2, hidden)
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
	m.suffixScale = scale[0]
	m.suffixes = newHashSet(hashes)
	m.rules = make([]rule, m.suffixes.slots())
	for i, hash := range hashes {
		rule := &m.rules[m.suffixes.find(hash)]
		rule.flag = flags.data[i]
		for t := range rule.weights {
			rule.weights[t] = int8(weights.data[i*verdict.ThreatCount+t])
		}
	}
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
