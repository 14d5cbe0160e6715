package model

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const (
	configFile  = "config.json"
	knownFormat = 2
	largestFile = 64 << 20 // bytes

	// Bounds of what a reader has room for; far above what is of use.
	maxDimensions = 64
	maxHidden     = 1024
	maxGram       = 8
	maxBuckets    = 1 << 24
	maxWindow     = 15
	maxFilters    = 1024
	maxLookHidden = 1024
	maxLongest    = 255
)

// regions are the parts of a name that have n-grams of their own, in order.
var regions = [...]string{"subdomain", "label", "suffix"}

// config is config.json. Pointers tell a missing key from a zero.
type config struct {
	Format     *int     `json:"format"`
	Version    *string  `json:"version"`
	Threats    []string `json:"threats"`
	Regions    []string `json:"regions"`
	Dimensions *int     `json:"dimensions"`
	Hidden     *int     `json:"hidden"`
	Ngram      struct {
		Min     *int `json:"min"`
		Max     *int `json:"max"`
		Buckets *int `json:"buckets"`
	} `json:"ngram"`
	Pooling struct {
		Bag    *float64 `json:"bag"`
		Linear *float64 `json:"linear"`
	} `json:"pooling"`
	Prior       map[string]*float64 `json:"prior"`
	Calibration calibration         `json:"calibration"`
	Look        struct {
		From        *float64            `json:"from"`
		Window      *int                `json:"window"`
		Filters     *int                `json:"filters"`
		Hidden      *int                `json:"hidden"`
		Longest     *int                `json:"longest"`
		Share       *float64            `json:"share"`
		Prior       map[string]*float64 `json:"prior"`
		Calibration calibration         `json:"calibration"`
	} `json:"look"`
	Thresholds struct {
		Suspicious *float64 `json:"suspicious"`
		Malicious  *float64 `json:"malicious"`
	} `json:"thresholds"`
	Weights struct {
		File   *string `json:"file"`
		SHA256 *string `json:"sha256"`
		Bytes  *int64  `json:"bytes"`
	} `json:"weights"`
}

// calibration has the knots of a look's curves.
type calibration struct {
	Threats map[string]struct {
		Logit []float64 `json:"logit"`
		Score []float64 `json:"score"`
	} `json:"threats"`
	Overall struct {
		In    []float64 `json:"in"`
		Score []float64 `json:"score"`
	} `json:"overall"`
}

