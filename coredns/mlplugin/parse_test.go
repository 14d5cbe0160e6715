package mlplugin

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

func parseText(input string, keys ...string) (settings, error) {
	c := caddy.NewTestController("dns", input)
	c.ServerBlockKeys = keys
	return parse(c)
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		input string
		says  []string
	}{
		{"mlplugin {\n modle /x\n}", []string{"Testfile:2", `unknown option "modle"`, `did you mean "model"`}},
		{"mlplugin {\n zzz\n}", []string{"Testfile:2", "one of allow, classify, deny"}},
		{"mlplugin {\n on malicous nxdomain\n}", []string{"Testfile:2", `did you mean "malicious"`}},
		{"mlplugin {\n on sometimes nxdomain\n}", []string{"sometimes", "suspicious, malicious, dga"}},
		{"mlplugin {\n on benign nxdomain\n}", []string{"benign"}},
		{"mlplugin {\n on malicious\n}", []string{"Testfile:2", "on malicious nxdomain"}},
		{"mlplugin {\n on malicious explode\n}", []string{`unknown action "explode"`}},
		{"mlplugin {\n on malicious nxdoman\n}", []string{`did you mean "nxdomain"`}},
		{"mlplugin {\n on malicious nxdomain 192.0.2.1\n}", []string{"takes no arguments", "192.0.2.1"}},
		{"mlplugin {\n on malicious sinkhole not-an-address\n}", []string{"not-an-address"}},
		{"mlplugin {\n on malicious sinkhole 192.0.2.1 192.0.2.2\n}", []string{"192.0.2.2", "one more"}},
		{"mlplugin {\n on malicious sinkhole fe80::1%eth0\n}", []string{"fe80::1%eth0"}},
		{"mlplugin {\n on dga drop\n on dga refuse\n}", []string{"Testfile:3", "on dga is given twice"}},
		{"mlplugin {\n model\n}", []string{"model takes"}},
		{"mlplugin {\n model a b\n}", []string{"model takes"}},
		{"mlplugin {\n model a or else\n}", []string{"model takes", "or builtin"}},
		{"mlplugin {\n model or builtin\n}", []string{"model takes"}},
		{"mlplugin {\n allow\n}", []string{"allow takes"}},
		{"mlplugin {\n deny a..b\n}", []string{"Testfile:2", `"a..b"`}},
		{"mlplugin {\n service\n}", []string{"service takes"}},
		{"mlplugin {\n service ftp://127.0.0.1\n}", []string{"Testfile:2", "ftp://127.0.0.1"}},
		{"mlplugin {\n service http://a\n service http://b\n}", []string{"Testfile:3", "service is given twice"}},
		{"mlplugin {\n classify remote 50ms\n}", []string{"classify needs a service"}},
		{"mlplugin {\n service http://a\n classify remote\n}", []string{"classify remote 50ms"}},
		{"mlplugin {\n service http://a\n classify local 50ms\n}", []string{"classify takes `remote`"}},
		{"mlplugin {\n service http://a\n classify remote soon\n}", []string{`"soon"`}},
		{"mlplugin {\n service http://a\n classify remote 0s\n}", []string{`"0s"`}},
		{"mlplugin {\n service http://a\n classify remote 1h\n}", []string{`"1h"`}},
		{"mlplugin {\n sensor " + strings.Repeat("a", 256) + "\n}", []string{"1 to 255 bytes"}},
		{"mlplugin {\n sensor \"\"\n}", []string{"Testfile:2", "1 to 255 bytes"}},
		{"mlplugin {\n sensor a\x01b\n}", []string{"Testfile:2", "printable", `"a\x01b"`}},
		{"mlplugin {\n spool /x\n}", []string{"spool needs a service"}},
		{"mlplugin {\n service http://a\n spool\n}", []string{"spool takes"}},
		{"mlplugin {\n service http://a\n spool /x 1MiB 2\n}", []string{"spool takes"}},
		{"mlplugin {\n service http://a\n spool /x lots\n}", []string{`"lots"`}},
		{"mlplugin {\n service http://a\n spool /x 5\n}", []string{`"5"`}},
		{"mlplugin {\n service http://a\n spool /x 99999999TiB\n}", []string{`"99999999TiB"`}},
		{"mlplugin\nmlplugin", []string{"can only be used once"}},
	}
	for _, test := range tests {
		_, err := parseText(test.input, ".")
		if err == nil {
			t.Errorf("%q is taken", test.input)
			continue
		}
		for _, says := range test.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q: error %q does not say %q", test.input, err, says)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %q is more than a line", test.input, err)
		}
	}
}

