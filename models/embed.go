// Package models carries the shipped model directories inside the binary.
package models

import "embed"

// Directories holds one folder a model version; the highest version is the one in use.
//
//go:embed */*
var Directories embed.FS
