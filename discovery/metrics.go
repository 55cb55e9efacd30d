package discovery

import "github.com/prometheus/client_golang/prometheus"

var (
	upDesc = prometheus.NewDesc("sluice_source_up",
		"Whether the source can be reached and follows changes (1) or not (0).", []string{"source"}, nil)
	lastEventDesc = prometheus.NewDesc("sluice_source_last_event_seconds",
		"When the source last reported something, in seconds since 1970. Absent before the first time.", []string{"source"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Manager) Describe(ch chan<- *prometheus.Desc) {
	ch <- upDesc
	ch <- lastEventDesc
}

// Collect implements prometheus.Collector.
func (m *Manager) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.Status() {
		up := 0.0
		if s.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up, s.Name)
		if !s.LastEvent.IsZero() {
			seconds := float64(s.LastEvent.UnixMicro()) / 1e6
			ch <- prometheus.MustNewConstMetric(lastEventDesc, prometheus.GaugeValue, seconds, s.Name)
		}
	}
}
