package proxy

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// routeLimits is what the limits of a route count. It outlives snapshots that have the route.
type routeLimits struct {
	buckets buckets
}

// limitsOf returns those of that route, or nil where it has no limit.
func (r *registry) limitsOf(e *gateway.EffectiveRoute) *routeLimits {
	if e.RateLimit == nil {
		return nil
	}
	k := routeKey(e)
	if r.limits[k] == nil {
		r.limits[k] = &routeLimits{}
	}
	return r.limits[k]
}

// routeKey names a route and no upstream.
func routeKey(e *gateway.EffectiveRoute) statsKey { return statsKey{tenant: e.Tenant, route: e.Name} }

// limit compiles the limits of a route.
func (r *registry) limit(out *route, e *gateway.EffectiveRoute) {
	l := r.limitsOf(e)
	if l == nil {
		return
	}
	if e.RateLimit != nil {
		out.rate = newRateLimit(e.RateLimit, &l.buckets)
	}
	out.limited = true
	out.refused = &target{stats: r.counters(routeKey(e))}
}

// withinLimits counts the request among those of its route, or says why it is refused.
func (x *exchange) withinLimits() *http1.Error {
	if l := x.route.rate; l != nil {
		if e := l.takes(x); e != nil {
			x.target = x.route.refused
			return e
		}
	}
	return nil
}

// appendRetryAfter tells the client when it may come again, in whole seconds.
func (x *exchange) appendRetryAfter(b []byte) []byte {
	if x.retryIn == 0 {
		return b
	}
	b = strconv.AppendInt(append(b, "Retry-After: "...), x.retryIn, 10)
	return append(b, '\r', '\n')
}

var (
	descLimited = prometheus.NewDesc("sluice_route_limited_total",
		"Requests that were refused for a limit of their route.", []string{"tenant", "route", "limit"}, nil)
	descLimitKeys = prometheus.NewDesc("sluice_route_limit_keys",
		"Keys (clients, hosts, values of a header) that a limit of a route remembers.", []string{"tenant", "route", "limit"}, nil)
)

var routeDescs = []*prometheus.Desc{descLimited, descLimitKeys}

func (l *routeLimits) collect(ch chan<- prometheus.Metric, k statsKey) {
	if n := l.buckets.keys(); n > 0 {
		ch <- prometheus.MustNewConstMetric(descLimitKeys, prometheus.GaugeValue, float64(n), k.tenant, k.route, "rate")
		ch <- prometheus.MustNewConstMetric(descLimited, prometheus.CounterValue, float64(l.buckets.refused.Load()), k.tenant, k.route, "rate")
	}
}
