// Package model reads a model directory and judges names with it: no DNS, and no
// input or output once it is loaded. The format is docs/model-format.md. The
// Python package reads the same files and comes to the same verdicts.
package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// Model is a loaded model. It never changes, so any number of goroutines may use it.
type Model struct {
	version string
	sha256  string

	dimensions int
	table      table
	tableScale []float64
	strips     strips                         // one sum for each hidden unit
	w2         [][verdict.ThreatCount]float64 // of each hidden unit
	b2         [verdict.ThreatCount]float64

	suffixes    hashSet
	rules       []rule // by the slot of their hash
	suffixScale float64
	reputation  hashSet

	scale      scale // of the first look
	look       look
	suspicious float64
	malicious  float64
}

// LoadDir reads the model directory at path.
func LoadDir(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = errors.New("is not a directory")
	}
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("model directory %q: %w; name a directory that holds %s", path, err, configFile)
	}
	m, err := Load(os.DirFS(path))
	if err != nil {
		return nil, fmt.Errorf("model directory %q: %w", path, err)
	}
	return m, nil
}

// Load reads a model directory. What it refuses it refuses with a Fault: one line that
// names the file, what is wrong, and what to do.
func Load(dir fs.FS) (*Model, error) {
	raw, err := read(dir, configFile)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(raw)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	m := &Model{version: *c.Version, sha256: hex.EncodeToString(sum[:]), dimensions: *c.Dimensions}
	m.scale = newScale(&c.Calibration, c.Prior)
	m.suspicious, m.malicious = *c.Thresholds.Suspicious, *c.Thresholds.Malicious

	file := *c.Weights.File
	if raw, err = read(dir, file); err != nil {
		return nil, err
	}
	if int64(len(raw)) != *c.Weights.Bytes {
		return nil, fault(file, copyAgain, "%d bytes, not the %d that %s says", len(raw), *c.Weights.Bytes, configFile)
	}
	if sum = sha256.Sum256(raw); hex.EncodeToString(sum[:]) != *c.Weights.SHA256 {
		return nil, fault(file, copyAgain, "its SHA-256 is not the one that %s says", configFile)
	}
	ts, err := parseTensors(file, raw)
	if err != nil {
		return nil, err
	}
	return m, m.setWeights(ts, c)
}

// read reads a whole file, unless it is larger than a model may be.
func read(dir fs.FS, name string) ([]byte, error) {
	file, err := dir.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault(name, copyAgain, "not a regular file")
	}
	if info.Size() > largestFile {
		return nil, fault(name, trainAgain, "%d bytes, more than %d", info.Size(), largestFile)
	}
	raw := make([]byte, info.Size())
	if n, err := io.ReadFull(file, raw); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return raw[:n], nil // shorter since: the checks of size and content tell
		}
		return nil, unreadable(name, err)
	}
	return raw, nil
}

func unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault(name, copyAgain, "missing")
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fault(name, "make it readable", "%v", err)
}

// Version is the model's name, such as 2026.11.0.
func (m *Model) Version() string { return m.version }

// SHA256 is the hash of config.json in hex. It identifies the model, as
// config.json has the hash of the weights.
func (m *Model) SHA256() string { return m.sha256 }

// Reputed tells whether the registered domain has been known for years.
func (m *Model) Reputed(p Parts) bool {
	return p.RegisteredDomain != "" && m.reputation.find(p.hash) >= 0
}

// Judge gives the verdict on a canonical name by what the model directory and the registries of
// special names know: special names, reputation, network. It does not allocate.
func (m *Model) Judge(qname string) verdict.Verdict {
	v, _ := m.JudgeAndSplit(qname)
	return v
}

// JudgeAndSplit is Judge, and tells the registered domain, empty for none.
func (m *Model) JudgeAndSplit(qname string) (v verdict.Verdict, domain string) {
	parts := m.Split(qname)
	_, special := Special(qname)
	switch {
	case special || parts.Label == "":
		v.Source = verdict.Allowlist
	case m.Reputed(parts):
		v.Source = verdict.Reputation
	default:
		var scores Scores
		m.Score(parts, &scores)
		v = m.verdict(&scores)
	}
	return v, parts.RegisteredDomain
}

// verdict holds the score to the thresholds.
func (m *Model) verdict(s *Scores) verdict.Verdict {
	v := verdict.Verdict{Source: verdict.Model, Score: s.Overall}
	switch {
	case s.Overall >= m.malicious:
		v.Level, v.Threat = verdict.Malicious, s.Threat
	case s.Overall >= m.suspicious:
		v.Level, v.Threat = verdict.Suspicious, s.Threat
	}
	return v
}
