package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
)

func TestValidation(t *testing.T) {
	directives, err := withPlugin(dnsserver.Directives)
	if err != nil {
		t.Fatal(err)
	}
	if err := dnsserver.SetDirectives(directives); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ corefile, says string }{
		"good":             {".:1053 {\n mlplugin {\n on malicious nxdomain\n }\n whoami\n}\n", ""},
		"unknown plugin":   {".:1053 {\n mlplugon\n}\n", "mlplugon"},
		"unknown option":   {".:1053 {\n mlplugin {\n modle x\n }\n}\n", "modle"},
		"open brace":       {".:1053 {\n whoami\n", "expecting"},
		"model not there":  {".:1053 {\n mlplugin {\n model /no/such/model\n }\n}\n", "/no/such/model"},
		"forward to what?": {".:1053 {\n forward .\n}\n", "forward"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "Corefile")
			if err := os.WriteFile(path, []byte(c.corefile), 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			status, ok := validation([]string{validateFlag, path}, &said)
			if !ok {
				t.Fatal("not taken for a validation")
			}
			if (status != 0) != (c.says != "") || !strings.Contains(said.String(), c.says) {
				t.Errorf("status %d: %s", status, said.String())
			}
		})
	}
}

func TestOtherArgumentsAreCoreDNSsOwn(t *testing.T) {
	for _, arguments := range [][]string{nil, {"-conf", "Corefile"}, {"-validate"}, {"-validate", "a", "b"}} {
		if _, ok := validation(arguments, os.Stderr); ok {
			t.Errorf("%q was taken for a validation", arguments)
		}
	}
	if status, ok := validation([]string{validateFlag, "/no/such/Corefile"}, &bytes.Buffer{}); !ok || status != 1 {
		t.Errorf("a missing file: status %d", status)
	}
}
