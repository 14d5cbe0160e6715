package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	m := load(t, newFake(small))
	for _, test := range []struct{ name, subdomain, label, suffix, domain string }{
		{"example.com", "", "example", "com", "example.com"},
		{"www.a.example.com", "www.a", "example", "com", "example.com"},
		{"example.co.uk", "", "example", "co.uk", "example.co.uk"},
		{"a.example.uk", "a", "example", "uk", "example.uk"},
		{"com", "", "", "com", ""},
		{"co.uk", "", "", "co.uk", ""},
		{"pages.dev", "", "", "pages.dev", ""},
		{"x.y.pages.dev", "x", "y", "pages.dev", "y.pages.dev"},
		{"x.unknown", "", "x", "unknown", "x.unknown"},
		{"w.x.unknown", "w", "x", "unknown", "x.unknown"},
		// Wildcard *.ck with the exception !www.ck.
		{"ck", "", "", "ck", ""},
		{"any.ck", "", "", "any.ck", ""},
		{"b.any.ck", "", "b", "any.ck", "b.any.ck"},
		{"www.ck", "", "www", "ck", "www.ck"},
		{"a.www.ck", "a", "www", "ck", "www.ck"},
		// A wildcard below a plain rule.
		{"kobe.jp", "", "kobe", "jp", "kobe.jp"},
		{"c.kobe.jp", "", "", "c.kobe.jp", ""},
		{"b.c.kobe.jp", "", "b", "c.kobe.jp", "b.c.kobe.jp"},
		{"a.city.kobe.jp", "a", "city", "kobe.jp", "city.kobe.jp"},
		// A text that is a plain rule and a wildcard.
		{"both.de", "", "", "both.de", ""},
		{"x.both.de", "", "", "x.both.de", ""},
		{"y.x.both.de", "", "y", "x.both.de", "y.x.both.de"},
		// Escapes: a dot that separates nothing, a backslash before one that does.
		{`a\.b.com`, "", `a\.b`, "com", `a\.b.com`},
		{`c.a\\.com`, "c", `a\\`, "com", `a\\.com`},
		{`x.\046y.org`, "x", `\046y`, "org", `\046y.org`},
		{".", "", "", ".", ""},
		{"", "", "", "", ""},
	} {
		p := m.Split(test.name)
		if p.Subdomain != test.subdomain || p.Label != test.label || p.Suffix != test.suffix || p.RegisteredDomain != test.domain {
			t.Errorf("%s: %+v, want %+v", test.name, p, test)
		}
		if p.RegisteredDomain != "" && p.hash != fnv1a(p.RegisteredDomain) {
			t.Errorf("%s: the hash is not that of %s", test.name, p.RegisteredDomain)
		}
	}
}

// TestSplitManyLabels holds the tail hashes, four at a time, to names of any number of labels.
func TestSplitManyLabels(t *testing.T) {
	m := load(t, newFake(small))
	for labels := 1; labels < 140; labels++ {
		name := strings.Repeat("k.", labels) + "city.kobe.jp"
		want := Parts{Suffix: "kobe.jp", Label: "city", RegisteredDomain: "city.kobe.jp", Subdomain: strings.Repeat(".k", labels)[1:]}
		got := m.Split(name)
		if got.Suffix != want.Suffix || got.Label != want.Label || got.Subdomain != want.Subdomain ||
			got.RegisteredDomain != want.RegisteredDomain || got.hash != fnv1a(want.RegisteredDomain) {
			t.Fatalf("%d labels: %+v", labels, got)
		}
	}
}

func TestHashSet(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 9, 100, 5000} {
		for _, crowd := range []uint64{0, 1 << 63, 0xffffff << 40} { // all over, half, at the very end
			var hashes []uint64
			for range n {
				hashes = append(hashes, random.Uint64()|crowd)
			}
			if n > 8 {
				hashes[0], hashes[1] = 0, ^uint64(0)
			}
			slices.Sort(hashes)
			hashes = slices.Compact(hashes)
			set, slots := newHashSet(hashes), map[int]bool{}
			for _, hash := range hashes {
				slot := set.find(hash)
				if slot < 0 || slot >= set.slots() || slots[slot] {
					t.Fatalf("%d hashes: %x is at slot %d", n, hash, slot)
				}
				slots[slot] = true
			}
			for range 1000 {
				hash := random.Uint64() | crowd
				if _, there := slices.BinarySearch(hashes, hash); set.find(hash) >= 0 != there {
					t.Fatalf("%d hashes: %x found: %v", n, hash, !there)
				}
			}
		}
	}
}

func TestSpecial(t *testing.T) {
	for name, rule := range map[string]string{
		".": ".", "com": "single label", "printer": "single label", `a\.b`: "single label",
		"localhost": "single label", "a.localhost": "localhost", "x.test": "test", "a.b.invalid": "invalid",
		"www.example.com": "example.com", "example.net": "example.net", "a.example.org": "example.org", "b.example": "example",
		"4.3.2.1.in-addr.arpa": "arpa", "nas.home.arpa": "home.arpa", "home.arpa": "home.arpa",
		"_dns.resolver.arpa": "resolver.arpa", "default.service.arpa": "service.arpa",
		"duckduckgogg42.onion": "onion", "printer.local": "local", "a.alt": "alt", "db.internal": "internal",
		"a.intranet": "intranet", "a.private": "private", "a.corp": "corp", "router.home": "home", "nas.lan": "lan",
		"x.localdomain": "localdomain", "www.google.com.default.svc.cluster.local": "local",
	} {
		if got, ok := Special(name); !ok || got != rule {
			t.Errorf("%s: %q %v, want %q", name, got, ok, rule)
		}
	}
	for _, name := range []string{
		"myexample.com", "example.com.evil.org", "example.co.uk", "a.notlocal", "local.com", `x\.example.com`,
		`a.b\.local`, "test.dev", "example.info",
	} {
		if rule, ok := Special(name); ok {
			t.Errorf("%s is taken for special by %q", name, rule)
		}
	}
}

func ExampleModel_Split() {
	m, err := Load(newFake(small).dir())
	if err != nil {
		panic(err)
	}
	parts := m.Split("www.shop.bbc.co.uk")
	fmt.Println(parts.Subdomain, parts.Label, parts.Suffix, parts.RegisteredDomain)
	// Output: www.shop bbc co.uk bbc.co.uk
}
