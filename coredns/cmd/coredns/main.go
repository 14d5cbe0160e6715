// Command coredns is CoreDNS with mlplugin built in. Built as it is, it has the plugins
// that a resolver needs; with the build tag full, all of CoreDNS's own.
package main

import (
	"errors"
	"log"
	"os"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/mlplugin/mlplugin/coredns/mlplugin"
)

func main() {
	directives, err := withPlugin(dnsserver.Directives)
	if err == nil {
		err = dnsserver.SetDirectives(directives)
	}
	if err != nil {
		log.Fatal(err)
	}
	if status, ok := validation(os.Args[1:], os.Stderr); ok {
		os.Exit(status)
	}
	coremain.Run()
}

// after is the directive behind which mlplugin runs: those who may not ask are turned
// away before it, and everything that answers comes after it.
const after = "acl"

var errNoPlace = errors.New("this CoreDNS has no directive acl, after which mlplugin belongs")

// withPlugin gives the directives with mlplugin among them.
func withPlugin(directives []string) ([]string, error) {
	at := slices.Index(directives, after)
	if at < 0 {
		return nil, errNoPlace
	}
	return slices.Insert(slices.Clone(directives), at+1, "mlplugin"), nil
}
