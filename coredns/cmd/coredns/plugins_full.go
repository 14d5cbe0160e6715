//go:build full

package main

// All of CoreDNS's own plugins.
import _ "github.com/coredns/coredns/core/plugin"
