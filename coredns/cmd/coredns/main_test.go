package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
)

func TestPlaceAmongDirectives(t *testing.T) {
	directives, err := withPlugin(dnsserver.Directives)
	if err != nil {
		t.Fatal(err)
	}
	before, at, behind := slices.Index(directives, "acl"), slices.Index(directives, "mlplugin"), slices.Index(directives, "cache")
	if at != before+1 || behind != at+1 {
		t.Errorf("acl is at %d, mlplugin at %d, cache at %d", before, at, behind)
	}
	if slices.Contains(dnsserver.Directives, "mlplugin") {
		t.Error("CoreDNS's own list was changed in place")
	}
	if _, err := withPlugin([]string{"cache"}); !errors.Is(err, errNoPlace) {
		t.Errorf("error %v", err)
	}
}

// A resolver's plugins are there in every build.
func TestPluginsAreBuiltIn(t *testing.T) {
	built := caddy.ListPlugins()["others"]
	for _, name := range []string{
		"acl", "any", "bind", "bufsize", "cache", "cancel", "chaos", "debug", "dnstap", "erratic",
		"errors", "file", "forward", "health", "hosts", "https", "loadbalance", "local", "log", "loop",
		"metadata", "minimal", "mlplugin", "multisocket", "nsid", "pprof", "prometheus", "proxyproto",
		"quic", "ready", "reload", "rewrite", "root", "template", "timeouts", "tls", "view", "whoami",
	} {
		if !slices.Contains(built, "dns."+name) {
			t.Errorf("there is no %s", name)
		}
	}
}
