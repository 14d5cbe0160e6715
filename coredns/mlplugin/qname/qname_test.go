package qname

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

const goldens = "../../../testdata/golden/"

func rows(t testing.TB, file string, row func(line []byte)) {
	t.Helper()
	open, err := os.Open(goldens + file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	n := 0
	for lines := bufio.NewScanner(open); lines.Scan(); n++ {
		row(lines.Bytes())
	}
	if n == 0 {
		t.Fatalf("%s is empty", file)
	}
}

// TestTextGoldens has names as people write them; both languages must read them alike.
func TestTextGoldens(t *testing.T) {
	rows(t, "canonical.jsonl", func(line []byte) {
		var want struct {
			Input     string
			Canonical *string
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		got, err := Parse(want.Input)
		if want.Canonical == nil {
			if err == nil {
				t.Errorf("%q is taken for %q", want.Input, got)
			} else if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: the error has more than one line: %q", want.Input, err)
			}
			return
		}
		if err != nil || got != *want.Canonical {
			t.Errorf("%q is %q (%v), want %q", want.Input, got, err, *want.Canonical)
		}
		if ascii(want.Input) && Canonical(want.Input) != *want.Canonical {
			t.Errorf("%q: Canonical gives %q, want %q", want.Input, Canonical(want.Input), *want.Canonical)
		}
		if Canonical(got) != got {
			t.Errorf("%q is canonical and changes to %q", got, Canonical(got))
		}
	})
}

// TestWireGoldens has names as queries carry them, read by the library that the server uses.
func TestWireGoldens(t *testing.T) {
	rows(t, "wire.jsonl", func(line []byte) {
		var want struct{ Wire, Canonical string }
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		wire, err := hex.DecodeString(want.Wire)
		if err != nil {
			t.Fatal(err)
		}
		name, _, err := dns.UnpackDomainName(wire, 0)
		if err != nil {
			t.Fatalf("%s: %v", want.Wire, err)
		}
		if got := Canonical(name); got != want.Canonical {
			t.Errorf("%q is %q, want %q", name, got, want.Canonical)
		}
	})
}

func TestCanonicalOfOddText(t *testing.T) {
	for name, want := range map[string]string{
		"": ".", ".": ".", "a": "a", "a.": "a", "A.B.": "a.b",
		`a\`: `a\\`, `\`: `\\`, `a\1`: "a1", `a\12`: "a12", "\x00": `\000`, "a b.": `a\032b`, "\xff": `\255`,
	} {
		if got := Canonical(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestCanonicalDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"www.example.org.", "www.example.org", ".", "_dmarc.a-b.example.org."} {
		if n := testing.AllocsPerRun(100, func() { Canonical(name) }); n != 0 {
			t.Errorf("%s: %f allocations", name, n)
		}
	}
}

// FuzzCanonical holds the form to the wire: what can be sent reads back as itself.
func FuzzCanonical(f *testing.F) {
	for _, name := range []string{"www.Example.org.", `a\.b\\.\032c.`, `\065\`, "..", "\x00\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := Canonical(name)
		for i := 0; i < len(got); i++ {
			if c := got[i]; c < 0x21 || c > 0x7e || 'A' <= c && c <= 'Z' {
				t.Fatalf("%q has byte %d", got, c)
			}
		}
		parsed, err := Parse(name)
		if err != nil {
			return
		}
		if Canonical(parsed) != parsed {
			t.Errorf("%q is not canonical: %q", parsed, Canonical(parsed))
		}
		if ascii(name) && parsed != got {
			t.Errorf("%q is %q, and parsed %q", name, got, parsed)
		}
		wire := make([]byte, 256)
		end, err := dns.PackDomainName(dns.Fqdn(parsed), wire, 0, nil, false)
		if err != nil {
			t.Fatalf("%q cannot be sent: %v", parsed, err)
		}
		back, _, err := dns.UnpackDomainName(wire[:end], 0)
		if err != nil || Canonical(back) != parsed {
			t.Errorf("%q comes back as %q (%v)", parsed, back, err)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Canonical("d111111abcdef8.cloudfront.example.org.")
	}
}

func BenchmarkCanonicalUpper(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Canonical("D111111abcdef8.CloudFront.example.org.")
	}
}
