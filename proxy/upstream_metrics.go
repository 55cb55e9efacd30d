package proxy

import "github.com/prometheus/client_golang/prometheus"

var (
	descActive = prometheus.NewDesc("sluice_upstream_active",
		"Exchanges under way, of upstreams with a limit.", []string{"upstream"}, nil)
	descPending = prometheus.NewDesc("sluice_upstream_pending",
		"Requests that wait for their turn, of upstreams with a limit.", []string{"upstream"}, nil)
	descQueue = prometheus.NewDesc("sluice_upstream_queue_seconds",
		"Time that requests waited for their turn; those that did not have to wait are left out.", []string{"upstream"}, nil)
	descTurnedAway = prometheus.NewDesc("sluice_upstream_turned_away_total",
		"Requests answered 503 for an upstream's limits: the queue was full, or their time in it was over.", []string{"upstream", "reason"}, nil)
)

var upstreamDescs = []*prometheus.Desc{descActive, descPending, descQueue, descTurnedAway}

// collect reports what an upstream counts besides its endpoints.
func (up *upstream) collect(ch chan<- prometheus.Metric) {
	name := up.key.String()
	if up.live.Load().limit != nil {
		up.limit.collect(ch, name)
	}
}

func (l *limiter) collect(ch chan<- prometheus.Metric, upstream string) {
	l.mu.Lock()
	active, pending, full, late, waits, waited := l.active, l.pending, l.full, l.late, l.waits, l.waited
	l.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(descActive, prometheus.GaugeValue, float64(active), upstream)
	ch <- prometheus.MustNewConstMetric(descPending, prometheus.GaugeValue, float64(pending), upstream)
	ch <- prometheus.MustNewConstMetric(descTurnedAway, prometheus.CounterValue, float64(full), upstream, "full")
	ch <- prometheus.MustNewConstMetric(descTurnedAway, prometheus.CounterValue, float64(late), upstream, "timeout")
	buckets, count := cumulative(waits)
	ch <- prometheus.MustNewConstHistogram(descQueue, count, float64(waited)/1e9, buckets, upstream)
}
