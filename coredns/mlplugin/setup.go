// Package mlplugin is a CoreDNS plugin that judges every query and its answer with a
// trained model, acts as the Corefile says, and tells a service about it.
package mlplugin

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/events"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/model"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/policy"
	"github.com/mlplugin/mlplugin/coredns/mlplugin/remote"
)

func init() { plugin.Register(pluginName, setup) }

const (
	// pollEvery is the time between questions for the policy of the service: what a person decides
	// is to act within five seconds, on a crowded machine too.
	pollEvery = 2 * time.Second
	// flushTimeout bounds how long a shutdown waits for events to be sent.
	flushTimeout = 5 * time.Second
)

func setup(c *caddy.Controller) error {
	s, err := parse(c)
	if err != nil {
		return plugin.Error(pluginName, err)
	}
	if err := agreeOnSpool(c, s); err != nil {
		return plugin.Error(pluginName, err)
	}
	h, err := newHandler(s)
	if err != nil {
		return plugin.Error(pluginName, c.Errf("%v", err))
	}
	h.manage(c)
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	return nil
}

// spoolKey is the key of the spools of a CoreDNS instance, by service and sensor.
type spoolKey struct{}

// agreeOnSpool refuses server blocks that are one sensor but not of one mind about its spool.
func agreeOnSpool(c *caddy.Controller, s settings) error {
	if s.service == "" {
		return nil
	}
	type spool struct {
		directory string
		bytes     int64
	}
	spools, _ := c.Get(spoolKey{}).(map[[2]string]spool)
	if spools == nil {
		spools = map[[2]string]spool{}
		c.Set(spoolKey{}, spools)
	}
	key, own := [2]string{s.service, s.sensor}, spool{s.spool, s.spoolBytes}
	if other, ok := spools[key]; ok && other != own {
		return c.Errf("server blocks with the same service and sensor share one spool: name %q %d in each, or give each its sensor",
			other.directory, other.bytes)
	}
	spools[key] = own
	return nil
}

// newHandler loads what verdicts depend on.
func newHandler(s settings) (*Handler, error) {
	h := &Handler{Zones: s.zones, settings: s, rules: s.rules}
	h.watched = h.watchedParts() // looks before it loads, so that no change is missed
	m, err := loadModel(s)
	if err != nil {
		return nil, err
	}
	lists, err := loadLists(s.lists)
	if err != nil {
		return nil, err
	}
	if lists.Names() >= longList {
		giveBack() // reading it took several times what it takes
	}
	first := &snapshot{
		model: m, lists: lists, ownZones: newZoneSet(s.zones...), seed: maphash.MakeSeed(),
		cache: newCache(), reasons: new(reasons),
	}
	if s.remoteTimeout > 0 {
		first.remote = newCache()
	}
	h.snapshot.Store(first)
	h.beginShadow()
	return h, nil
}

// builtin reads the built-in model once.
var builtin = sync.OnceValues(model.Builtin)

func loadModel(s settings) (judge, error) {
	load := builtin
	if s.model != "" && !(s.orBuiltin && nothingAt(s.model)) {
		load = func() (*model.Model, error) { return model.LoadDir(whereItLeads(s.model)) }
	}
	m, err := load()
	if err != nil { // a nil *model.Model would be a judge that is not nil
		return nil, err
	}
	return m, nil
}

// nothingAt says that a path is free: a link that leads nowhere is a fault and no such thing.
func nothingAt(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// whereItLeads follows links, so that all files are of one model though a link moves meanwhile.
func whereItLeads(path string) string {
	if end, err := filepath.EvalSymlinks(path); err == nil {
		return end
	}
	return path
}

// longList is from how many names on reading a list leaves a heap that is worth giving back.
const longList = 100_000

// giveBack gives the system what is not used, once: it collects garbage with all that it takes,
// which nobody who waits for an answer should feel. After later reads the runtime does it bit by bit.
var giveBack = sync.OnceFunc(debug.FreeOSMemory)

func loadLists(entries []policy.Entry) (*policy.Lists, error) {
	lists, skipped, err := policy.Load(entries)
	if err != nil { // one error is enough, and it is tried again
		return nil, err
	}
	for _, s := range skipped {
		log.Warningf("%s: %d lines are not understood and passed over, the first is line %d", s.File, s.Lines, s.First)
	}
	return lists, nil
}

// start runs before the servers do, when the chain of plugins is complete.
func (h *Handler) start() error {
	zones, hosts := neighbours(h.Next)
	h.hosts = hosts
	h.swap(func(s *snapshot) { s.ownZones = newZoneSet(append(zones, h.settings.zones...)...) })
	useModel(h.snapshot.Load().model, 1)
	useShadow(h.snapshot.Load().shadow, 1)
	h.stopping = append(h.stopping, func() {
		useModel(h.snapshot.Load().model, -1)
		useShadow(h.snapshot.Load().shadow, -1)
	})
	if err := h.connect(); err != nil {
		return plugin.Error(pluginName, err)
	}
	h.watch(watchEvery)
	return nil
}

// connect begins what talks to the service.
func (h *Handler) connect() error {
	s := h.settings
	if s.service == "" {
		return nil
	}
	sender, release, err := events.Shared(events.Config{
		URL: s.service, Sensor: s.sensor, Spool: s.spool, SpoolBytes: s.spoolBytes,
	})
	if err != nil {
		return err
	}
	h.sender = sender
	h.stopping = append(h.stopping, func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := release(ctx); err != nil {
			log.Errorf("%v", err)
		}
	})
	if s.remoteTimeout > 0 {
		h.remote = remote.NewClassifier(s.service, s.remoteTimeout)
		h.stopping = append(h.stopping, h.remote.Close)
	}
	h.follow()
	return nil
}

// lastPolicies are the policies that were last taken, by service, so that a reload of
// the Corefile does not forget them until the service is asked.
var lastPolicies sync.Map

// follow keeps overrides equal to the service's.
func (h *Handler) follow() {
	s := h.settings
	if last, ok := lastPolicies.Load(s.service); ok {
		_ = h.applyPolicy(last.([]byte)) // it was taken before
	}
	keepAt := ""
	if s.spool != "" {
		keepAt = filepath.Join(s.spool, "policy.json")
	}
	poller := remote.NewPolicyPoller(s.service, pollEvery, keepAt, func(policy []byte) error {
		err := h.applyPolicy(policy)
		reloaded("policy", err)
		if err == nil {
			lastPolicies.Store(s.service, policy)
		}
		return err
	})
	poller.Start()
	h.stopping = append(h.stopping, poller.Close)
}

// applyPolicy puts overrides in force.
func (h *Handler) applyPolicy(data []byte) error {
	overrides, err := policy.ParseOverrides(data)
	if err != nil {
		return err
	}
	h.swap(func(s *snapshot) { s.overrides = overrides })
	return nil
}

// stop ends what start began, in reverse, so that events are flushed last.
func (h *Handler) stop() error {
	for len(h.stopping) > 0 {
		last := len(h.stopping) - 1
		h.stopping[last]()
		h.stopping = h.stopping[:last]
	}
	return nil
}
