package health

import "github.com/prometheus/client_golang/prometheus"

var (
	underWayDesc = prometheus.NewDesc("sluice_probes_under_way",
		"Active probes under way.", nil, nil)
	waitingDesc = prometheus.NewDesc("sluice_probes_waiting",
		"Active probes that are due and wait for room: above 0 for long, endpoints are probed less often than they should be.", nil, nil)
)

// Describe implements prometheus.Collector.
func (p *Prober) Describe(ch chan<- *prometheus.Desc) {
	ch <- underWayDesc
	ch <- waitingDesc
}

// Collect implements prometheus.Collector.
func (p *Prober) Collect(ch chan<- prometheus.Metric) {
	p.mu.Lock()
	running, waiting := p.lanes.running, p.lanes.waiting
	p.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(underWayDesc, prometheus.GaugeValue, float64(running))
	ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting))
}
