package discovery

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	upDesc = prometheus.NewDesc("sluice_source_up",
		"Whether the source can be reached and follows changes (1) or not (0).", []string{"source"}, nil)
	lastEventDesc = prometheus.NewDesc("sluice_source_last_event_seconds",
		"When the source last reported something, in seconds since 1970. Absent before the first time.", []string{"source"}, nil)
	staleDesc = prometheus.NewDesc("sluice_source_stale_since_seconds",
		"Since when what is in use of a source that is not up may be out of date, in seconds since 1970: when it was lost, or when the local copy was written where it has said nothing since the start. Absent while it is up.",
		[]string{"source"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Manager) Describe(ch chan<- *prometheus.Desc) {
	ch <- upDesc
	ch <- lastEventDesc
	ch <- staleDesc
}

// Collect implements prometheus.Collector.
func (m *Manager) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.All() {
		up := 0.0
		if s.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up, s.Name)
		if !s.LastEvent.IsZero() {
			ch <- prometheus.MustNewConstMetric(lastEventDesc, prometheus.GaugeValue, seconds(s.LastEvent), s.Name)
		}
		if !s.StaleSince.IsZero() {
			ch <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, seconds(s.StaleSince), s.Name)
		}
	}
}

// seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
