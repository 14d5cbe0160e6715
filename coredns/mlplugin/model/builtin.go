package model

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/mlplugin/mlplugin/models"
)

// Builtin loads the model that is built into the binary.
func Builtin() (*Model, error) {
	version, err := newest(models.Directories)
	if err != nil {
		return nil, fmt.Errorf("model built in: %w", err)
	}
	dir, err := fs.Sub(models.Directories, version)
	if err != nil {
		return nil, fmt.Errorf("model built in: %w", err)
	}
	m, err := Load(dir)
	if err != nil {
		return nil, fmt.Errorf("model built in, %s: %w", version, err)
	}
	return m, nil
}

// newest finds the directory with the highest version.
func newest(dir fs.FS) (string, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return "", err
	}
	highest := ""
	for _, entry := range entries {
		if entry.IsDir() && (highest == "" || older(highest, entry.Name())) {
			highest = entry.Name()
		}
	}
	if highest == "" {
		return "", errors.New("there is none; build from a complete checkout")
	}
	return highest, nil
}

// older tells whether version a comes before b: part by part, numbers as numbers and before words.
func older(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if x == y {
			continue
		}
		m, errX := strconv.Atoi(x)
		n, errY := strconv.Atoi(y)
		switch {
		case errX == nil && errY == nil:
			return m < n
		case errX != nil && errY != nil:
			return x < y
		default:
			return errX == nil
		}
	}
	return a == "" && b != ""
}
