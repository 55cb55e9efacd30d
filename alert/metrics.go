package alert

import "github.com/prometheus/client_golang/prometheus"

var (
	sentDesc = prometheus.NewDesc("sluice_alerts_sent_total",
		"Messages to receivers of alerts, by how that went: ok, failed (tried again) or refused.", []string{"receiver", "outcome"}, nil)
	droppedDesc = prometheus.NewDesc("sluice_alerts_dropped_total",
		"Alerts that a receiver will not be told: it refused them, its queue was full, or they got too old.", []string{"receiver"}, nil)
	waitingDesc = prometheus.NewDesc("sluice_alerts_waiting",
		"Alerts that a receiver has not been told yet.", []string{"receiver"}, nil)
	activeDesc = prometheus.NewDesc("sluice_alerts_active",
		"Conditions that this node finds now, by kind. Absent for kinds of which none does.", []string{"kind"}, nil)
)

// Describe implements prometheus.Collector.
func (a *Alerts) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sentDesc, droppedDesc, waitingDesc, activeDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Every outcome of a receiver is there, so that the
// first failure is seen as an increase.
func (a *Alerts) Collect(ch chan<- prometheus.Metric) {
	for _, w := range a.workers {
		name := w.receiver.Name
		waits, dropped := w.queue.count()
		ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(dropped), name)
		ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waits), name)
		w.mu.Lock()
		for _, o := range outcomes {
			ch <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(w.counts[o]), name, o)
		}
		w.mu.Unlock()
	}
	kinds := map[string]int{}
	a.mu.Lock()
	for i := range a.own { // each node exports what it has found itself
		kinds[string(a.own[i].Kind)]++
	}
	a.mu.Unlock()
	for k, n := range kinds {
		ch <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(n), k)
	}
}
