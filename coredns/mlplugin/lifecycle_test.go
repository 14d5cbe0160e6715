package mlplugin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/miekg/dns"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metadata"
	_ "github.com/coredns/coredns/plugin/template"
	_ "github.com/coredns/coredns/plugin/whoami"
)

func TestMain(m *testing.M) {
	at := slices.Index(dnsserver.Directives, "acl")
	if err := dnsserver.SetDirectives(slices.Insert(slices.Clone(dnsserver.Directives), at+1, pluginName)); err != nil {
		panic(err)
	}
	dnsserver.Quiet = true
	os.Exit(m.Run())
}

// office is a service that takes events and gives a policy.
type office struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int // events by sensor and sequence
	// away says that nobody is there who knows the policy.
	away atomic.Bool
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{seen: map[string]int{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/policy" && o.away.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/api/v1/policy" {
		_, _ = w.Write([]byte(`{"version": "1", "overrides": [{"name": "vetted.example.com", "status": "blocked"}]}`))
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	stored := 0
	for lines := bufio.NewScanner(r.Body); lines.Scan(); stored++ {
		var e struct{ Sequence uint64 }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		o.seen[fmt.Sprintf("%s %d", r.URL.Query().Get("sensor"), e.Sequence)]++
	}
	fmt.Fprintf(w, `{"stored": %d, "known": 0}`, stored)
}

func (o *office) events() (total int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// freePort is one that is free for TCP and UDP just now.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		tcp.Close()
		if err == nil {
			udp.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func start(t *testing.T, corefile string) *caddy.Instance {
	t.Helper()
	instance, err := caddy.Start(input(corefile))
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

func input(corefile string) caddy.Input {
	return caddy.CaddyfileInput{Filepath: "Corefile", Contents: []byte(corefile), ServerTypeName: "dns"}
}

func stopInstance(t *testing.T, instance *caddy.Instance) {
	t.Helper()
	if errs := instance.ShutdownCallbacks(); len(errs) > 0 {
		t.Error(errs)
	}
	if err := instance.Stop(); err != nil {
		t.Error(err)
	}
}

// rcodeAt asks a server on this machine.
func rcodeAt(t *testing.T, port int, name string) int {
	t.Helper()
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	return m.Rcode
}

// TestReloadOfTheCorefile: no event is lost or sent twice, overrides hold on, and nothing
// of the old instance stays.
func TestReloadOfTheCorefile(t *testing.T) {
	before := runtime.NumGoroutine()
	o := newOffice(t)
	first, second := freePort(t), freePort(t)
	block := func(port int) string {
		return fmt.Sprintf(`.:%d {
			bind 127.0.0.1
			mlplugin {
				service %s
				sensor reload
			}
			whoami
		}
		`, port, o.URL)
	}
	corefile := block(first) + block(second)
	instance := start(t, corefile)
	asked := 0
	blocked := func(port int) bool {
		asked++
		return rcodeAt(t, port, "vetted.example.com.") == dns.RcodeNameError
	}
	eventually(t, "the override holds", func() bool { return blocked(first) && blocked(second) })
	o.away.Store(true)
	for range 3 {
		next, err := instance.Restart(input(corefile))
		if err != nil {
			t.Fatal(err)
		}
		instance = next
		if !blocked(first) || !blocked(second) {
			t.Error("the override was forgotten")
		}
	}
	eventually(t, "each query is in the history", func() bool { return o.events() == asked })
	stopInstance(t, instance)
	if got := o.events(); got != asked {
		t.Errorf("%d queries, %d events", asked, got)
	}
	for event, times := range o.seen {
		if times != 1 {
			t.Errorf("event %s came %d times", event, times)
		}
	}
	o.Close()
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// recorded waits until so many events were recorded, which is after their answers.
func recorded(t *testing.T, want int) {
	t.Helper()
	eventually(t, "all is recorded", func() bool {
		live.Lock()
		defer live.Unlock()
		for h := range live.handlers {
			return h.sender.(*events.Sender).Totals().Recorded == uint64(want)
		}
		return false
	})
}

// TestFailedReload: what the discarded instance had started is stopped at once, and does
// not keep the events of the running one from being sent at the end.
func TestFailedReload(t *testing.T) {
	o := newOffice(t)
	port := freePort(t)
	block := func(port int) string {
		return fmt.Sprintf(".:%d {\nbind 127.0.0.1\nmlplugin {\nservice %s\nsensor failed\n}\nwhoami\n}\n", port, o.URL)
	}
	instance := start(t, block(port))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	rcodeAt(t, port, "www.example.com.")
	eventually(t, "the running instance is at work", func() bool { return o.events() == 1 })
	before := runtime.NumGoroutine()
	for range 3 {
		if _, err := instance.Restart(input(block(port) + block(taken.Addr().(*net.TCPAddr).Port))); err == nil {
			t.Fatal("a reload onto a port in use succeeds")
		}
	}
	if got := len(live.handlers); got != 1 {
		t.Errorf("%d handlers are live", got)
	}
	eventually(t, "the goroutines of the discarded have ended", func() bool { return runtime.NumGoroutine() <= before+2 })
	const asked = 50
	for range asked - 1 {
		rcodeAt(t, port, "www.example.com.")
	}
	recorded(t, asked)
	stopInstance(t, instance)
	if got := o.events(); got != asked {
		t.Errorf("%d queries, %d events", asked, got)
	}
}

// TestOtherSensorOnTheSameSpool: a reload that renames the sensor says that it takes a
// restart, and the old one goes on.
func TestOtherSensorOnTheSameSpool(t *testing.T) {
	o := newOffice(t)
	port, spool := freePort(t), t.TempDir()
	block := func(sensor string) caddy.Input {
		return input(fmt.Sprintf(".:%d {\nbind 127.0.0.1\nmlplugin {\nservice %s\nsensor %s\nspool %s\n}\nwhoami\n}\n",
			port, o.URL, sensor, spool))
	}
	instance := start(t, string(block("first").Body()))
	if _, err := instance.Restart(block("second")); err == nil || !strings.Contains(err.Error(), "restart CoreDNS") {
		t.Errorf("error %v", err)
	}
	rcodeAt(t, port, "www.example.com.")
	recorded(t, 1)
	stopInstance(t, instance)
	if got := o.events(); got != 1 {
		t.Errorf("%d events", got)
	}
}

// TestLameduck: queries that come between the callbacks of a shutdown and those of a final
// one, where health waits, are recorded as well.
func TestLameduck(t *testing.T) {
	o := newOffice(t)
	port := freePort(t)
	instance := start(t, fmt.Sprintf(".:%d {\nbind 127.0.0.1\nmlplugin {\nservice %s\nsensor lame\n}\nwhoami\n}\n", port, o.URL))
	for _, callback := range instance.OnShutdown {
		if err := callback(); err != nil {
			t.Error(err)
		}
	}
	rcodeAt(t, port, "www.example.com.")
	recorded(t, 1)
	for _, callback := range instance.OnFinalShutdown {
		if err := callback(); err != nil {
			t.Error(err)
		}
	}
	if got := o.events(); got != 1 {
		t.Errorf("%d events", got)
	}
	if err := instance.Stop(); err != nil {
		t.Error(err)
	}
}

func TestBlocksDisagreeOnTheSpool(t *testing.T) {
	block := ".:%d {\nmlplugin {\nservice http://127.0.0.1:1\nsensor one\n%s\n}\n}\n"
	corefile := fmt.Sprintf(block, 1, "spool /a") + fmt.Sprintf(block, 2, "spool /b")
	err := caddy.ValidateAndExecuteDirectives(input(corefile), nil, true)
	if err == nil || !strings.Contains(err.Error(), "share one spool") {
		t.Errorf("error %v", err)
	}
}

// TestReadme sets up every Corefile of the README, and finds every option in it.
func TestReadme(t *testing.T) {
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "deny.txt")
	if err := os.WriteFile(list, []byte("listed.example.net\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s)~~~ corefile\n(.*?)~~~`).FindAllStringSubmatch(string(content), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d Corefiles", len(blocks))
	}
	for i, block := range blocks {
		corefile := strings.ReplaceAll(block[1], "/etc/coredns/deny.txt", list)
		if err := caddy.ValidateAndExecuteDirectives(input(corefile), nil, true); err != nil {
			t.Errorf("Corefile %d: %v", i+1, err)
		}
	}
	for _, word := range append(keys(options), effectNames[:]...) {
		if !strings.Contains(string(content), "`"+word) {
			t.Errorf("%s is not in the README", word)
		}
	}
}
