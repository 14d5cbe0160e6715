package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// question is a request as the service sees it.
type question struct {
	Names   []string
	Explain bool
}

// judge answers as the service does; names that start with "bad" are malicious.
func judge(w http.ResponseWriter, q question) {
	answers := []map[string]any{}
	for _, name := range q.Names {
		switch {
		case strings.HasPrefix(name, "bad"):
			a := map[string]any{"qname": name, "verdict": "malicious", "threat": "dga", "score": 41.5, "source": "model"}
			if q.Explain {
				a["reasons"] = []verdict.Reason{{Kind: "ngram", Text: "label:bad", Weight: 2}}
			}
			answers = append(answers, a)
		case strings.HasPrefix(name, "odd"):
			answers = append(answers, map[string]any{"qname": name, "error": "no valid name"})
		default:
			answers = append(answers, map[string]any{"qname": name, "registered_domain": nil, "verdict": "benign",
				"threat": nil, "score": 3.1, "source": "reputation", "reasons": []string{}})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"verdicts": answers})
}

// service is a real HTTP server; behave may replace what it does.
type service struct {
	*httptest.Server
	requests atomic.Int64
	names    atomic.Int64
	behave   atomic.Pointer[func(http.ResponseWriter, question)]
}

func newService(t *testing.T, behave func(http.ResponseWriter, question)) *service {
	s := &service{}
	s.set(behave)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // who asked has hung up: its time is over
		}
		var q question
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/classify" || json.Unmarshal(body, &q) != nil {
			t.Errorf("odd request %s %s %q", r.Method, r.URL, body)
		}
		s.requests.Add(1)
		s.names.Add(int64(len(q.Names)))
		(*s.behave.Load())(w, q)
	}))
	t.Cleanup(func() {
		s.Server.CloseClientConnections()
		s.Server.Close()
	})
	return s
}

func (s *service) set(behave func(http.ResponseWriter, question)) { s.behave.Store(&behave) }

func classifier(t *testing.T, url string, timeout time.Duration) *Classifier {
	c := NewClassifier(url, timeout)
	t.Cleanup(c.Close)
	return c
}

// counted gives how many names were counted under a result, to compare with later.
func counted(result string) float64 { return testutil.ToFloat64(namesTotal.WithLabelValues(result)) }

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestClassify(t *testing.T) {
	s := newService(t, judge)
	c := classifier(t, s.URL+"/", 5*time.Second)
	before := counted("ok")

	v, reasons, ok := c.Classify(t.Context(), "example.org")
	if want := (verdict.Verdict{Source: verdict.Reputation, Score: 3.1}); !ok || v != want || reasons != nil {
		t.Errorf("benign: %v %v %v", v, reasons, ok)
	}
	v, reasons, ok = c.Classify(t.Context(), "bad.example.org")
	want := verdict.Verdict{Level: verdict.Malicious, Threat: verdict.DGA, Source: verdict.Model, Score: 41.5}
	if !ok || v != want || len(reasons) != 1 || reasons[0].Text != "label:bad" {
		t.Errorf("malicious: %v %v %v", v, reasons, ok)
	}
	if n := s.requests.Load(); n != 3 {
		t.Errorf("%d requests, want one for the benign and two for the flagged name", n)
	}
	if n := counted("ok") - before; n != 2 {
		t.Errorf("counted %v names as ok, want 2", n)
	}
}

func TestNamesAreGatheredAndAskedOnce(t *testing.T) {
	release := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, q question) {
		<-release
		judge(w, q)
	})
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open)
	c := classifier(t, s.URL, 30*time.Second)
	name := func(i int) string { return fmt.Sprintf("n%d.example.org", i) }
	var waiters sync.WaitGroup
	for i := range 100 {
		waiters.Go(func() {
			if _, _, ok := c.Classify(t.Context(), name(i)); !ok {
				t.Error("no verdict")
			}
		})
	}
	eventually(t, "all names asked", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.calls) == 100
	})
	var joined []*call
	for i := range 300 { // none is answered before all have joined
		asked, failure := c.ask(name(i%100), time.Now())
		if failure != "" {
			t.Fatal(failure)
		}
		joined = append(joined, asked)
	}
	open()
	waiters.Wait()
	for _, asked := range joined {
		<-asked.done
	}
	if n := s.names.Load(); n != 100 {
		t.Errorf("%d names went out for 100 that 400 queries wanted", n)
	}
	if n := s.requests.Load(); n > 20 {
		t.Errorf("%d requests for 100 names", n)
	}
}

