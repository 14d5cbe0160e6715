package policy

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGoldenOverrides(t *testing.T) {
	path := filepath.Join("..", "..", "..", "testdata", "golden", "overrides.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	overrides, err := ParseOverrides(data)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			QName, Client string
			At            time.Time
			Reason        *string
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range golden.Cases {
		got := overrides.Match(netip.MustParseAddr(c.Client), c.QName, c.At)
		switch {
		case got == nil && c.Reason != nil:
			t.Errorf("%s for %s at %s: nothing holds, want %q", c.QName, c.Client, c.At, *c.Reason)
		case got != nil && (c.Reason == nil || got.Reason != *c.Reason):
			t.Errorf("%s for %s at %s: %q holds", c.QName, c.Client, c.At, got.Reason)
		}
	}
}

func TestNewestOfEqualOverridesHolds(t *testing.T) {
	overrides, err := ParseOverrides([]byte(`{"version": "v", "overrides": [
		{"name": "example.org", "scope": "name", "status": "benign", "created": "2026-01-02T00:00:00Z"},
		{"name": "Example.ORG.", "scope": "name", "status": "blocked", "created": "2026-01-03T00:00:00Z"},
		{"name": "example.org", "scope": "name", "status": "honeypot", "created": "2026-01-01T00:00:00Z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if overrides.Version() != "v" || overrides.Len() != 3 {
		t.Errorf("version %q, %d overrides", overrides.Version(), overrides.Len())
	}
	got := overrides.Match(netip.MustParseAddr("::ffff:192.0.2.1"), "example.org", time.Now())
	if got == nil || got.Status != Blocked {
		t.Errorf("holds: %+v", got)
	}
}

func TestMappedAddressesAreIPv4(t *testing.T) {
	overrides, err := ParseOverrides([]byte(`{"overrides": [
		{"name": "example.org", "status": "blocked", "client": "::ffff:192.0.2.0/120"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string]bool{"192.0.2.9": true, "::ffff:192.0.2.9": true, "192.0.3.9": false} {
		got := overrides.Match(netip.MustParseAddr(client), "www.example.org", time.Now()) != nil
		if got != want {
			t.Errorf("client %s: holds is %t", client, got)
		}
	}
}

func TestNoOverrides(t *testing.T) {
	var none *Overrides
	if none.Match(netip.Addr{}, "example.org", time.Now()) != nil || none.Len() != 0 || none.Version() != "" {
		t.Error("nil holds something")
	}
}

func TestBadPolicyIsRefused(t *testing.T) {
	tests := map[string]string{
		`{"overrides": [`: "JSON",
		`{}`:              "no overrides",
		`{"overrides": [{"name": "a..b", "status": "benign"}]}`:                                                                                                `"a..b"`,
		`{"overrides": [{"name": "", "status": "benign"}]}`:                                                                                                    "no domain name",
		`{"overrides": [{"name": "example.org", "status": "odd"}]}`:                                                                                            `"odd"`,
		`{"overrides": [{"name": "example.org", "status": "benign", "scope": "zone"}]}`:                                                                        `"zone"`,
		`{"overrides": [{"name": "example.org", "status": "benign", "client": "me"}]}`:                                                                         `"me"`,
		`{"overrides": [{"name": "example.org", "status": "benign", "client": "::/0"}, {"name": "b.example", "status": "benign", "client": "::ffff:0:0/90"}]}`: "b.example",
	}
	for text, want := range tests {
		_, err := ParseOverrides([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
	}
}

func BenchmarkOverrides(b *testing.B) {
	overrides, err := ParseOverrides([]byte(`{"overrides": [{"name": "example.org", "status": "blocked"}]}`))
	if err != nil {
		b.Fatal(err)
	}
	client, now := netip.MustParseAddr("192.0.2.1"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		overrides.Match(client, "www.some.example.net", now)
	}
}
