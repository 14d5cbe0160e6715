package mlplugin

import (
	"sync"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// No label holds a name or a client, whose number nobody bounds.
var (
	actionsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "actions_total",
		Help: "Flagged queries by what was done with them.",
	}, []string{"server", "action"})
	reloadTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "reload_total",
		Help: "Replacements of the model, the candidate in shadow, the lists or the policy while running, by result.",
	}, []string{"what", "result"})
	modelInfo = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "model_info",
		Help: "Number of server blocks that judge with the model.",
	}, []string{"version", "sha256"})
	shadowInfo = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "shadow_info",
		Help: "Number of server blocks that have the model in shadow.",
	}, []string{"version", "sha256"})
	shadowJudged = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "shadow_judged_total",
		Help: "Names that the candidate in shadow judged, each when it came into the cache of verdicts.",
	})
	panicsTotal = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "panics_total",
		Help: "Panics of this plugin that were recovered from.",
	})
)

// shadowDisagreements are by the level that the model in force gave and the candidate's.
var shadowDisagreements = func() (byLevels [verdict.Malicious + 1][verdict.Malicious + 1]prometheus.Counter) {
	counters := promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: pluginName, Name: "shadow_disagreements_total",
		Help: "Names to which the candidate in shadow gave another level than the model in force.",
	}, []string{"live", "shadow"})
	for live := range byLevels {
		for other := range byLevels[live] {
			if live != other {
				byLevels[live][other] = counters.WithLabelValues(verdict.Level(live).String(), verdict.Level(other).String())
			}
		}
	}
	return byLevels
}()

// users counts the server blocks that use a model.
type users struct {
	sync.Mutex
	gauge  *prometheus.GaugeVec
	counts map[[2]string]int
}

var (
	modelUsers  = &users{gauge: modelInfo, counts: map[[2]string]int{}}
	shadowUsers = &users{gauge: shadowInfo, counts: map[[2]string]int{}}
)

// useModel changes how many server blocks judge with a model; one that nobody uses any
// more leaves the metrics.
func useModel(m judge, change int) {
	modelUsers.change(m, change)
}

// useShadow is useModel for what is in shadow, if anything is.
func useShadow(c *candidate, change int) {
	if c != nil {
		shadowUsers.change(c, change)
	}
}

func (u *users) change(m judge, change int) {
	u.Lock()
	defer u.Unlock()
	key := [2]string{m.Version(), m.SHA256()}
	u.counts[key] += change
	if u.counts[key] > 0 {
		u.gauge.WithLabelValues(key[:]...).Set(float64(u.counts[key]))
		return
	}
	delete(u.counts, key)
	u.gauge.DeleteLabelValues(key[:]...)
}

// reloaded counts a replacement.
func reloaded(what string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	reloadTotal.WithLabelValues(what, result).Inc()
}