func parseConfig(raw []byte) (*config, error) {
	// The format first: another one may have other keys.
	var head struct {
		Format *int `json:"format"`
	}
	if err := unmarshal(raw, &head); err != nil {
		return nil, err
	}
	if head.Format == nil {
		return nil, missing("format")
	}
	if *head.Format != knownFormat {
		return nil, fault(configFile, "use a matching version of mlplugin or another model",
			"format %d is not known, only %d is", *head.Format, knownFormat)
	}
	c := new(config)
	if err := unmarshal(raw, c); err != nil {
		return nil, err
	}
	for _, check := range []func() error{c.checkPresent, c.checkShape, c.checkNumbers} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func unmarshal(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return fault(configFile, trainAgain, "%s is of the wrong kind (%s)", kind.Field, kind.Value)
	default:
		return fault(configFile, copyAgain, "not readable as JSON: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
}

func missing(key string) error { return fault(configFile, trainAgain, "%s is missing", key) }

// versionPattern is what events, logs and metrics carry as it is.
var versionPattern = regexp.MustCompile(`^[!-~]{1,64}$`)

func (c *config) checkPresent() error {
	for _, key := range []struct {
		name string
		gone bool
	}{
		{"version", c.Version == nil || *c.Version == ""},
		{"threats", c.Threats == nil},
		{"regions", c.Regions == nil},
		{"dimensions", c.Dimensions == nil},
		{"hidden", c.Hidden == nil},
		{"ngram.min", c.Ngram.Min == nil},
		{"ngram.max", c.Ngram.Max == nil},
		{"ngram.buckets", c.Ngram.Buckets == nil},
		{"pooling.bag", c.Pooling.Bag == nil},
		{"pooling.linear", c.Pooling.Linear == nil},
		{"look.from", c.Look.From == nil},
		{"look.window", c.Look.Window == nil},
		{"look.filters", c.Look.Filters == nil},
		{"look.hidden", c.Look.Hidden == nil},
		{"look.longest", c.Look.Longest == nil},
		{"look.share", c.Look.Share == nil},
		{"thresholds.suspicious", c.Thresholds.Suspicious == nil},
		{"thresholds.malicious", c.Thresholds.Malicious == nil},
		{"weights.file", c.Weights.File == nil || *c.Weights.File == ""},
		{"weights.sha256", c.Weights.SHA256 == nil},
		{"weights.bytes", c.Weights.Bytes == nil},
	} {
		if key.gone {
			return missing(key.name)
		}
	}
	if !versionPattern.MatchString(*c.Version) {
		return fault(configFile, trainAgain, "version %q is not 1 to 64 printable ASCII characters", *c.Version)
	}
	for _, threat := range threats() {
		if c.Prior[threat] == nil {
			return missing("prior." + threat)
		}
		if c.Look.Prior[threat] == nil {
			return missing("look.prior." + threat)
		}
		if _, ok := c.Calibration.Threats[threat]; !ok {
			return missing("calibration.threats." + threat)
		}
		if _, ok := c.Look.Calibration.Threats[threat]; !ok {
			return missing("look.calibration.threats." + threat)
		}
	}
	return nil
}

func (c *config) checkShape() error {
	if !same(c.Threats, threats()) {
		return fault(configFile, trainAgain, "threats are %s, not %s", strings.Join(c.Threats, ", "), strings.Join(threats(), ", "))
	}
	if !same(c.Regions, regions[:]) {
		return fault(configFile, trainAgain, "regions are %s, not %s", strings.Join(c.Regions, ", "), strings.Join(regions[:], ", "))
	}
	for _, bound := range []struct {
		name            string
		value, low, top int
	}{
		{"dimensions", *c.Dimensions, 1, maxDimensions},
		{"hidden", *c.Hidden, 1, maxHidden},
		{"ngram.min", *c.Ngram.Min, 1, maxGram},
		{"ngram.max", *c.Ngram.Max, *c.Ngram.Min, maxGram},
		{"ngram.buckets", *c.Ngram.Buckets, 1, maxBuckets},
		{"look.window", *c.Look.Window, 1, maxWindow},
		{"look.filters", *c.Look.Filters, 1, maxFilters},
		{"look.hidden", *c.Look.Hidden, 1, maxLookHidden},
		{"look.longest", *c.Look.Longest, 1, maxLongest},
	} {
		if bound.value < bound.low || bound.value > bound.top {
			return fault(configFile, trainAgain, "%s is %d, not %d to %d", bound.name, bound.value, bound.low, bound.top)
		}
	}
	if buckets := *c.Ngram.Buckets; buckets&(buckets-1) != 0 {
		return fault(configFile, trainAgain, "ngram.buckets is %d, no power of two", buckets)
	}
	if window := *c.Look.Window; window%2 == 0 {
		return fault(configFile, trainAgain, "look.window is %d, not odd", window)
	}
	if name := *c.Weights.File; strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		return fault(configFile, trainAgain, "weights.file %q is no plain file name", name)
	}
	return nil
}

func (c *config) checkNumbers() error {
	for _, number := range []struct {
		name            string
		value, low, top float64
	}{
		{"pooling.bag", *c.Pooling.Bag, -4, 4},
		{"pooling.linear", *c.Pooling.Linear, -4, 4},
		{"look.share", *c.Look.Share, 0, 1},
		{"look.from", *c.Look.From, 0, highestScore},
	} {
		if number.value < number.low || number.value > number.top {
			return fault(configFile, trainAgain, "%s is %g, not %g to %g", number.name, number.value, number.low, number.top)
		}
	}
	if suspicious, malicious := *c.Thresholds.Suspicious, *c.Thresholds.Malicious; suspicious > malicious {
		return fault(configFile, trainAgain, "thresholds.suspicious %g is above thresholds.malicious %g", suspicious, malicious)
	}
	if err := c.Calibration.check("calibration"); err != nil {
		return err
	}
	return c.Look.Calibration.check("look.calibration")
}

func (c *calibration) check(key string) error {
	for _, threat := range threats() {
		curve := c.Threats[threat]
		if err := checkCurve(key+".threats."+threat, "logit", curve.Logit, curve.Score); err != nil {
			return err
		}
	}
	return checkCurve(key+".overall", "in", c.Overall.In, c.Overall.Score)
}

func checkCurve(name, key string, in, out []float64) error {
	switch {
	case len(in) == 0:
		return missing(name + "." + key)
	case len(in) != len(out):
		return fault(configFile, trainAgain, "%s has %d values of %s and %d of score", name, len(in), key, len(out))
	}
	for i := 1; i < len(in); i++ {
		if in[i] <= in[i-1] {
			return fault(configFile, trainAgain, "%s.%s is not strictly ascending at %g", name, key, in[i])
		}
		if out[i] < out[i-1] {
			return fault(configFile, trainAgain, "%s.score is not ascending at %g", name, out[i])
		}
	}
	return nil
}

// threats are the names of the model's columns.
func threats() []string {
	names := make([]string, verdict.ThreatCount)
	for i := range names {
		names[i] = verdict.Threat(i + 1).String()
	}
	return names
}

func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
