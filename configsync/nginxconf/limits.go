package nginxconf

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The sizes of the shared memory of one limit: some 16,000 keys (64 bytes of each for most),
// or one.
const (
	zoneOfKeys = "2m"
	zoneOfOne  = "64k"
)

// routeLimits writes one file for each route of a host that has limits. Those of a route with
// several hosts are the same file.
func (r *renderer) routeLimits(h *gateway.Host) {
	seen := map[*gateway.EffectiveRoute]bool{}
	for _, rule := range h.Rules {
		if hasLimits(rule.Route) && !seen[rule.Route] {
			seen[rule.Route] = true
			r.limitsOf(rule.Route)
		}
	}
}

func hasLimits(route *gateway.EffectiveRoute) bool {
	return route.RateLimit != nil || route.ConnectionLimit != nil
}

func (r *renderer) limitsOf(route *gateway.EffectiveRoute) {
	ref := routeRef(route)
	if route.Respond != nil {
		r.problem(ref, "spec.filters", "not_portable", "nginx answers by itself before it counts requests, so the limits of this route hold in the Go edge only: take them or the respond filter out")
		return
	}
	w := newWriter("limits/"+routeName(route)+".conf", ref)
	w.comment(commentName(ref))
	if l := route.RateLimit; l != nil {
		r.limitKey(w, l.Key, "rate", route)
		w.stmt("limit_req_zone", limitVariable("rate", route), "zone=rate."+routeName(route)+":"+zoneFor(l.Key), "rate="+r.rate(route))
		w.open("map", "$limit_req_status", limitVariable("late", route))
		w.stmt("default", "")
		w.stmt("REJECTED", itoa(seconds(l.Interval())))
		w.close()
	}
	if l := route.ConnectionLimit; l != nil {
		r.limitKey(w, l.Key, "conn", route)
		w.stmt("limit_conn_zone", limitVariable("conn", route), "zone=conn."+routeName(route)+":"+zoneFor(l.Key))
		w.open("map", "$limit_conn_status", limitVariable("full", route))
		w.stmt("default", "")
		w.stmt("REJECTED", "1")
		w.close()
	}
	r.add(w)
}

// routeName is the route's name in nginx and the stem of its files: "acme.shop".
func routeName(route *gateway.EffectiveRoute) string {
	return upstreamName(gateway.UpstreamKey{Tenant: route.Tenant, Name: route.Name})
}

// limitVariable is the variable of a limit: "rate" and "conn" hold the key, "late" and "full"
// what a client is told that is refused. nginx refuses to reload a zone whose key reads
// otherwise, so that the key is always this one variable.
func limitVariable(kind string, route *gateway.EffectiveRoute) string {
	return variable("sluice_"+kind+"_", route.Tenant, route.Name)
}

func zoneFor(k gateway.LimitKey) string {
	if k.By == gateway.KeyRoute {
		return zoneOfOne
	}
	return zoneOfKeys
}

// limitKey writes the map that finds out whose request it is, as the Go edge does. A header's
// value is never taken for an address, whose bytes are four, or eight of IPv6.
func (r *renderer) limitKey(w *writer, k gateway.LimitKey, kind string, route *gateway.EffectiveRoute) {
	name := limitVariable(kind, route)
	switch by := k.By; {
	case by == gateway.KeyHost:
		w.open("map", "$host", name)
		w.stmt("default", "$host")
	case by == gateway.KeyRoute:
		w.open("map", "", name)
		w.stmt("default", "route")
	case by == gateway.KeyHeader && k.Header != "" && len(k.Header) <= gateway.MaxKeyHeader && strings.Trim(k.Header, "abcdefghijklmnopqrstuvwxyz0123456789-") == "":
		client, header := limitVariable(kind+"c", route), "$http_"+strings.ReplaceAll(k.Header, "-", "_")
		r.limitKey(w, gateway.LimitKey{By: gateway.KeyClient}, kind+"c", route)
		w.open("map", header, name)
		w.stmt("default", "header:"+header)
		w.stmt("", client)
	default:
		w.open("map", "$binary_remote_addr", name)
		w.stmt("default", "$binary_remote_addr")
		w.stmt(`~(?s)^\x00{10}\xff\xff(?<sluice_v4>.{4})`, "$sluice_v4")
		w.stmt(`~(?s)^(?<sluice_v6>.{8}).{8}`, "$sluice_v6")
	}
	w.close()
}

// rate is in whole requests a second, or a minute. What is neither is rounded down.
func (r *renderer) rate(route *gateway.EffectiveRoute) string {
	l := route.RateLimit
	n, per := time.Duration(l.Requests), max(1, l.Per.Std())
	if n*time.Second%per == 0 {
		return itoa(int(n*time.Second/per)) + "r/s"
	}
	rate := itoa(max(1, int(n*time.Minute/per))) + "r/m"
	if n*time.Minute%per != 0 {
		r.problem(routeRef(route), "spec.filters", "not_portable", "nginx knows whole numbers of requests a second or a minute, so the rate limit is %s on nginx nodes", rate)
	}
	return rate
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// addLimits lists the limits of a location.
func addLimits(b *locationBody, route *gateway.EffectiveRoute) {
	if l := route.RateLimit; l != nil {
		words := []string{"limit_req", "zone=rate." + routeName(route)}
		if l.Burst != nil && *l.Burst > 0 {
			words = append(words, "burst="+itoa(*l.Burst))
		}
		b.add(append(words, "nodelay")...)
		b.add("limit_req_status", itoa(l.Status))
		b.add("add_header", "Retry-After", limitVariable("late", route), "always")
	}
	if l := route.ConnectionLimit; l != nil {
		b.add("limit_conn", "conn."+routeName(route), itoa(l.Max))
		b.add("limit_conn_status", itoa(l.Status))
		b.add("add_header", "Retry-After", limitVariable("full", route), "always")
	}
}
