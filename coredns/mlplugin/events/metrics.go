package events

import (
	"sync"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const subsystem = "mlplugin"

var (
	batchesTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "events_batches_total",
		Help: "Requests that carried events to the service, by result: ok, rejected, failed.",
	}, []string{"result"})
	sendSeconds = promauto.NewHistogram(prometheus.HistogramOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "events_send_duration_seconds",
		Help:    "Time that a request to store events took.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	})
)

// countBatch counts a request by its result.
func countBatch(o outcome) {
	batchesTotal.WithLabelValues([...]string{"ok", "rejected", "failed", "rejected"}[o.result]).Inc()
}

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(plugin.Namespace, subsystem, name), help, labels, nil)
}

// totalsCollector sums up all senders of the process when it is asked, so that counting
// costs the query path nothing. What closed senders counted stays counted.
type totalsCollector struct {
	mu      sync.Mutex
	senders map[*Sender]bool
	past    Totals
	// left is what closed senders left in their spools, by folder.
	left map[string]uint64

	recorded, recovered, sent, dropped, pending, spoolBytes, damaged *prometheus.Desc
}

var totals = func() *totalsCollector {
	c := &totalsCollector{
		senders: map[*Sender]bool{},
		past:    Totals{Dropped: map[string]uint64{}},
		left:    map[string]uint64{},
		recorded: description("events_recorded_total",
			"Served queries whose event was given to the queue."),
		recovered: description("events_recovered_total",
			"Events of an earlier process found in the spool."),
		sent: description("events_sent_total",
			"Events that the service has acknowledged."),
		dropped: description("events_dropped_total",
			"Events that were given up, by reason.", "reason"),
		pending: description("events_pending",
			"Events that wait in memory or in the spool."),
		spoolBytes: description("events_spool_bytes",
			"Size of the spool."),
		damaged: description("events_spool_damaged_total",
			"Stretches of the spool that could not be read and were skipped."),
	}
	prometheus.MustRegister(c)
	return c
}()

// Describe implements prometheus.Collector.
func (c *totalsCollector) Describe(out chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, out)
}

// Collect implements prometheus.Collector.
func (c *totalsCollector) Collect(out chan<- prometheus.Metric) {
	t := c.sum()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	counter(c.recorded, t.Recorded)
	counter(c.recovered, t.Recovered)
	counter(c.sent, t.Sent)
	for r := range reasonCount {
		counter(c.dropped, t.Dropped[r.String()], r.String())
	}
	counter(c.damaged, t.SpoolDamaged)
	out <- prometheus.MustNewConstMetric(c.pending, prometheus.GaugeValue, float64(t.Pending))
	out <- prometheus.MustNewConstMetric(c.spoolBytes, prometheus.GaugeValue, float64(t.SpoolBytes))
}

// sum adds up past and present senders.
func (c *totalsCollector) sum() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := Totals{Dropped: map[string]uint64{}}
	t.add(c.past)
	for s := range c.senders {
		t.add(s.Totals())
	}
	for _, n := range c.left {
		t.Pending += n
	}
	return t
}

// add adds o's counts.
func (t *Totals) add(o Totals) {
	t.Recorded += o.Recorded
	t.Recovered += o.Recovered
	t.Sent += o.Sent
	t.Pending += o.Pending
	t.SpoolBytes += o.SpoolBytes
	t.SpoolDamaged += o.SpoolDamaged
	for reason, count := range o.Dropped {
		t.Dropped[reason] += count
	}
}

// register makes the sender count. What a sender of this process left in the same
// folder is still its own, not recovered from an earlier process.
func register(s *Sender) {
	totals.mu.Lock()
	defer totals.mu.Unlock()
	totals.senders[s] = true
	if n := totals.left[s.config.Spool]; s.spool != nil && n > 0 {
		delete(totals.left, s.config.Spool)
		totals.past.Recovered -= min(n, s.counters.recovered.Load())
	}
}

// unregister keeps the counts of a closed sender.
func unregister(s *Sender) {
	totals.mu.Lock()
	defer totals.mu.Unlock()
	delete(totals.senders, s)
	t := s.Totals()
	if t.Pending > 0 {
		totals.left[s.config.Spool] += t.Pending
	}
	t.Pending, t.SpoolBytes = 0, 0
	totals.past.add(t)
}
