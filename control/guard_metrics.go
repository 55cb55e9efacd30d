package control

import "github.com/prometheus/client_golang/prometheus"

// ending is how a hold has ended.
type ending string

// The ways in which holds end.
const (
	endedReturned   ending = "returned"   // the source names the endpoints again
	endedDeclared   ending = "declared"   // the source says that there shall be none
	endedAccepted   ending = "accepted"   // by a person
	endedExpired    ending = "expired"    // its time was over
	endedUnanswered ending = "unanswered" // the last endpoint that was kept did not answer
	endedUnfollowed ending = "unfollowed" // the upstream is gone, or follows the place no more
)

var endings = []ending{endedReturned, endedDeclared, endedAccepted, endedExpired, endedUnanswered, endedUnfollowed}

var (
	heldDesc = prometheus.NewDesc("sluice_shrink_held_endpoints",
		"Endpoints that a source has lost all at once and that are kept. Absent where nothing is.", []string{"upstream", "source"}, nil)
	holdsDesc = prometheus.NewDesc("sluice_shrink_holds_total",
		"Times that a source lost most of an upstream's endpoints at once and they were kept.", nil, nil)
	endedDesc = prometheus.NewDesc("sluice_shrink_holds_ended_total",
		"How these ended: returned, declared, accepted, expired, unanswered or unfollowed.", []string{"how"}, nil)
)

// Describe implements prometheus.Collector.
func (g *Guard) Describe(ch chan<- *prometheus.Desc) {
	ch <- heldDesc
	ch <- holdsDesc
	ch <- endedDesc
}

// Collect implements prometheus.Collector.
func (g *Guard) Collect(ch chan<- prometheus.Metric) {
	type labels struct{ upstream, source string }
	held := map[labels]int{}
	g.mu.Lock()
	for k, h := range g.holds {
		held[labels{k.Upstream.String(), string(k.Source)}] += len(h.kept)
	}
	ch <- prometheus.MustNewConstMetric(holdsDesc, prometheus.CounterValue, float64(g.begun))
	for _, how := range endings {
		ch <- prometheus.MustNewConstMetric(endedDesc, prometheus.CounterValue, float64(g.ended[how]), string(how))
	}
	g.mu.Unlock()
	for l, n := range held {
		ch <- prometheus.MustNewConstMetric(heldDesc, prometheus.GaugeValue, float64(n), l.upstream, l.source)
	}
}
