package mlplugin

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
	"github.com/mlplugin/mlplugin/models"
)

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// copyModel puts the built-in model in a folder.
func copyModel(t *testing.T) (directory, version string) {
	t.Helper()
	m, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	inside, err := fs.Sub(models.Directories, m.Version())
	if err != nil {
		t.Fatal(err)
	}
	directory = filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(directory, inside); err != nil {
		t.Fatal(err)
	}
	return directory, m.Version()
}

func replaceIn(t *testing.T, path, old, replacement string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(content, []byte(old), []byte(replacement))
	if bytes.Equal(changed, content) {
		t.Fatalf("%s has no %q", path, old)
	}
	replace(t, path, changed)
}

// replace changes a file in one instant.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

// watching makes a handler with its real model, which looks for changes all the time.
func watching(t *testing.T, block string) *Handler {
	t.Helper()
	c := caddy.NewTestController("dns", "mlplugin {\n"+block+"\n}")
	c.ServerBlockKeys = []string{"."}
	s, err := parse(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(s)
	if err != nil {
		t.Fatal(err)
	}
	h.Next = answering()
	useModel(h.snapshot.Load().model, 1)
	useShadow(h.snapshot.Load().shadow, 1)
	h.stopping = append(h.stopping, func() {
		useModel(h.snapshot.Load().model, -1)
		useShadow(h.snapshot.Load().shadow, -1)
	})
	h.watch(time.Millisecond)
	t.Cleanup(func() { _ = h.stop() })
	return h
}

func TestModelIsReadAgain(t *testing.T) {
	directory, version := copyModel(t)
	config := filepath.Join(directory, "config.json")
	h := watching(t, "model "+directory)
	if h.snapshot.Load().model.Version() != version {
		t.Fatalf("version %s", h.snapshot.Load().model.Version())
	}
	failed := reloadTotal.WithLabelValues("model", "error")
	before := testutil.ToFloat64(failed)
	replaceIn(t, config, `"format"`, `"formed"`)
	eventually(t, "the fault is counted", func() bool { return testutil.ToFloat64(failed) == before+1 })
	if h.snapshot.Load().model.Version() != version {
		t.Error("a broken model is in force")
	}
	replaceIn(t, config, `"formed"`, `"format"`)
	next := "9" + version[1:] // of the same length
	replaceIn(t, config, `"`+version+`"`, `"`+next+`"`)
	eventually(t, "the new model is in force", func() bool { return h.snapshot.Load().model.Version() == next })
	if got := testutil.ToFloat64(failed); got != before+1 {
		t.Errorf("%v faults counted", got-before)
	}
	info := modelInfo.WithLabelValues(next, h.snapshot.Load().model.SHA256())
	if got := testutil.ToFloat64(info); got != 1 {
		t.Errorf("model_info %v", got)
	}
}

// point makes a link lead elsewhere, in one instant.
func point(t *testing.T, link, target string) {
	t.Helper()
	fresh := link + ".fresh"
	if err := os.Symlink(target, fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, link); err != nil {
		t.Fatal(err)
	}
}

// TestModelBehindALink: a link that appears, moves, leads nowhere and goes away again.
func TestModelBehindALink(t *testing.T) {
	directory, version := copyModel(t)
	next := "9" + version[1:]
	replaceIn(t, filepath.Join(directory, "config.json"), `"`+version+`"`, `"`+next+`"`)
	other, _ := copyModel(t)
	another := "8" + version[1:]
	replaceIn(t, filepath.Join(other, "config.json"), `"`+version+`"`, `"`+another+`"`)
	link := filepath.Join(t.TempDir(), "current")
	h := watching(t, "model "+link+" or builtin")
	inForce := func(wanted string) {
		t.Helper()
		eventually(t, wanted+" is in force", func() bool { return h.snapshot.Load().model.Version() == wanted })
	}
	inForce(version)
	point(t, link, directory)
	inForce(next)
	point(t, link, other)
	inForce(another)
	failed := reloadTotal.WithLabelValues("model", "error")
	before := testutil.ToFloat64(failed)
	point(t, link, filepath.Join(t.TempDir(), "nowhere"))
	eventually(t, "the fault is counted", func() bool { return testutil.ToFloat64(failed) == before+1 })
	inForce(another)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	inForce(version)
}

func TestListsAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deny.txt")
	write := func(content string) {
		t.Helper()
		replace(t, path, []byte(content))
	}
	write("first.example.com\n")
	h := watching(t, "on malicious refuse\ndeny "+path)
	rcode := func(name string) int { return ask(t, h, name, dns.TypeA).Rcode }
	if rcode("first.example.com.") != dns.RcodeRefused || rcode("second.example.com.") != dns.RcodeSuccess {
		t.Error("the first list does not hold")
	}
	failed := reloadTotal.WithLabelValues("lists", "error")
	before := testutil.ToFloat64(failed)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fault is counted", func() bool { return testutil.ToFloat64(failed) == before+1 })
	if rcode("first.example.com.") != dns.RcodeRefused {
		t.Error("a list that is gone took its names along")
	}
	write("second.example.com\n")
	eventually(t, "the second list holds", func() bool { return rcode("second.example.com.") == dns.RcodeRefused })
	if rcode("first.example.com.") != dns.RcodeSuccess {
		t.Error("the first list holds still")
	}
}

