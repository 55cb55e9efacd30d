package proxy

import "github.com/prometheus/client_golang/prometheus"

var (
	descRefused = prometheus.NewDesc("sluice_connections_refused_total",
		"Connections that were closed before their first request, by the reason.", []string{"listener", "reason"}, nil)
	descPaused = prometheus.NewDesc("sluice_accept_paused_total",
		"Times that a listener had as many connections as it may, so that new ones had to wait.", []string{"listener"}, nil)
)

func (a *arrivals) collect(ch chan<- prometheus.Metric, listener string) {
	for i := range a.refused {
		if n := a.refused[i].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n), listener, refusalNames[i])
		}
	}
	if n := a.paused.Load(); n > 0 {
		ch <- prometheus.MustNewConstMetric(descPaused, prometheus.CounterValue, float64(n), listener)
	}
}
