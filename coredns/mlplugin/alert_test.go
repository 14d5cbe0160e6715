package mlplugin

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// newQuery is a query as it is when it has been answered.
func newQuery(t *testing.T, name string) *query {
	t.Helper()
	h, _ := newTestHandler(t, "on malicious nxdomain")
	q := newQueryOf(t, h, name)
	q.decide(t.Context())
	q.took = 123 * time.Microsecond
	return q
}

func TestAlert(t *testing.T) {
	q := newQuery(t, "evil.example.com.")
	want := `flagged name="evil.example.com" client=192.0.2.1 qtype=A verdict=malicious threat=dga score=41.2 ` +
		`source=model action=nxdomain reason="model 1.0.0 dga score 41.2: label:^ev +2.5, suffix:com +0.5" ` +
		`model="1.0.0" took=0.000123s`
	if got := string(q.appendAlert(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestInjection: neither names nor people's reasons can end the line or add a key.
func TestInjection(t *testing.T) {
	names := []string{
		`a"b\010.evil.net.`, `x"\ client=203.0.113.9.example.com.`, `\010\013flagged\ name=x.example.com.`,
		`\027[31mred.example.com.`, `\226\128\168.example.com.`, `a\\.example.com.`, `\"\".example.com.`,
	}
	for _, name := range names {
		q := newQuery(t, name)
		q.ruling = overrule(&policy.Override{
			Status: policy.Blocked, Reason: "say \"why\"\nflagged name=\"x\"\r\x1b[31m \u2028 é client=203.0.113.9",
		})
		q.client = netip.MustParseAddr("192.0.2.1")
		q.qtype = 65400
		line := string(q.appendAlert(nil))
		for i := range len(line) {
			if line[i] < ' ' || line[i] > '~' {
				t.Errorf("%q: byte %#x in %q", name, line[i], line)
			}
		}
		if found := keysOf(t, line); strings.Join(found, " ") != "name client qtype verdict threat score source action reason model took" {
			t.Errorf("%q: keys %v of %s", name, found, line)
		}
	}
}

// keysOf reads the keys of logfmt.
func keysOf(t *testing.T, line string) (found []string) {
	t.Helper()
	rest := strings.TrimPrefix(line, "flagged ")
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			t.Fatalf("no value in %q", rest)
		}
		found = append(found, key)
		end := 0
		for quoted := false; end < len(after) && (quoted || after[end] != ' '); end++ {
			switch {
			case after[end] == '"':
				quoted = !quoted
			case after[end] == '\\' && quoted:
				end++
			}
		}
		rest = strings.TrimPrefix(after[end:], " ")
	}
	return found
}

func TestReasons(t *testing.T) {
	h, _ := newTestHandler(t, "deny listed.example.net")
	s := h.snapshot.Load()
	answer := ruling{Verdict: verdict.Verdict{Level: verdict.Suspicious, Source: verdict.Answer}, step: byAnswer}
	long := &policy.Override{Status: policy.Honeypot, Reason: strings.Repeat("é", 300)}
	tests := []struct {
		name, where string
		ruling      ruling
		want        string
	}{
		{"a.listed.example.net", "", denied(), "denylist listed.example.net"},
		{"a.listed.example.net", "alias target a.listed.example.net", denied(), "alias target a.listed.example.net: denylist listed.example.net"},
		{"www.example.com", "address 192.0.2.1 in 192.0.2.0/24", denied(), "address 192.0.2.1 in 192.0.2.0/24: denylist"},
		{"www.example.com", "answer 10.0.0.1 is private", answer, "answer 10.0.0.1 is private"},
		{"www.example.com", "", overrule(&policy.Override{Status: policy.Blocked}), "override blocked"},
		{"www.example.com", "", overrule(long), ("override honeypot: " + strings.Repeat("?", 300))[:256]},
	}
	for _, c := range tests {
		if got := s.reasonFor(c.name, c.ruling, c.where); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAlertNamesTypes(t *testing.T) {
	q := newQuery(t, "evil.example.com.")
	q.qtype = 65400
	if line := string(q.appendAlert(nil)); !strings.Contains(line, " qtype=TYPE65400 ") {
		t.Error(line)
	}
	q.qtype = dns.TypeHTTPS
	if line := string(q.appendAlert(nil)); !strings.Contains(line, " qtype=HTTPS ") {
		t.Error(line)
	}
}

// explaining counts how often it is asked for reasons.
type explaining struct {
	*fakeModel
	asked int
}

func (m *explaining) Explain(name string, v verdict.Verdict) []verdict.Reason {
	m.asked++
	return m.fakeModel.Explain(name, v)
}

// TestReasonsAreWorkedOutOnce: also where the name is the target of aliases.
func TestReasonsAreWorkedOutOnce(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain", test.CNAME("www.example.com. 60 IN CNAME evil.example.com."))
	m := &explaining{fakeModel: newFakeModel()}
	h.swap(func(s *snapshot) { s.model = m })
	const reason = "model 1.0.0 dga score 41.2: label:^ev +2.5, suffix:com +0.5"
	for range 3 {
		for name, want := range map[string]string{
			"evil.example.com.": reason, "www.example.com.": "alias target evil.example.com: " + reason,
		} {
			ask(t, h, name, dns.TypeA)
			if got := record.last(t).Reason; got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	if m.asked != 1 {
		t.Errorf("worked out %d times", m.asked)
	}
	h.swap(func(*snapshot) {})
	if ask(t, h, "evil.example.com.", dns.TypeA); m.asked != 2 {
		t.Errorf("worked out %d times, of which one for another policy", m.asked)
	}
}
