package policy

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Entry is a word of the Corefile after allow or deny: a file, or one name, address or
// subnet.
type Entry struct {
	Side Side
	// File is empty where the word is itself what is listed.
	File string
	Word string
}

// listSuffixes tell a file that is missing from a name; none of them is a top-level domain.
var listSuffixes = map[string]bool{
	".txt": true, ".list": true, ".lst": true, ".hosts": true, ".conf": true, ".csv": true,
}

// ParseEntry reads a word of the Corefile. A word with a slash that is no subnet, or
// that names a file there is, is a file; root is where relative paths start.
func ParseEntry(side Side, word, root string) (Entry, error) {
	if _, err := parsePrefix(word); err == nil {
		return Entry{Side: side, Word: word}, nil
	}
	path := word
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	info, err := os.Stat(path)
	isFile := err == nil && !info.IsDir()
	if isFile || strings.ContainsRune(word, '/') || listSuffixes[filepath.Ext(word)] {
		return Entry{Side: side, File: path}, nil
	}
	if e, ok := parseLine(word); !ok || len(e.names) == 0 {
		return Entry{}, fmt.Errorf("%q is no name, no address and no file", word)
	}
	return Entry{Side: side, Word: word}, nil
}

// Skipped tells of lines of a file that were not understood.
type Skipped struct {
	File  string
	Lines int
	// First is the number of the first of them.
	First int
}

// Load reads all entries. Lines that are not understood are passed over and told; a
// file where they are the majority is refused as no list. Errors name the file and
// say what is wrong.
func Load(entries []Entry) (*Lists, []Skipped, error) {
	lists := newLists()
	var skipped []Skipped
	for _, e := range entries {
		if e.File == "" {
			line, _ := parseLine(e.Word) // ParseEntry has looked at it
			lists.add(line, e.Side)
			continue
		}
		s, err := lists.read(e.File, e.Side)
		if err != nil {
			return nil, nil, err
		}
		if s.Lines > 0 {
			skipped = append(skipped, s)
		}
	}
	lists.names.seal()
	return lists, skipped, nil
}

// add lists what one line says. A name covers what is below it, and Allowed wins over Denied.
func (l *Lists) add(e entry, side Side) {
	if e.exception {
		side = Allowed
	}
	for _, name := range e.names {
		l.names.add(name, side)
	}
	for _, prefix := range e.prefixes {
		l.addPrefix(prefix, side)
	}
}

// maxLine bounds a line; longer ones are no names.
const maxLine = 64 << 10

// read adds a file.
func (l *Lists) read(path string, side Side) (Skipped, error) {
	file, err := os.Open(path)
	if err != nil {
		return Skipped{}, fmt.Errorf("list cannot be read: %w", err)
	}
	defer file.Close()
	return l.readFrom(file, path, side)
}

func (l *Lists) readFrom(reader io.Reader, path string, side Side) (Skipped, error) {
	skipped := Skipped{File: path}
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(nil, maxLine)
	number, understood := 0, 0
	for scanner.Scan() {
		number++
		e, ok := parseLine(scanner.Text())
		if !ok {
			if skipped.Lines == 0 {
				skipped.First = number
			}
			skipped.Lines++
			continue
		}
		understood += min(len(e.names)+len(e.prefixes), 1)
		l.add(e, side)
	}
	if err := scanner.Err(); err != nil {
		return skipped, fmt.Errorf("list cannot be read: %s:%d: %w", path, number+1, err)
	}
	if skipped.Lines > understood {
		return skipped, fmt.Errorf(
			"%s:%d: this is no list: %d lines were not understood, %d were; it takes names, hosts files and adblock ||name^ lists",
			path, skipped.First, skipped.Lines, understood)
	}
	return skipped, nil
}
