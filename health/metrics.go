package health

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// states in the order in which the verdict metric lists them, besides drained.
var states = []gateway.HealthState{
	gateway.StateUnknown, gateway.StateHealthy, gateway.StateProbation, gateway.StateEjected, gateway.StateDown,
}

var (
	verdictDesc = prometheus.NewDesc("sluice_endpoint_verdict",
		"1 for the verdict that an endpoint has, 0 for the others.", []string{"upstream", "endpoint", "verdict"}, nil)
	serviceBadDesc = prometheus.NewDesc("sluice_service_bad",
		"1 while the endpoints of the upstream fail alike, so that nobody is ejected; absent else.", []string{"upstream", "rule"}, nil)
	missedDesc = prometheus.NewDesc("sluice_health_events_missed_total",
		"Events that subscribers, such as alerts, were too slow for.", nil, nil)
	unwrittenDesc = prometheus.NewDesc("sluice_health_events_unwritten_total",
		"Events that are not in the data directory, since it could not be written, or not fast enough.", nil, nil)
	ejectionsDesc = prometheus.NewDesc("sluice_ejections_total",
		"Ejections of endpoints, by the rule that decided; those that shadow mode did not act upon end in _shadow.", []string{"upstream", "reason"}, nil)
	probesDesc = prometheus.NewDesc("sluice_probes_total",
		"Active probes that ended, by result: success or failure.", []string{"upstream", "result"}, nil)
	unmatchedDesc = prometheus.NewDesc("sluice_health_unmatched_outcomes_total",
		"Outcomes of requests to endpoints that no snapshot names any more.", nil, nil)
)

// Describe implements prometheus.Collector.
func (h *Health) Describe(ch chan<- *prometheus.Desc) {
	h.self.describe(ch)
	ch <- verdictDesc
	ch <- serviceBadDesc
	ch <- missedDesc
	ch <- unwrittenDesc
	ch <- ejectionsDesc
	ch <- probesDesc
	ch <- unmatchedDesc
	h.prober.Describe(ch)
}

// Collect implements prometheus.Collector. The series are computed on scrape, so that those
// of removed upstreams and endpoints end by themselves.
func (h *Health) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, u := range h.sorted() {
		name := u.key.String()
		verdicts, ejections, probes := u.counts()
		if s := u.service(); s.Bad {
			ch <- prometheus.MustNewConstMetric(serviceBadDesc, prometheus.GaugeValue, 1, name, s.Rule)
		}
		for i := range verdicts {
			collectVerdict(ch, name, &verdicts[i])
		}
		for rule, n := range ejections {
			counter(ejectionsDesc, n, name, rule)
		}
		if probes != (probeCounts{}) {
			counter(probesDesc, probes.succeeded, name, "success")
			counter(probesDesc, probes.failed, name, "failure")
		}
	}
	h.self.collect(ch)
	counter(unmatchedDesc, h.unmatched.Load())
	counter(missedDesc, h.ledger.missed())
	if h.cfg.Archive != nil {
		counter(unwrittenDesc, h.cfg.Archive.Lost())
	}
	h.prober.Collect(ch)
}

func collectVerdict(ch chan<- prometheus.Metric, upstream string, v *gateway.Verdict) {
	for _, s := range states {
		value := 0.0
		if s == v.State {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(verdictDesc, prometheus.GaugeValue, value, upstream, v.Address, string(s))
	}
	if v.State == gateway.StateDrained { // rare, so that no series says of all others that they are not
		ch <- prometheus.MustNewConstMetric(verdictDesc, prometheus.GaugeValue, 1, upstream, v.Address, string(v.State))
	}
}
