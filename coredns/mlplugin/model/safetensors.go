package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"sort"
)

// tensor is one array of a safetensors file; data is a view into the file.
type tensor struct {
	dtype string
	shape []int
	data  []byte
}

// tensors are the arrays of a safetensors file by name.
type tensors struct {
	file   string
	byName map[string]tensor
}

var widths = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}

// parseTensors reads a safetensors file: the length of the header (8 bytes, little
// endian), the header (JSON), and the arrays, which must fill the rest without gap or overlap.
func parseTensors(file string, raw []byte) (*tensors, error) {
	if len(raw) < 8 {
		return nil, fault(file, copyAgain, "cut short: %d bytes", len(raw))
	}
	length, rest := binary.LittleEndian.Uint64(raw), raw[8:]
	if length > uint64(len(rest)) {
		return nil, fault(file, copyAgain, "header of %d bytes in a file of %d", length, len(raw))
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(rest[:length], &header); err != nil {
		return nil, fault(file, copyAgain, "header is not JSON")
	}
	found := &tensors{file: file, byName: make(map[string]tensor, len(header))}
	var spans [][2]int
	for name, entry := range header {
		if name == "__metadata__" {
			continue
		}
		span, err := found.add(name, entry, rest[length:])
		if err != nil {
			return nil, err
		}
		spans = append(spans, span)
	}
	return found, found.checkSpans(spans, len(rest)-int(length))
}

func (ts *tensors) add(name string, entry json.RawMessage, data []byte) (span [2]int, err error) {
	var e struct {
		Dtype   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets []int  `json:"data_offsets"`
	}
	if json.Unmarshal(entry, &e) != nil || len(e.Offsets) != 2 {
		return span, fault(ts.file, copyAgain, "header entry of %q is misshapen", name)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin < 0 || end < begin || end > len(data) {
		return span, fault(ts.file, copyAgain, "tensor %q lies outside of the file", name)
	}
	size, ok := widths[e.Dtype]
	if !ok {
		return span, fault(ts.file, trainAgain, "tensor %q is of unknown dtype %q", name, e.Dtype)
	}
	for _, n := range e.Shape {
		if n < 0 || n > 0 && size > math.MaxInt32/n {
			return span, fault(ts.file, copyAgain, "tensor %q has an impossible shape %v", name, e.Shape)
		}
		size *= n
	}
	if size != end-begin {
		return span, fault(ts.file, copyAgain, "tensor %q has %d bytes, its shape %v wants %d", name, end-begin, e.Shape, size)
	}
	ts.byName[name] = tensor{e.Dtype, e.Shape, data[begin:end]}
	return [2]int{begin, end}, nil
}

func (ts *tensors) checkSpans(spans [][2]int, size int) error {
	sort.Slice(spans, func(i, j int) bool {
		return spans[i][0] < spans[j][0] || spans[i][0] == spans[j][0] && spans[i][1] < spans[j][1]
	})
	at := 0
	for _, span := range spans {
		if span[0] != at {
			return fault(ts.file, copyAgain, "tensors overlap or leave a gap at byte %d", at)
		}
		at = span[1]
	}
	if at != size {
		return fault(ts.file, copyAgain, "%d bytes belong to no tensor", size-at)
	}
	return nil
}

// get gives a tensor of this dtype and shape; a negative length stands for any.
func (ts *tensors) get(name, dtype string, shape ...int) (tensor, error) {
	t, ok := ts.byName[name]
	if !ok {
		return t, fault(ts.file, trainAgain, "tensor %q is missing", name)
	}
	if t.dtype != dtype {
		return t, fault(ts.file, trainAgain, "tensor %q is %s, not %s", name, t.dtype, dtype)
	}
	fits := len(t.shape) == len(shape)
	for i := 0; fits && i < len(shape); i++ {
		fits = shape[i] < 0 || shape[i] == t.shape[i]
	}
	if !fits {
		return t, fault(ts.file, trainAgain, "tensor %q has shape %v, not %v (-1 is any)", name, t.shape, shape)
	}
	return t, nil
}

// floats gives an F32 tensor, widened; every number must be finite.
func (ts *tensors) floats(name string, shape ...int) ([]float64, error) {
	t, err := ts.get(name, "F32", shape...)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(t.data)/4)
	for i := range out {
		out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:])))
		if math.IsNaN(out[i]) || math.IsInf(out[i], 0) {
			return nil, fault(ts.file, trainAgain, "tensor %q has a number that is not finite, at %d", name, i)
		}
	}
	return out, nil
}

// hashes gives a U64 tensor of one dimension, which must be strictly ascending.
func (ts *tensors) hashes(name string) ([]uint64, error) {
	t, err := ts.get(name, "U64", -1)
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(t.data)/8)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(t.data[8*i:])
		if i > 0 && out[i] <= out[i-1] {
			return nil, fault(ts.file, trainAgain, "tensor %q is not sorted, at %d", name, i)
		}
	}
	return out, nil
}