// TestFailOpen: whatever the service does, a query gets false in time and is counted.
func TestFailOpen(t *testing.T) {
	text := func(body string) func(http.ResponseWriter, question) {
		return func(w http.ResponseWriter, _ question) { _, _ = io.WriteString(w, body) }
	}
	one := func(fields string) func(http.ResponseWriter, question) {
		return text(`{"verdicts": [{"qname": "example.org", ` + fields + `}]}`)
	}
	status := func(code int) func(http.ResponseWriter, question) {
		return func(w http.ResponseWriter, _ question) { http.Error(w, "no", code) }
	}
	for name, behave := range map[string]func(http.ResponseWriter, question){
		"500":              status(500),
		"429":              status(429),
		"404":              status(404),
		"redirect":         func(w http.ResponseWriter, _ question) { w.Header().Set("Location", "/"); w.WriteHeader(302) },
		"no JSON":          text("<html>"),
		"cut short":        text(`{"verdicts": [{"qname": "example.org", "ver`),
		"none":             text(`{"verdicts": []}`),
		"two":              text(`{"verdicts": [{}, {}]}`),
		"null":             text(`null`),
		"another name":     text(`{"verdicts": [{"qname": "example.com", "verdict": "benign", "source": "model"}]}`),
		"unknown verdict":  one(`"verdict": "terrible", "source": "model"`),
		"unknown threat":   one(`"verdict": "malicious", "threat": "aliens", "source": "model"`),
		"unknown source":   one(`"verdict": "benign", "source": "hearsay"`),
		"score is a text":  one(`"verdict": "benign", "source": "model", "score": "3"`),
		"score beyond 60":  one(`"verdict": "benign", "source": "model", "score": 61`),
		"error entry":      one(`"error": "no valid name"`),
		"endless":          func(w http.ResponseWriter, _ question) { spew(w) },
		"connection reset": func(w http.ResponseWriter, _ question) { hangUp(w) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, behave)
			c := classifier(t, s.URL, 20*time.Second)
			before := counted("error")
			if v, _, ok := c.Classify(t.Context(), "example.org"); ok {
				t.Errorf("a verdict %v out of nothing", v)
			}
			if n := counted("error") - before; n != 1 {
				t.Errorf("counted %v errors, want 1", n)
			}
		})
	}
}

func spew(w http.ResponseWriter) {
	chunk := strings.Repeat(" ", 64<<10)
	for range 1_000 {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

// hangUp ends the connection in the middle of the body.
func hangUp(w http.ResponseWriter) {
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = out.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"verd")
	_ = out.Flush()
	_ = conn.Close()
}

func TestOneOddAnswerSpoilsNoOther(t *testing.T) {
	release := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, q question) {
		<-release
		judge(w, q)
	})
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open)
	c := classifier(t, s.URL, 30*time.Second)
	var waiters sync.WaitGroup
	for i := range 50 {
		waiters.Go(func() {
			if _, _, ok := c.Classify(t.Context(), fmt.Sprintf("good%d.example.org", i)); !ok {
				t.Error("a good name without a verdict")
			}
		})
		waiters.Go(func() {
			if _, _, ok := c.Classify(t.Context(), fmt.Sprintf("odd%d.example.org", i)); ok {
				t.Error("an odd name with a verdict")
			}
		})
	}
	eventually(t, "all names asked", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.calls) == 100
	})
	open()
	waiters.Wait()
}

