package mlplugin

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/verdict"
)

// tally counts the queries of one server. A query adds to one number only, from which the
// metrics are summed when somebody reads them: processors that write to the same numbers
// wait for each other.
type tally struct {
	server string
	scheme string // of the server's address, empty for plain DNS
	served [lookups][verdict.Malicious + 1][verdict.ThreatCount + 1][verdict.Behaviour + 1]atomic.Uint64
}

// tallies are by server, whatever handler it has: counters go on over a reload.
var tallies sync.Map

// targetLookups counts what became of looks into the cache for names within answers.
var targetLookups [lookups]atomic.Uint64

// tallyOf gives the tally of a server.
func (h *Handler) tallyOf(server string) *tally {
	if last := h.tally.Load(); last != nil && last.server == server {
		return last
	}
	kept, ok := tallies.Load(server)
	if !ok {
		kept, _ = tallies.LoadOrStore(server, newTally(server))
	}
	found := kept.(*tally)
	h.tally.Store(found)
	return found
}

func newTally(server string) *tally {
	made := &tally{server: server}
	if scheme, _, ok := strings.Cut(server, "://"); ok && scheme != "dns" {
		made.scheme = scheme
	}
	return made
}

// count counts a served query.
func (t *tally) count(l lookup, v verdict.Verdict) {
	t.served[l][v.Level][v.Threat][v.Source].Add(1)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(plugin.Namespace, pluginName, name), help, labels, nil)
}

var (
	queriesTotal = describe("queries_total",
		"Queries that were served: judged, answered or dropped.", "server")
	verdictsTotal = describe("verdicts_total",
		"Queries by what they were judged to be, and by which step.", "server", "verdict", "threat", "source")
	cacheHits = describe("cache_hits_total",
		"Judgements of names that were taken from the cache of verdicts.")
	cacheMisses = describe("cache_misses_total",
		"Judgements of names that were made anew.")
)

// tallyCollector shows the tallies as metrics.
type tallyCollector struct{}

func init() { prometheus.MustRegister(tallyCollector{}) }

// Describe implements prometheus.Collector.
func (tallyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{queriesTotal, verdictsTotal, cacheHits, cacheMisses} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (tallyCollector) Collect(out chan<- prometheus.Metric) {
	show := func(desc *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	looked := [lookups]uint64{hit: targetLookups[hit].Load(), missed: targetLookups[missed].Load()}
	tallies.Range(func(_, kept any) bool {
		t := kept.(*tally)
		var all uint64
		t.verdicts(func(v verdict.Verdict, byLookup [lookups]uint64) {
			var sum uint64
			for l, n := range byLookup {
				sum += n
				looked[l] += n
			}
			all += sum
			show(verdictsTotal, sum, t.server, v.Level.String(), v.Threat.String(), v.Source.String())
		})
		show(queriesTotal, all, t.server)
		return true
	})
	show(cacheHits, looked[hit])
	show(cacheMisses, looked[missed])
}

// verdicts gives what was counted of each verdict that there was.
func (t *tally) verdicts(use func(v verdict.Verdict, byLookup [lookups]uint64)) {
	for level := verdict.Benign; level <= verdict.Malicious; level++ {
		for threat := verdict.NoThreat; threat <= verdict.ThreatCount; threat++ {
			for source := verdict.Override; source <= verdict.Behaviour; source++ {
				var found [lookups]uint64
				for l := range lookups {
					found[l] = t.served[l][level][threat][source].Load()
				}
				if found != [lookups]uint64{} {
					use(verdict.Verdict{Level: level, Threat: threat, Source: source}, found)
				}
			}
		}
	}
}
