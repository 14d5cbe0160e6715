package mlplugin

import (
	"sync"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// No label holds a name or a client, whose number nobody bounds.
var (
	queriesTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "queries_total",
		Help: "Queries that were served: judged, answered or dropped.",
	}, []string{"server"})
	verdictsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "verdicts_total",
		Help: "Queries by what they were judged to be, and by which step.",
	}, []string{"server", "verdict", "threat", "source"})
	actionsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "actions_total",
		Help: "Flagged queries by what was done with them.",
	}, []string{"server", "action"})
	cacheHits = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "cache_hits_total",
		Help: "Judgements of names that were taken from the cache of verdicts.",
	})
	cacheMisses = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "cache_misses_total",
		Help: "Judgements of names that were made anew.",
	})
	reloadTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "reload_total",
		Help: "Replacements of the model, the lists or the policy while running, by result.",
	}, []string{"what", "result"})
	modelInfo = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "model_info",
		Help: "Number of server blocks that judge with the model.",
	}, []string{"version", "sha256"})
	panicsTotal = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "panics_total",
		Help: "Panics of this plugin that were recovered from.",
	})
)

// counters are those of one server, found without hashing of labels.
type counters struct {
	server   string
	queries  prometheus.Counter
	verdicts [verdict.Malicious + 1][verdict.ThreatCount + 1][verdict.Behaviour + 1]atomic.Pointer[prometheus.Counter]
}

// countersOf gives the counters of a server.
func (h *Handler) countersOf(server string) *counters {
	if found, ok := h.counters.Load(server); ok {
		return found.(*counters)
	}
	made := &counters{server: server, queries: queriesTotal.WithLabelValues(server)}
	found, _ := h.counters.LoadOrStore(server, made)
	return found.(*counters)
}

// count counts a served query.
func (c *counters) count(v verdict.Verdict) {
	c.queries.Inc()
	place := &c.verdicts[v.Level][v.Threat][v.Source]
	counter := place.Load()
	if counter == nil {
		made := verdictsTotal.WithLabelValues(c.server, v.Level.String(), v.Threat.String(), v.Source.String())
		counter = &made
		place.Store(counter)
	}
	(*counter).Inc()
}

var modelsInUse = struct {
	sync.Mutex
	users map[[2]string]int
}{users: map[[2]string]int{}}

// useModel changes how many server blocks judge with a model; one that nobody uses any
// more leaves the metrics.
func useModel(m judge, change int) {
	modelsInUse.Lock()
	defer modelsInUse.Unlock()
	key := [2]string{m.Version(), m.SHA256()}
	modelsInUse.users[key] += change
	if modelsInUse.users[key] > 0 {
		modelInfo.WithLabelValues(key[:]...).Set(float64(modelsInUse.users[key]))
		return
	}
	delete(modelsInUse.users, key)
	modelInfo.DeleteLabelValues(key[:]...)
}

// reloaded counts a replacement.
func reloaded(what string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	reloadTotal.WithLabelValues(what, result).Inc()
}