func TestParse(t *testing.T) {
	s, err := parseText(`mlplugin {
		model /m
		on malicious nxdomain
		on suspicious sinkhole 2001:db8::66
		on phishing sinkhole 192.0.2.66
		allow example.org a.example.net
		deny 203.0.113.0/24
		deny /etc/deny
		service http://127.0.0.1:5000/
		classify remote 50ms
		sensor office
		spool /var/spool 64MiB
	}`, "example.com:53", "example.net:53")
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		zones: s.zones, model: "/m", rules: s.rules, lists: s.lists,
		service: "http://127.0.0.1:5000", remoteTimeout: 50 * time.Millisecond, sensor: "office",
		spool: "/var/spool", spoolBytes: 64 << 20,
	}
	if strings.Join(s.zones, " ") != "example.com. example.net." || len(s.lists) != 4 {
		t.Errorf("zones %v, lists %v", s.zones, s.lists)
	}
	if s.service != want.service || s.remoteTimeout != want.remoteTimeout || s.sensor != want.sensor ||
		s.spool != want.spool || s.spoolBytes != want.spoolBytes || s.model != want.model {
		t.Errorf("got %+v", s)
	}
	if s.rules.levels[verdict.Malicious].effect != nxdomain {
		t.Errorf("malicious: %+v", s.rules.levels[verdict.Malicious])
	}
	suspicious := action{effect: sinkhole, ipv4: netip.MustParseAddr("0.0.0.0"), ipv6: netip.MustParseAddr("2001:db8::66")}
	if s.rules.levels[verdict.Suspicious] != suspicious {
		t.Errorf("suspicious: %+v", s.rules.levels[verdict.Suspicious])
	}
	phishing := action{effect: sinkhole, ipv4: netip.MustParseAddr("192.0.2.66"), ipv6: netip.MustParseAddr("::")}
	if *s.rules.threats[verdict.Phishing] != phishing {
		t.Errorf("phishing: %+v", s.rules.threats[verdict.Phishing])
	}
}

func TestParseDefaults(t *testing.T) {
	s, err := parseText("mlplugin example.org", ".")
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if s.sensor != host || s.spoolBytes != 256<<20 || s.zones[0] != "example.org." || s.rules != (rules{}) {
		t.Errorf("got %+v", s)
	}
}

func TestParseModelOrBuiltin(t *testing.T) {
	for block, want := range map[string]bool{"model /m": false, "model /m or builtin": true} {
		s, err := parseText("mlplugin {\n"+block+"\n}", ".")
		if err != nil || s.model != "/m" || s.orBuiltin != want {
			t.Errorf("%s: got %+v, %v", block, s, err)
		}
	}
}

// What can only be found out by loading stops the start with one line as well.
func TestSetupErrors(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page")
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink("gone", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte("<html>\n<head>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for block, says := range map[string]string{
		"deny /no/such/list":  "/no/such/list",
		"allow nowhere.txt":   "nowhere.txt",
		"model /no/such/path": "/no/such/path",
		"deny " + page:        page + ":1",

		"model " + link + " or builtin": link,
	} {
		c := caddy.NewTestController("dns", "mlplugin {\n"+block+"\n}")
		c.ServerBlockKeys = []string{"."}
		err := setup(c)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "plugin/mlplugin: Testfile:") {
			t.Errorf("%s: error %v", block, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q is more than a line", block, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "4k": 4096, "256MiB": 256 << 20, "2GB": 2e9, "1 GiB": 1 << 30, "1TiB": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1XB", "9999999999999999999"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestParseTellsOfMaliciousNamesForgotten(t *testing.T) {
	defer clog.SetOutput(os.Stderr)
	for rules, tells := range map[string]bool{
		"":                       false,
		"on suspicious observe":  false,
		"on suspicious nxdomain": true,
		"on suspicious nxdomain\non malicious observe": false,
	} {
		var out bytes.Buffer
		clog.SetOutput(&out)
		if _, err := parseText("mlplugin {\n"+rules+"\n}", "."); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "add `on malicious nxdomain`") != tells {
			t.Errorf("%q: %s", rules, &out)
		}
	}
}