// TestFilesThatAreBeingWritten: they are read once they have come to rest.
func TestFilesThatAreBeingWritten(t *testing.T) {
	looks := []string{"old", "old", "half", "three quarters", "new", "new", "new", "broken", "broken", "broken", "new"}
	at, loaded := 0, []int{}
	w := &watched{
		what: "lists", seen: "old",
		files: func() string { return looks[at] },
		load:  func() error { loaded = append(loaded, at); return nil },
	}
	for at = range looks {
		w.look()
	}
	if !slices.Equal(loaded, []int{5, 8}) {
		t.Errorf("loaded at %v", loaded)
	}
}

// TestLoadIsTriedAgain: an error that passes without a change of the files, such as too
// many open ones, does not leave the old part in force for good.
func TestLoadIsTriedAgain(t *testing.T) {
	failed := reloadTotal.WithLabelValues("lists", "error")
	before := testutil.ToFloat64(failed)
	outcomes := []error{errors.New("too many open files"), errors.New("too many open files"), errors.New("no memory"), nil}
	loads := 0
	w := &watched{
		what: "lists", seen: "old",
		files: func() string { return "new" },
		load:  func() error { loads++; return outcomes[loads-1] },
	}
	for range 10 {
		w.look()
	}
	if loads != len(outcomes) {
		t.Errorf("%d loads", loads)
	}
	if got := testutil.ToFloat64(failed) - before; got != 2 {
		t.Errorf("%v errors told of 2 different ones", got)
	}
}

// TestChangeBeforeTheWatch: between the first reading and the start of the watch.
func TestChangeBeforeTheWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deny.txt")
	replace(t, path, []byte("first.example.com\n"))
	c := caddy.NewTestController("dns", "mlplugin {\non malicious refuse\ndeny "+path+"\n}")
	c.ServerBlockKeys = []string{"."}
	s, err := parse(c)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(s)
	if err != nil {
		t.Fatal(err)
	}
	h.Next = answering()
	replace(t, path, []byte("another.example.com\n"))
	h.watch(time.Millisecond)
	t.Cleanup(func() { _ = h.stop() })
	eventually(t, "the second list holds", func() bool {
		return ask(t, h, "another.example.com.", dns.TypeA).Rcode == dns.RcodeRefused
	})
}

// TestSwapUnderLoad: while models, lists and policies change, each answer is right by
// one of the snapshots that were in force, and what none of them touches never changes.
func TestSwapUnderLoad(t *testing.T) {
	h, record := newTestHandler(t, "on malicious nxdomain\ndeny listed.example.net", test.A("x.example.com. 60 IN A 198.51.100.1"))
	first, second := newFakeModel(), newFakeModel()
	second.version = "2.0.0"
	second.verdicts["www.example.com"] = verdict.Verdict{Source: verdict.Reputation}
	overrides, err := policy.ParseOverrides([]byte(`{"overrides": [{"name": "vetted.example.net", "status": "blocked"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]int{
		"listed.example.net.": dns.RcodeNameError, "evil.example.com.": dns.RcodeNameError,
		"www.example.com.": dns.RcodeSuccess, "famous.example.com.": dns.RcodeSuccess,
	}
	const clients, rounds = 4, 2000
	done := make(chan struct{})
	var swapping, asking sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			h.swap(func(s *snapshot) { s.model = []judge{first, second}[i%2] })
			h.swap(func(s *snapshot) { s.overrides = []*policy.Overrides{nil, overrides}[i%2] })
		}
	})
	for range clients {
		asking.Go(func() {
			for range rounds {
				for name, want := range wanted {
					w := dnstest.NewRecorder(&test.ResponseWriter{})
					_, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion(name, dns.TypeA))
					if err != nil || w.Msg == nil || w.Msg.Rcode != want {
						t.Errorf("%s: %v, %v", name, w.Msg, err)
						return
					}
				}
			}
		})
	}
	asking.Wait()
	close(done)
	swapping.Wait()
	if len(record.events) != clients*rounds*len(wanted) {
		t.Errorf("%d events", len(record.events))
	}
	for _, e := range record.events {
		reputed := e.QName == "www.example.com" && e.Verdict.Source == verdict.Reputation
		if e.QName == "www.example.com" && reputed != (e.Model == second.version) {
			t.Fatalf("the verdict of one model under the name of another: %+v", e)
		}
	}
}

// TestMemoryIsGivenBackAtTheStartAlone: collecting all garbage at each change of a long list would be
// felt by whoever waits for an answer.
func TestMemoryIsGivenBackAtTheStartAlone(t *testing.T) {
	given := 0
	real := giveBack
	giveBack = func() { given++ }
	defer func() { giveBack = real }()
	var names strings.Builder
	for i := range longList {
		fmt.Fprintf(&names, "h%d.example.net\n", i)
	}
	path := filepath.Join(t.TempDir(), "deny.txt")
	if err := os.WriteFile(path, []byte(names.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ := newTestHandler(t, "deny "+path)
	if given != 1 {
		t.Errorf("given back %d times at the start", given)
	}
	for range 2 {
		if err := h.reloadLists(); err != nil {
			t.Fatal(err)
		}
	}
	if given != 1 {
		t.Errorf("given back %d times", given)
	}
}
