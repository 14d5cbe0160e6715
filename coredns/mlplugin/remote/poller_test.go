package remote

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// office is a service that publishes a policy.
type office struct {
	mu       sync.Mutex
	snapshot string
	etag     string
	status   int
	requests int
	matches  int
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests++
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/policy" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if o.status != 0 {
		w.WriteHeader(o.status)
		return
	}
	if o.etag != "" {
		w.Header().Set("ETag", o.etag)
		if r.Header.Get("If-None-Match") == o.etag {
			o.matches++
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	_, _ = io.WriteString(w, o.snapshot)
}

func (o *office) set(snapshot, etag string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.snapshot, o.etag, o.status = snapshot, etag, status
}

func (o *office) seen() (requests, matches int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests, o.matches
}

// taken collects what was applied; snapshots that hold "bad" are refused.
type taken struct {
	mu   sync.Mutex
	list []string
}

func (a *taken) apply(snapshot []byte) error {
	if strings.Contains(string(snapshot), "bad") {
		return errors.New("a bad snapshot")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, string(snapshot))
	return nil
}

func (a *taken) is(want ...string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Equal(a.list, want)
}

func poller(t *testing.T, url, keepAt string, apply func([]byte) error) *PolicyPoller {
	p := NewPolicyPoller(url, 2*time.Millisecond, keepAt, apply)
	t.Cleanup(p.Close)
	p.Start()
	return p
}

func TestPolicyIsFollowed(t *testing.T) {
	o := &office{snapshot: "one", etag: `"1"`}
	server := httptest.NewServer(o)
	defer server.Close()
	keepAt := filepath.Join(t.TempDir(), "policy.json")
	var got taken
	p := poller(t, server.URL, keepAt, got.apply)
	kept := func(want string) bool {
		data, err := os.ReadFile(keepAt)
		return err == nil && string(data) == want
	}
	eventually(t, "the first snapshot", func() bool { return got.is("one") && kept("one") })
	eventually(t, "a match", func() bool { _, matches := o.seen(); return matches > 2 })

	o.set("a bad one", `"2"`, 0)
	requests, _ := o.seen()
	eventually(t, "asked again", func() bool { n, _ := o.seen(); return n > requests+3 })
	if !got.is("one") || !kept("one") {
		t.Error("a refused snapshot has changed something")
	}
	o.set("", "", http.StatusInternalServerError)
	requests, _ = o.seen()
	eventually(t, "asked again", func() bool { n, _ := o.seen(); return n > requests+3 })

	o.set("two", "", 0) // a service without ETags
	eventually(t, "the second snapshot", func() bool { return got.is("one", "two") && kept("two") })
	requests, _ = o.seen()
	eventually(t, "asked again", func() bool { n, _ := o.seen(); return n > requests+3 })
	p.Close()
	if !got.is("one", "two") {
		t.Errorf("applied %v, want each once", got.list)
	}
	if entries, _ := os.ReadDir(filepath.Dir(keepAt)); len(entries) != 1 {
		t.Errorf("%d files beside the kept policy", len(entries)-1)
	}
	if info, err := os.Stat(keepAt); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kept policy: %v %v", info, err)
	}
}

func TestKeptPolicyHoldsWithoutService(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	for path, text := range map[string]string{good: "kept", bad: "bad"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got, none taken
	poller(t, server.URL, good, got.apply)
	if !got.is("kept") {
		t.Error("Start returned before the kept policy was applied")
	}
	poller(t, server.URL, bad, none.apply)
	poller(t, server.URL, filepath.Join(dir, "missing"), none.apply)
	poller(t, server.URL, dir, none.apply) // a folder where a file should be
	if !none.is() {
		t.Errorf("applied %v", none.list)
	}
}

func TestPolicyInForceThoughItCannotBeKept(t *testing.T) {
	server := httptest.NewServer(&office{snapshot: "one"})
	defer server.Close()
	var got taken
	poller(t, server.URL, filepath.Join(t.TempDir(), "no", "such", "folder"), got.apply)
	eventually(t, "the snapshot", func() bool { return got.is("one") })
}

func TestHangingPolicyService(t *testing.T) {
	stop := make(chan struct{})
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		<-stop
	}))
	defer server.Close()
	defer close(stop)
	p := NewPolicyPoller(server.URL, time.Millisecond, "", func([]byte) error { return nil })
	p.timeout = 10 * time.Millisecond
	p.Start()
	eventually(t, "the next question", func() bool { return requests.Load() > 2 })
	p.Close()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-3": 0, "soon": 0, "999999999": maxRetryAfter,
		"Mon, 23 Nov 2026 10:00:07 GMT": 7 * time.Second,
		"Mon, 23 Nov 2026 09:00:00 GMT": 0,
		"Mon, 23 Nov 2036 09:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}