// TestHangingService: a service that has stopped costs each query its timeout at most,
// and nothing any more once the breaker is open.
func TestHangingService(t *testing.T) {
	stop := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, question) { <-stop })
	t.Cleanup(func() { close(stop) }) // runs before the server's own
	const timeout = 50 * time.Millisecond
	c := classifier(t, s.URL, timeout)
	before := counted("timeout")
	for i := range 5 {
		begin := time.Now()
		if _, _, ok := c.Classify(t.Context(), fmt.Sprintf("n%d.example.org", i)); ok {
			t.Fatal("a verdict out of nothing")
		}
		if took := time.Since(begin); took > 20*timeout {
			t.Errorf("a query waited %v", took)
		}
	}
	if n := counted("timeout") - before; n != 5 {
		t.Errorf("counted %v timeouts, want 5", n)
	}
	open := counted("open")
	eventually(t, "the breaker opens", func() bool {
		c.Classify(t.Context(), "later.example.org")
		return counted("open") > open
	})
}

func TestServiceComesBack(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ question) { http.Error(w, "no", http.StatusServiceUnavailable) })
	c := classifier(t, s.URL, 20*time.Second)
	c.breaker.shortest = 20 * time.Millisecond
	for range 8 {
		c.Classify(t.Context(), "example.org")
	}
	if n := s.requests.Load(); n != 5 {
		t.Errorf("%d requests to a service that fails, want 5", n)
	}
	s.set(judge)
	eventually(t, "verdicts again", func() bool {
		_, _, ok := c.Classify(t.Context(), "example.org")
		return ok
	})
}

func TestVerdictDoesNotWaitForReasons(t *testing.T) {
	stop := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, q question) {
		if q.Explain {
			<-stop
		}
		judge(w, q)
	})
	t.Cleanup(func() { close(stop) })
	c := classifier(t, s.URL, 3*time.Second) // the reasons take all of it, the verdict less also on a busy machine
	v, reasons, ok := c.Classify(t.Context(), "bad.example.org")
	if !ok || v.Level != verdict.Malicious || reasons != nil {
		t.Errorf("got %v %v %v, want the verdict without reasons", v, reasons, ok)
	}
}

func TestQueryThatIsGivenUp(t *testing.T) {
	stop := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, question) { <-stop })
	t.Cleanup(func() { close(stop) })
	c := classifier(t, s.URL, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, ok := c.Classify(ctx, "example.org"); ok {
		t.Error("a verdict out of nothing")
	}
}

func TestOverflow(t *testing.T) {
	stop := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, question) { <-stop })
	t.Cleanup(func() { close(stop) })
	c := classifier(t, s.URL, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := counted("overflow")
	for i := range maxWaiting + (maxRequests+1)*maxNames + 1 {
		c.Classify(ctx, fmt.Sprintf("n%d.example.org", i))
	}
	if counted("overflow") == before {
		t.Error("names wait without bound")
	}
}

func TestCloseLetsQueriesGo(t *testing.T) {
	stop := make(chan struct{})
	s := newService(t, func(http.ResponseWriter, question) { <-stop })
	t.Cleanup(func() { close(stop) })
	c := NewClassifier(s.URL, time.Hour)
	var waiters sync.WaitGroup
	for i := range 20 {
		waiters.Go(func() {
			if _, _, ok := c.Classify(context.Background(), fmt.Sprintf("n%d.example.org", i)); ok {
				t.Error("a verdict out of nothing")
			}
		})
	}
	eventually(t, "a request", func() bool { return s.requests.Load() > 0 })
	c.Close()
	waiters.Wait()
	if _, _, ok := c.Classify(t.Context(), "example.org"); ok {
		t.Error("a verdict after Close")
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	for _, url := range []string{s.URL, "", "nonsense", "ftp://example.org", "http://\x00"} {
		c := classifier(t, url, 20*time.Second)
		if _, _, ok := c.Classify(t.Context(), "example.org"); ok {
			t.Errorf("%q: a verdict out of nothing", url)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:5000", "https://user:secret@example.org/ml/"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "127.0.0.1:5000", "http://", "ftp://user:secret@example.org", "http://example.org?a=b",
		"http://user:secret@exa mple.org", "http://user:secret/@example.org", "user:secret@example.org", "http://user:%zzsecret@example.org"} {
		err := CheckURL(bad)
		if err == nil {
			t.Errorf("%q is taken", bad)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
