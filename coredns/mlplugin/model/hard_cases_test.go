package model

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

const hardCases = "../../../testdata/hard_cases"

// hardClass is a class of names that look odd and are everyday.
type hardClass struct {
	names   []string
	allowed int // how many may be suspicious
}

// TestHardCases holds that the model that is built in never calls an everyday name malicious,
// and suspicious no more of a class than its rule allows.
func TestHardCases(t *testing.T) {
	m, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for class, c := range readHardCases(t) {
		t.Run(class, func(t *testing.T) {
			if len(c.names) < 40 {
				t.Fatalf("only %d names", len(c.names))
			}
			var flagged []string
			for _, name := range c.names {
				v := m.Judge(name)
				if v.Level == verdict.Malicious {
					t.Errorf("%s is malicious: %s, %.1f", name, v.Threat, v.Score)
				}
				if v.Level != verdict.Benign {
					flagged = append(flagged, name)
				}
			}
			if len(flagged) > c.allowed {
				t.Errorf("%d are suspicious, %d allowed: %q", len(flagged), c.allowed, flagged)
			}
		})
	}
}

func readHardCases(t *testing.T) map[string]*hardClass {
	t.Helper()
	classes := map[string]*hardClass{}
	for _, row := range readTable(t, filepath.Join(hardCases, "classes.tsv")) {
		allowed, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		classes[row[0]] = &hardClass{allowed: allowed}
	}
	files, err := filepath.Glob(filepath.Join(hardCases, "*.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "classes.tsv" {
			continue
		}
		for _, row := range readTable(t, file) {
			c := classes[row[1]]
			if c == nil {
				t.Fatalf("%s: %s is of class %q, which classes.tsv lacks", file, row[0], row[1])
			}
			c.names = append(c.names, row[0])
		}
	}
	if len(classes) == 0 {
		t.Fatal("no classes")
	}
	return classes
}

// readTable reads tab-separated values below a header.
func readTable(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}
