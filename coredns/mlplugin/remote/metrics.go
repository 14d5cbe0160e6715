package remote

import (
	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const subsystem = "mlplugin"

var (
	requestsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "remote_requests_total",
		Help: "Requests for verdicts to the service, by result: ok, timeout, error.",
	}, []string{"result"})
	namesTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "remote_names_total",
		Help: "Names that the service was to judge, by result: ok, timeout, error, open, overflow.",
	}, []string{"result"})
	requestSeconds = promauto.NewHistogram(prometheus.HistogramOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "remote_request_duration_seconds",
		Help:    "Time that a request for verdicts took.",
		Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1},
	})
	pollsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "policy_polls_total",
		Help: "Requests for the policy, by result: changed, unchanged, refused (a snapshot that cannot be used), failed.",
	}, []string{"result"})
	policySeconds = promauto.NewGauge(prometheus.GaugeOpts{
		Namespace: plugin.Namespace, Subsystem: subsystem, Name: "policy_last_success_timestamp_seconds",
		Help: "When the service last confirmed the policy.",
	})
)
