package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestLoad(t *testing.T) {
	f := newFake(small)
	dir := f.dir()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Version() != "1.2.3" || len(m.SHA256()) != 64 {
		t.Errorf("version %q, hash %q", m.Version(), m.SHA256())
	}
	dir[configFile].Data = append(dir[configFile].Data, '\n')
	again, err := Load(dir)
	if err != nil || again.SHA256() == m.SHA256() {
		t.Errorf("another config.json has the same hash %s (%v)", again.SHA256(), err)
	}
}

// TestSourceStaysAsItIs holds that a loaded model keeps nothing of the bytes it came from.
func TestSourceStaysAsItIs(t *testing.T) {
	dir := newFake(small).dir()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := m.Judge("www.some-label.com")
	clear(dir["weights.safetensors"].Data)
	if after := m.Judge("www.some-label.com"); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestEmptyLists(t *testing.T) {
	f := newFake(small)
	f.put("suffix_hash", "U64", nil, 0)
	f.put("suffix_flag", "U8", nil, 0)
	f.put("suffix_weight", "I8", nil, 0, 6)
	f.put("reputation", "U64", nil, 0)
	if p := load(t, f).Split("a.b.co.uk"); p.RegisteredDomain != "co.uk" {
		t.Errorf("without rules: %+v", p)
	}
}

// refusals are ways to spoil a model, each with what the message must say.
var refusals = map[string]struct {
	spoil func(*fake)
	says  []string
}{
	"another format":          {set("format", 1), []string{"config.json", "format 1", "version of mlplugin"}},
	"a later format":          {set("format", knownFormat+1), []string{"config.json", "is not known", "use a matching version of mlplugin"}},
	"no format":               {unset("format"), []string{"format is missing"}},
	"format of another kind":  {set("format", "2"), []string{"format is of the wrong kind"}},
	"no version":              {unset("version"), []string{"version is missing"}},
	"a version with a space":  {set("version", "my model"), []string{"version", "printable"}},
	"no thresholds":           {unset("thresholds"), []string{"thresholds.suspicious is missing"}},
	"no calibration":          {unset("calibration"), []string{"calibration.threats.dga is missing"}},
	"no prior":                {unset("prior"), []string{"prior.dga is missing"}},
	"a kind":                  {set("hidden", "many"), []string{"hidden is of the wrong kind (string)"}},
	"a nested kind":           {set("ngram", map[string]any{"min": 2, "max": 5.5, "buckets": 512}), []string{"ngram.max is of the wrong kind"}},
	"other threats":           {set("threats", []string{"dga"}), []string{"threats are dga, not dga, dga_dictionary"}},
	"other regions":           {set("regions", []string{"label"}), []string{"regions are label, not subdomain"}},
	"no dimensions":           {set("dimensions", 0), []string{"dimensions is 0, not 1 to 64"}},
	"too many dimensions":     {set("dimensions", 65), []string{"dimensions is 65"}},
	"buckets":                 {set("ngram", map[string]any{"min": 2, "max": 5, "buckets": 500}), []string{"ngram.buckets is 500, no power of two"}},
	"ngrams upside down":      {set("ngram", map[string]any{"min": 5, "max": 2, "buckets": 512}), []string{"ngram.max is 2, not 5 to 8"}},
	"thresholds upside down":  {set("thresholds", map[string]any{"suspicious": 40, "malicious": 37}), []string{"thresholds.suspicious 40 is above"}},
	"calibration unsorted":    {overall([]float64{1, 1}, []float64{0, 1}), []string{"calibration.overall.in is not strictly ascending at 1"}},
	"scores unsorted":         {overall([]float64{1, 2}, []float64{1, 0}), []string{"calibration.overall.score is not ascending at 0"}},
	"calibration misshapen":   {overall([]float64{1, 2}, []float64{1}), []string{"2 values of in and 1 of score"}},
	"calibration empty":       {overall([]float64{}, []float64{}), []string{"calibration.overall.in is missing"}},
	"NaN":                     {number("w1", 3, math.NaN()), []string{"weights.safetensors", `"w1" has a number that is not finite, at 3`}},
	"infinity":                {number("table_scale", 0, math.Inf(1)), []string{`"table_scale" has a number that is not finite`}},
	"misshapen table":         {func(f *fake) { f.shapes["table"] = []int{22, small.buckets} }, []string{`"table" has shape [22 512], not [512 22]`}},
	"a dimension too many":    {func(f *fake) { f.shapes["b1"] = []int{small.hidden, 1} }, []string{`"b1" has shape [8 1]`}},
	"another dtype":           {func(f *fake) { f.dtypes["b1"] = "I32" }, []string{`"b1" is I32, not F32`}},
	"unknown dtype":           {func(f *fake) { f.dtypes["b1"] = "F128" }, []string{`unknown dtype "F128"`}},
	"a tensor missing":        {func(f *fake) { f.names = f.names[1:] }, []string{`"table" is missing`}},
	"unsorted suffixes":       {swap("suffix_hash"), []string{`"suffix_hash" is not sorted, at 1`}},
	"unsorted reputation":     {swap("reputation"), []string{`"reputation" is not sorted, at 1`}},
	"flags of another length": {func(f *fake) { f.put("suffix_flag", "U8", []byte{1}, 1) }, []string{`"suffix_flag" has shape [1]`}},
	"no look":                 {unset("look"), []string{"look.from is missing"}},
	"look of another kind":    {setLook("window", "wide"), []string{"look.window is of the wrong kind (string)"}},
	"no look window":          {setLook("window", nil), []string{"look.window is missing"}},
	"no look filters":         {setLook("filters", nil), []string{"look.filters is missing"}},
	"no look hidden":          {setLook("hidden", nil), []string{"look.hidden is missing"}},
	"no look longest":         {setLook("longest", nil), []string{"look.longest is missing"}},
	"no look share":           {setLook("share", nil), []string{"look.share is missing"}},
	"no look prior":           {setLook("prior", nil), []string{"look.prior.dga is missing"}},
	"no look calibration":     {setLook("calibration", nil), []string{"look.calibration.threats.dga is missing"}},
	"an even window":          {setLook("window", 4), []string{"look.window is 4, not odd"}},
	"a window too wide":       {setLook("window", 17), []string{"look.window is 17, not 1 to 15"}},
	"no window":               {setLook("window", -1), []string{"look.window is -1, not 1 to 15"}},
	"no filters":              {setLook("filters", 0), []string{"look.filters is 0, not 1 to 1024"}},
	"too many filters":        {setLook("filters", 1025), []string{"look.filters is 1025"}},
	"no hidden units to look": {setLook("hidden", 0), []string{"look.hidden is 0, not 1 to 1024"}},
	"too many to look":        {setLook("hidden", 1025), []string{"look.hidden is 1025"}},
	"nothing to look at":      {setLook("longest", 0), []string{"look.longest is 0, not 1 to 255"}},
	"too much to look at":     {setLook("longest", 256), []string{"look.longest is 256"}},
	"a share below 0":         {setLook("share", -0.1), []string{"look.share is -0.1, not 0 to 1"}},
	"a share above 1":         {setLook("share", 1.5), []string{"look.share is 1.5, not 0 to 1"}},
	"look from below":         {setLook("from", -1), []string{"look.from is -1, not 0 to 60"}},
	"look from above":         {setLook("from", 60.5), []string{"look.from is 60.5, not 0 to 60"}},
	"look knots unsorted":     {lookOverall([]float64{1, 1}, []float64{0, 1}), []string{"look.calibration.overall.in is not strictly ascending at 1"}},
	"look scores unsorted":    {lookOverall([]float64{1, 2}, []float64{1, 0}), []string{"look.calibration.overall.score is not ascending at 0"}},
	"look_scale 0":            {number("look_scale", 2, 0), []string{`"look_scale" has a number that is not above 0, at 2`}},
	"look_scale below 0":      {number("look_scale", 0, -0.1), []string{`"look_scale" has a number that is not above 0, at 0`}},
	"bytes and shape":         {func(f *fake) { f.shapes["b1"] = []int{small.hidden + 1} }, []string{`"b1" has 32 bytes, its shape [9] wants 36`}},
	"an impossible shape":     {func(f *fake) { f.shapes["b1"] = []int{1 << 40, 1 << 40} }, []string{`"b1" has an impossible shape`}},
}

// TestLookTensors spoils each tensor of the second look in turn.
func TestLookTensors(t *testing.T) {
	for _, name := range []string{"look_table", "look_scale", "look_bias", "look_w1", "look_b1", "look_w2", "look_w3", "look_b2"} {
		t.Run(name, func(t *testing.T) {
			f := newFake(small)
			f.names = slices.DeleteFunc(f.names, func(other string) bool { return other == name })
			refused(t, f.dir(), `tensor "`+name+`" is missing`)

			f = newFake(small)
			f.shapes[name] = append([]int{1}, f.shapes[name]...)
			refused(t, f.dir(), `tensor "`+name+`" has shape [1 `)

			f = newFake(small)
			f.dtypes[name] = map[string]string{"I8": "U8", "F32": "I32"}[f.dtypes[name]]
			refused(t, f.dir(), `tensor "`+name+`" is `+f.dtypes[name])

			if f.dtypes[name] == "I32" {
				f = newFake(small)
				number(name, 1, math.NaN())(f)
				refused(t, f.dir(), `"`+name+`" has a number that is not finite, at 1`)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			f := newFake(small)
			test.spoil(f)
			refused(t, f.dir(), test.says...)
		})
	}
}

func refused(t *testing.T, dir fs.FS, says ...string) {
	t.Helper()
	_, err := Load(dir)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Todo == "" {
		t.Fatalf("loaded, or refused with no advice: %v", err)
	}
	if strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func set(key string, value any) func(*fake) { return func(f *fake) { f.config[key] = value } }
func unset(key string) func(*fake)          { return func(f *fake) { delete(f.config, key) } }

// setLook changes a key of the second look; nil takes it away.
func setLook(key string, value any) func(*fake) {
	return func(f *fake) {
		if f.config["look"].(map[string]any)[key] = value; value == nil {
			delete(f.config["look"].(map[string]any), key)
		}
	}
}

func lookOverall(in, out []float64) func(*fake) {
	return func(f *fake) {
		calibration := f.config["look"].(map[string]any)["calibration"].(map[string]any)
		calibration["overall"] = map[string]any{"in": in, "score": out}
	}
}

func overall(in, out []float64) func(*fake) {
	return func(f *fake) {
		f.config["calibration"].(map[string]any)["overall"] = map[string]any{"in": in, "score": out}
	}
}

func number(name string, at int, value float64) func(*fake) {
	return func(f *fake) {
		binary.LittleEndian.PutUint32(f.contents[name][4*at:], math.Float32bits(float32(value)))
	}
}

// swap puts the first two hashes into the wrong order.
func swap(name string) func(*fake) {
	return func(f *fake) {
		content := f.contents[name]
		first := bytes.Clone(content[:8])
		copy(content, content[8:16])
		copy(content[8:], first)
	}
}

func TestFilesThatAreNotRight(t *testing.T) {
	whole := func() fstest.MapFS { return newFake(small).dir() }
	const weights = "weights.safetensors"
	for name, test := range map[string]struct {
		spoil func(fstest.MapFS)
		says  []string
	}{
		"no config":      {func(d fstest.MapFS) { delete(d, configFile) }, []string{"config.json: missing; copy"}},
		"no weights":     {func(d fstest.MapFS) { delete(d, weights) }, []string{weights + ": missing; copy"}},
		"config no JSON": {func(d fstest.MapFS) { d[configFile].Data = []byte("{\n\"format\": 2,") }, []string{"not readable as JSON"}},
		"config empty":   {func(d fstest.MapFS) { d[configFile].Data = nil }, []string{"not readable as JSON"}},
		"config a list":  {func(d fstest.MapFS) { d[configFile].Data = []byte("[]") }, []string{"config.json: "}},
		"cut short": {func(d fstest.MapFS) { d[weights].Data = d[weights].Data[:100] },
			[]string{weights + ": 100 bytes, not the", "copy the model directory again"}},
		"another hash": {func(d fstest.MapFS) { d[weights].Data[5000] ^= 1 }, []string{weights + ": its SHA-256 is not the one"}},
		"too large":    {func(d fstest.MapFS) { d[weights].Data = make([]byte, largestFile+1) }, []string{"more than 67108864"}},
		"a folder":     {func(d fstest.MapFS) { d[weights] = &fstest.MapFile{Mode: fs.ModeDir} }, []string{"not a regular file"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := whole()
			test.spoil(dir)
			refused(t, dir, test.says...)
		})
	}
}

// TestWeightsCutShort has weights whose hash is right and whose content is not.
func TestWeightsCutShort(t *testing.T) {
	f := newFake(small)
	whole := f.weights()
	header := int(binary.LittleEndian.Uint64(whole))
	tail := append(bytes.Clone(whole), 0)
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint64(huge, math.MaxUint64)
	for name, raw := range map[string][]byte{
		"empty": nil, "no length": whole[:7], "no header": whole[:8], "half a header": whole[:8+header/2],
		"no data": whole[:8+header], "last byte": whole[:len(whole)-1], "a byte more": tail, "a huge header": huge,
		"overlap": bytes.Replace(whole, []byte(`"data_offsets":[0,`), []byte(`"data_offsets":[1,`), 1),
	} {
		t.Run(name, func(t *testing.T) { refused(t, f.dirWith(raw), "weights.safetensors: ") })
	}
}

func TestLoadDir(t *testing.T) {
	path := t.TempDir()
	for name, file := range newFake(small).dir() {
		if err := os.WriteFile(filepath.Join(path, name), file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadDir(path); err != nil {
		t.Error(err)
	}
	for wrong, says := range map[string]string{
		filepath.Join(path, "none"):     "no such file or directory; name a directory that holds config.json",
		filepath.Join(path, configFile): "is not a directory; name a directory",
		t.TempDir():                     "config.json: missing",
	} {
		if _, err := LoadDir(wrong); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v: wants %q and the path", err, says)
		}
	}
}

func TestBuiltin(t *testing.T) {
	m, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if m.Version() == "" {
		t.Error("the model that is built in has no version")
	}
}

func TestNewest(t *testing.T) {
	dir := fstest.MapFS{"embed.go": {Data: []byte("package models")}}
	if _, err := newest(dir); err == nil {
		t.Error("a directory with no model has a newest")
	}
	for _, step := range []struct{ add, want string }{
		{"2026.9.0", "2026.9.0"}, {"2026.11.0", "2026.11.0"}, {"2026.11.0.1", "2026.11.0.1"},
		{"2025.12.31", "2026.11.0.1"}, {"2026.next", "2026.next"}, {"2026.12", "2026.next"}, {"2027", "2027"},
	} {
		dir[step.add+"/"+configFile] = &fstest.MapFile{ModTime: time.Time{}}
		if got, err := newest(dir); err != nil || got != step.want {
			t.Errorf("after %s: %q (%v), want %q", step.add, got, err, step.want)
		}
	}
}

// FuzzLoad spoils single bytes and the length of the weights, hash corrected, and the configuration.
func FuzzLoad(f *testing.F) {
	tiny := size{dimensions: 1, hidden: 1, buckets: 2, look: lookSize{window: 1, filters: 1, hidden: 1, longest: 1}}
	model := newFake(tiny)
	weights := model.weights()
	config := bytes.Clone(model.dir()[configFile].Data)
	f.Add(weights, config)
	f.Add(weights[:40], config)
	f.Fuzz(func(t *testing.T, weights, config []byte) {
		for _, dir := range []fstest.MapFS{
			newFake(tiny).dirWith(weights),
			{configFile: {Data: config}, "weights.safetensors": {Data: weights}},
		} {
			if m, err := Load(dir); err == nil {
				v := m.Judge("www.some-label.com")
				m.Explain("www.some-label.com", v)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		}
	})
}
