package proxy

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// routeLimits is what the limits and the mirror of a route count. It outlives snapshots that have the route.
type routeLimits struct {
	buckets  buckets
	progress progress
	mirrored mirrorCounts
}

// limitsOf returns those of that route, or nil where it has none of them.
func (r *registry) limitsOf(e *gateway.EffectiveRoute) *routeLimits {
	if e.RateLimit == nil && e.ConnectionLimit == nil && e.Mirror == nil {
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

// limit compiles the limits and the mirror of a route.
func (r *registry) limit(out *route, e *gateway.EffectiveRoute) {
	l := r.limitsOf(e)
	if l == nil {
		return
	}
	if e.RateLimit != nil {
		out.rate = newRateLimit(e.RateLimit, &l.buckets)
	}
	if e.ConnectionLimit != nil {
		out.conns = newConnectionLimit(e.ConnectionLimit, &l.progress)
	}
	out.mirror = r.mirror(e, l)
	out.limited = out.rate != nil || out.conns != nil
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
	if l := x.route.conns; l != nil {
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
		"Keys (clients, hosts, values of a header) that a limit of a route remembers, or that have requests in progress.", []string{"tenant", "route", "limit"}, nil)
)

var routeDescs = []*prometheus.Desc{descLimited, descLimitKeys, descMirrored}

func (l *routeLimits) collect(ch chan<- prometheus.Metric, k statsKey) {
	report := func(limit string, keys int, refused uint64) {
		if keys > 0 || refused > 0 {
			ch <- prometheus.MustNewConstMetric(descLimitKeys, prometheus.GaugeValue, float64(keys), k.tenant, k.route, limit)
			ch <- prometheus.MustNewConstMetric(descLimited, prometheus.CounterValue, float64(refused), k.tenant, k.route, limit)
		}
	}
	report("rate", l.buckets.keys(), l.buckets.refused.Load())
	report("connections", l.progress.keys(), l.progress.refused.Load())
	l.mirrored.collect(ch, k)
}
