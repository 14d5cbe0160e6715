package policy

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, allow, deny []string) *Lists {
	t.Helper()
	var entries []Entry
	for side, words := range map[Side][]string{Allowed: allow, Denied: deny} {
		for _, word := range words {
			e, err := ParseEntry(side, word, "")
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
	}
	lists, _, err := Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

const adblock = `[Adblock Plus 2.0]
! Title: an example
||ads.example.org^
||tracker.example.org^$important
||narrow.example.org^$third-party
@@||good.ads.example.org^
||198.51.100.7^
||*.wild.example.org^
`

const hosts = `# hosts
127.0.0.1 localhost localhost.localdomain
::1 ip6-localhost
0.0.0.0 0.0.0.0
0.0.0.0 h1.example.net h2.example.net # both
::  h3.example.net
`

const names = `
example.com   # the whole of it
*.star.example.net
.dot.example.net
UPPER.Example.NET.
münchen.example
_service.example.net
203.0.113.0/24
2001:db8:bad::/48
192.0.2.66
zip
`

func TestMatch(t *testing.T) {
	lists := load(t,
		[]string{"fine.example.com", "203.0.113.9"},
		[]string{write(t, "a.txt", adblock), write(t, "h", hosts), write(t, "n", names), "given.example.org"})
	tests := []struct {
		name string
		side Side
		rule string
	}{
		{"ads.example.org", Denied, "ads.example.org"},
		{"x.y.ads.example.org", Denied, "ads.example.org"},
		{"good.ads.example.org", Allowed, "good.ads.example.org"},
		{"a.good.ads.example.org", Allowed, "good.ads.example.org"},
		{"tracker.example.org", Denied, "tracker.example.org"},
		{"narrow.example.org", None, ""},
		{"badads.example.org", None, ""},
		{`a\.ads.example.org`, None, ""},
		{"a.wild.example.org", Denied, "wild.example.org"},
		{"localhost", None, ""},
		{"ip6-localhost", None, ""},
		{"localhost.localdomain", None, ""},
		{"h1.example.net", Denied, "h1.example.net"},
		{"www.h2.example.net", Denied, "h2.example.net"},
		{"h3.example.net", Denied, "h3.example.net"},
		{"example.com", Denied, "example.com"},
		{"fine.example.com", Allowed, "fine.example.com"},
		{"very.fine.example.com", Allowed, "fine.example.com"},
		{"other.example.com", Denied, "example.com"},
		{"star.example.net", Denied, "star.example.net"},
		{"a.dot.example.net", Denied, "dot.example.net"},
		{"upper.example.net", Denied, "upper.example.net"},
		{"xn--mnchen-3ya.example", Denied, "xn--mnchen-3ya.example"},
		{"_service.example.net", Denied, "_service.example.net"},
		{"any.zip", Denied, "zip"},
		{"given.example.org", Denied, "given.example.org"},
		{"com", None, ""},
		{".", None, ""},
	}
	for _, test := range tests {
		if side, rule := lists.Match(test.name); side != test.side || rule != test.rule {
			t.Errorf("%s: %d by %q, want %d by %q", test.name, side, rule, test.side, test.rule)
		}
	}
	addresses := []struct {
		address string
		side    Side
		rule    string
	}{
		{"203.0.113.8", Denied, "203.0.113.0/24"},
		{"::ffff:203.0.113.8", Denied, "203.0.113.0/24"},
		{"203.0.113.9", Allowed, "203.0.113.9/32"},
		{"203.0.114.1", None, "invalid Prefix"},
		{"2001:db8:bad::1", Denied, "2001:db8:bad::/48"},
		{"2001:db8:bae::1", None, "invalid Prefix"},
		{"192.0.2.66", Denied, "192.0.2.66/32"},
		{"198.51.100.7", Denied, "198.51.100.7/32"},
	}
	for _, test := range addresses {
		side, rule := lists.MatchAddr(netip.MustParseAddr(test.address))
		if side != test.side || rule.String() != test.rule {
			t.Errorf("%s: %d by %s, want %d by %s", test.address, side, rule, test.side, test.rule)
		}
	}
	if side, _ := lists.MatchAddr(netip.Addr{}); side != None {
		t.Error("no address is listed")
	}
}

func TestAllowWinsATie(t *testing.T) {
	for _, order := range [][]Entry{
		{{Side: Allowed, Word: "example.org"}, {Side: Denied, Word: "example.org"}},
		{{Side: Denied, Word: "example.org"}, {Side: Allowed, Word: "example.org"}},
	} {
		lists, _, err := Load(order)
		if err != nil {
			t.Fatal(err)
		}
		if side, _ := lists.Match("www.example.org"); side != Allowed {
			t.Errorf("%v: side %d", order, side)
		}
		if lists.Names() != 1 || lists.Addresses() != 0 {
			t.Errorf("%d names, %d addresses", lists.Names(), lists.Addresses())
		}
	}
}

func TestParseEntry(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "mylist"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		word string
		file string
		bad  bool
	}{
		{word: "example.org"},
		{word: "192.0.2.0/24"},
		{word: "2001:db8::1"},
		{word: "mylist", file: filepath.Join(root, "mylist")},
		{word: "/etc/none", file: "/etc/none"},
		{word: "deny.txt", file: filepath.Join(root, "deny.txt")},
		{word: "a..b", bad: true},
		{word: "what?", bad: true},
		{word: strings.Repeat("a", 64) + ".example", bad: true},
	}
	for _, test := range tests {
		e, err := ParseEntry(Denied, test.word, root)
		if (err != nil) != test.bad || e.File != test.file {
			t.Errorf("%s: %+v, %v", test.word, e, err)
		}
	}
}

func TestSkippedLinesAreTold(t *testing.T) {
	path := write(t, "list", "example.org\n##.banner\nexample.net\nwhat is this\nexample.com\n")
	_, skipped, err := Load([]Entry{{Side: Denied, File: path}})
	if err != nil {
		t.Fatal(err)
	}
	if len(skipped) != 1 || skipped[0] != (Skipped{File: path, Lines: 1, First: 4}) {
		t.Errorf("skipped %+v", skipped)
	}
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	page := write(t, "page", "<html>\n<head><title>404</title></head>\n</html>\n")
	long := write(t, "long", "example.org\n"+strings.Repeat("a", maxLine+1))
	for path, want := range map[string]string{
		page:               page + ":1: this is no list",
		long:               long + ":2",
		"/no/such/list":    "/no/such/list",
		filepath.Dir(page): filepath.Dir(page),
	} {
		_, _, err := Load([]Entry{{Side: Denied, File: path}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	lists := load(t, nil, []string{"example.com", "203.0.113.0/24"})
	address := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(100, func() {
		lists.Match("www.some.example.net")
		lists.MatchAddr(address)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, text := range []string{adblock, hosts, names} {
		for line := range strings.Lines(text) {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, ok := parseLine(line)
		if !ok && (len(e.prefixes) > 0) {
			t.Errorf("%q is not understood, yet says %+v", line, e)
		}
		for _, name := range e.names {
			if ok && (name == "" || name != strings.ToLower(name)) {
				t.Errorf("%q gives the name %q", line, name)
			}
		}
	})
}

func BenchmarkLists(b *testing.B) {
	lists := newLists()
	for _, name := range []string{"example.com", "ads.example.org"} {
		lists.names.add(name, Denied)
	}
	lists.names.seal()
	b.ReportAllocs()
	for b.Loop() {
		lists.Match("www.some.example.net")
	}
}
