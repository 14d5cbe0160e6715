package events

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// line is an event as the service reads it.
type line struct {
	Sequence uint64   `json:"sequence"`
	Time     int64    `json:"time"`
	Client   string   `json:"client"`
	QName    string   `json:"qname"`
	QType    string   `json:"qtype"`
	Verdict  string   `json:"verdict"`
	Source   string   `json:"source"`
	Model    *string  `json:"model"`
	Answers  []string `json:"answers"`
}

// seenCounters is the header Mlplugin-Counters.
type seenCounters struct {
	Started uint64            `json:"started"`
	Served  uint64            `json:"served"`
	Dropped map[string]uint64 `json:"dropped"`
}

func (c seenCounters) lost() (n uint64) {
	for _, count := range c.Dropped {
		n += count
	}
	return n
}

// service is a real HTTP server that stores each (sensor, sequence) once, as the protocol asks.
type service struct {
	*httptest.Server
	t    *testing.T
	gone chan struct{}

	mu       sync.Mutex
	behave   http.HandlerFunc // nil: do the work
	refuse   string           // a qname that makes a batch impossible to store
	stored   map[string]int   // sensor/sequence: times sent
	order    []uint64         // sequences as they were first stored
	requests int
	largest  int
	zipped   int
	counters map[string]seenCounters // newest by sensor/started
}

func newService(t *testing.T) *service {
	s := &service{t: t, stored: map[string]int{}, counters: map[string]seenCounters{}, gone: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		close(s.gone)
		s.Server.CloseClientConnections()
		s.Server.Close()
	})
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	behave := s.behave
	s.mu.Unlock()
	if behave != nil {
		behave(w, r)
		return
	}
	s.store(w, r)
}

// store does what the service does.
func (s *service) store(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/v1/events" || r.Header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Errorf("odd request: %s %s %v", r.Method, r.URL, r.Header)
	}
	lines, err := s.read(r)
	if err != nil { // cut off by the sensor
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sensor := r.URL.Query().Get("sensor")
	if header := r.Header.Get("Mlplugin-Counters"); header != "" {
		var c seenCounters
		if err := json.Unmarshal([]byte(header), &c); err != nil {
			s.t.Errorf("counters %q: %v", header, err)
		}
		if key := fmt.Sprintf("%s/%d", sensor, c.Started); c.Served >= s.counters[key].Served {
			s.counters[key] = c
		}
	}
	for _, l := range lines {
		if s.refuse != "" && l.QName == s.refuse {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
	}
	s.largest = max(s.largest, len(lines))
	known := 0
	for _, l := range lines {
		key := fmt.Sprintf("%s/%d", sensor, l.Sequence)
		if s.stored[key]++; s.stored[key] > 1 {
			known++
		} else {
			s.order = append(s.order, l.Sequence)
		}
	}
	fmt.Fprintf(w, `{"stored": %d, "known": %d}`, len(lines)-known, known)
}

// read parses the body strictly.
func (s *service) read(r *http.Request) ([]line, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzip, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(unzip)
		}
		if err != nil {
			s.t.Errorf("a gzip body that is none: %v", err)
		}
		s.mu.Lock()
		s.zipped++
		s.mu.Unlock()
	}
	if len(body) > 0 && body[len(body)-1] != '\n' {
		s.t.Error("the last line has no end")
	}
	var lines []line
	for text := range bytes.Lines(body) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil || l.Sequence == 0 || l.Time == 0 || l.Client == "" ||
			l.QName == "" || l.QType == "" || l.Verdict == "" || l.Source == "" || l.Model == nil {
			s.t.Errorf("line %q: %v", text, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// set replaces what the service does; nil lets it work again.
func (s *service) set(behave http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = behave
}

// hang makes the service accept requests and answer nothing, as one that is stopped does.
func (s *service) hang() {
	s.set(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-s.gone:
		}
	})
}

func (s *service) fail(status int) {
	s.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

func (s *service) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// served and lost add up what the sensors have told.
func (s *service) told() (served, lost uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.counters {
		served += c.Served
		lost += c.lost()
	}
	return served, lost
}

// quick is a configuration with timings for tests.
func quick(url string) Config {
	return Config{
		URL: url, Sensor: "test",
		BatchInterval:  2 * time.Millisecond,
		RetryMin:       2 * time.Millisecond,
		RetryMax:       10 * time.Millisecond,
		RequestTimeout: 20 * time.Second,
	}
}

// open makes and starts a sender that is closed with the test.
func open(t *testing.T, c Config) *Sender {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
	})
	s.Start()
	return s
}

// shut closes the sender with enough time.
func shut(t *testing.T, s *Sender) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// sample is an event whose name tells its number.
func sample(n int) *Event {
	return &Event{
		Time: time.Now(), Client: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Transport: "udp",
		QName: "n" + strconv.Itoa(n) + ".example.org", RegisteredDomain: "example.org", QType: 1,
		Answers: answersOf("192.0.2.1"), Duration: 1500 * time.Microsecond,
		Verdict: verdict.Verdict{Source: verdict.Model, Score: 3.1}, Model: "2026.11.0",
	}
}

func flagged(n int) *Event {
	e := sample(n)
	e.Verdict = verdict.Verdict{Level: verdict.Suspicious, Source: verdict.Model, Score: 31}
	return e
}

func feed(s *Sender, from, to int) {
	for n := from; n < to; n++ {
		s.Record(sample(n))
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// balanced holds the sum rule.
func balanced(t *testing.T, s *Sender) Totals {
	t.Helper()
	n := s.Totals()
	if n.Recorded+n.Recovered != n.Sent+lost(n)+n.Pending {
		t.Errorf("events do not add up: %+v", n)
	}
	return n
}

func lost(n Totals) (sum uint64) {
	for _, count := range n.Dropped {
		sum += count
	}
	return sum
}
