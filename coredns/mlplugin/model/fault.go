package model

import "fmt"

// What to do about a model that cannot be read; each fault ends in one of them.
const (
	copyAgain  = "copy the model directory again"
	trainAgain = "train the model again"
)

// Fault says why a model directory was refused, in one line.
type Fault struct {
	File string // the file at fault, relative to the directory
	What string // what is wrong with it
	Todo string // what to do about it
}

// Error gives the line.
func (f *Fault) Error() string { return f.File + ": " + f.What + "; " + f.Todo }

func fault(file, todo, format string, arguments ...any) error {
	return &Fault{File: file, What: fmt.Sprintf(format, arguments...), Todo: todo}
}
