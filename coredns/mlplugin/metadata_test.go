package mlplugin

import (
	"context"
	"testing"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

var _ metadata.Provider = (*Handler)(nil)

func labels(ctx context.Context) map[string]string {
	found := map[string]string{}
	for name, value := range metadata.ValueFuncs(ctx) {
		found[name] = value()
	}
	return found
}

func check(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got["mlplugin/"+name] != value {
			t.Errorf("%s: %q, want %q", name, got["mlplugin/"+name], value)
		}
	}
	if len(got) != 6 {
		t.Errorf("labels %v", got)
	}
}

func TestMetadata(t *testing.T) {
	h, _ := newTestHandler(t, "on malicious nxdomain", test.CNAME("www.example.com. 60 IN CNAME evil.example.com."))
	r := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	w := dnstest.NewRecorder(&test.ResponseWriter{})
	ctx := h.Metadata(metadata.ContextWithMetadata(t.Context()), request.Request{W: w, Req: r})
	check(t, labels(ctx), map[string]string{
		"verdict": "benign", "threat": "", "score": "1.0", "source": "model", "action": "observe", "registered_domain": "example.com",
	})
	if _, err := h.ServeDNS(ctx, w, r); err != nil {
		t.Fatal(err)
	}
	check(t, labels(ctx), map[string]string{
		"verdict": "malicious", "threat": "dga", "score": "41.2", "source": "model", "action": "nxdomain", "registered_domain": "example.com",
	})
}

// TestMetadataOfRewrittenName: what was asked and what is judged may differ.
func TestMetadataOfRewrittenName(t *testing.T) {
	h, record := newTestHandler(t, "")
	r := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	ctx := h.Metadata(metadata.ContextWithMetadata(t.Context()), request.Request{W: &test.ResponseWriter{}, Req: r})
	check(t, labels(ctx), map[string]string{"verdict": "benign"})
	r.Question[0].Name = "evil.example.com."
	if _, err := h.ServeDNS(ctx, &test.ResponseWriter{}, r); err != nil {
		t.Fatal(err)
	}
	check(t, labels(ctx), map[string]string{"verdict": "malicious"})
	if e := record.last(t); e.QName != "evil.example.com" || e.Verdict != evil {
		t.Errorf("event %+v", e)
	}
}

func TestMetadataOfOtherZones(t *testing.T) {
	h, _ := newTestHandler(t, "")
	h.Zones = []string{"example.org."}
	ctx := h.Metadata(metadata.ContextWithMetadata(t.Context()), request.Request{
		W: &test.ResponseWriter{}, Req: new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA),
	})
	if found := labels(ctx); len(found) != 0 {
		t.Errorf("labels %v", found)
	}
}
