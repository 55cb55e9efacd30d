package health

import "github.com/prometheus/client_golang/prometheus"

var (
	pausedDesc = prometheus.NewDesc("sluice_health_pauses_total",
		"How often this process was not scheduled for so long that it does not trust its own timeouts.", nil, nil)
	voidDesc = prometheus.NewDesc("sluice_health_void_total",
		"Failures that were held against nobody, since this edge was paused or cut off.", []string{"reason"}, nil)
	cutDesc = prometheus.NewDesc("sluice_health_cut_off",
		"1 while no endpoint of any upstream answers this edge's probes; absent else.", nil, nil)
)

func (s *self) describe(ch chan<- *prometheus.Desc) {
	ch <- pausedDesc
	ch <- voidDesc
	ch <- cutDesc
}

// collect gives what is not 0: mostly nothing.
func (s *self) collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		if n > 0 {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
		}
	}
	counter(pausedDesc, s.paused.Load())
	counter(voidDesc, s.voidPaused.Load(), "paused")
	counter(voidDesc, s.voidCut.Load(), "cut_off")
	if s.cut.Load() {
		ch <- prometheus.MustNewConstMetric(cutDesc, prometheus.GaugeValue, 1)
	}
}
