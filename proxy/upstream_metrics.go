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
	descRetries = prometheus.NewDesc("sluice_upstream_retries_total",
		"Requests that were sent to another endpoint, by the reason.", []string{"upstream", "reason"}, nil)
	descNoBudget = prometheus.NewDesc("sluice_upstream_retry_budget_exhausted_total",
		"Failures that were not retried, since retries would have been more than their share of the requests.", []string{"upstream"}, nil)
)

var upstreamDescs = []*prometheus.Desc{descActive, descPending, descQueue, descTurnedAway, descRetries, descNoBudget, descRefused, descPaused}

// collect reports what an upstream counts besides its endpoints.
func (up *upstream) collect(ch chan<- prometheus.Metric) {
	name := up.key.String()
	if up.live.Load().limit != nil {
		up.limit.collect(ch, name)
	}
	up.budget.collect(ch, name)
}

func (b *retryBudget) collect(ch chan<- prometheus.Metric, upstream string) {
	b.mu.Lock()
	made, refused := b.made, b.refused
	b.mu.Unlock()
	for i, n := range made {
		if n > 0 {
			ch <- prometheus.MustNewConstMetric(descRetries, prometheus.CounterValue, float64(n), upstream, reasonNames[i])
		}
	}
	if refused > 0 {
		ch <- prometheus.MustNewConstMetric(descNoBudget, prometheus.CounterValue, float64(refused), upstream)
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
