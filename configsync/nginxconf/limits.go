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
	if route.AnswersItself() {
		r.problem(ref, "spec.filters", "not_portable", "nginx answers by itself before it counts requests, so the limits of this route hold in the Go edge only: take them or the respond or redirect filter out")
		return
	}
	w := newWriter("limits/"+routeName(route)+".conf", ref)
	w.comment(commentName(ref))
	if l := route.RateLimit; l != nil {
		w.stmt("limit_req_zone", r.limitKey(w, l.Key), "zone="+zoneName("rate", l.Key, route)+":"+zoneFor(l.Key), "rate="+r.rate(route))
		retryAfter(w, "$limit_req_status", lateVariable(l), itoa(seconds(l.Interval())))
	}
	if l := route.ConnectionLimit; l != nil {
		w.stmt("limit_conn_zone", r.limitKey(w, l.Key), "zone="+zoneName("conn", l.Key, route)+":"+zoneFor(l.Key))
		retryAfter(w, "$limit_conn_status", fullVariable, "1")
	}
	r.add(w)
}

// routeName is the route's name in nginx and the stem of its files: "acme.shop".
func routeName(route *gateway.EffectiveRoute) string {
	return upstreamName(gateway.UpstreamKey{Tenant: route.Tenant, Name: route.Name})
}

// zoneName tells whose requests are counted: nginx refuses to reload a zone with another key.
func zoneName(kind string, k gateway.LimitKey, route *gateway.EffectiveRoute) string {
	by := gateway.KeyClient
	switch {
	case k.By == gateway.KeyHost, k.By == gateway.KeyRoute:
		by = k.By
	case countsHeader(k):
		by = "header-" + k.Header
	}
	return kind + "." + by + "." + routeName(route)
}

// The variables of limits are few, and the same for all routes that count alike: each file
// says again what they are. nginx has room for some hundred in its hash.
const (
	clientVariable = "$sluice_client"
	fullVariable   = "$sluice_full"
)

func lateVariable(l *gateway.RateLimit) string {
	return "$sluice_late_" + itoa(seconds(l.Interval()))
}

// retryAfter writes what a client is told that is refused.
func retryAfter(w *writer, status, name, after string) {
	w.open("map", status, name)
	w.stmt("default", "")
	w.stmt("REJECTED", after)
	w.close()
}

func zoneFor(k gateway.LimitKey) string {
	if k.By == gateway.KeyRoute {
		return zoneOfOne
	}
	return zoneOfKeys
}

// countsHeader: what is no name of a header, Build lets not through.
func countsHeader(k gateway.LimitKey) bool {
	return k.By == gateway.KeyHeader && k.Header != "" && len(k.Header) <= gateway.MaxKeyHeader && strings.Trim(k.Header, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// limitKey returns what stands for whose request it is, as on the Go edge, and writes the maps that
// find it out. A header's value is never taken for an address, whose bytes are four, or eight of
// IPv6.
func (r *renderer) limitKey(w *writer, k gateway.LimitKey) string {
	switch k.By {
	case gateway.KeyHost:
		return "$host"
	case gateway.KeyRoute:
		return gateway.KeyRoute
	}
	w.open("map", "$binary_remote_addr", clientVariable)
	w.stmt("default", "$binary_remote_addr")
	w.stmt(`~(?s)^\x00{10}\xff\xff(?<sluice_v4>.{4})`, "$sluice_v4")
	w.stmt(`~(?s)^(?<sluice_v6>.{8}).{8}`, "$sluice_v6")
	w.close()
	if !countsHeader(k) {
		return clientVariable
	}
	header := "$http_" + strings.ReplaceAll(k.Header, "-", "_")
	name := headerVariable(k.Header)
	w.open("map", header, name)
	w.stmt("default", "header:"+header)
	w.stmt(longValue, "header+${sluice_head}$sluice_tail")
	w.stmt("", clientVariable)
	w.close()
	return name
}

// longValue is a header's value of more than 41 bytes, which counts by its beginning and its end:
// limit_conn lets keys of more than 255 bytes through, and a full limit_req zone takes no key of
// another size than those that fill it, which has 128 bytes a key for all up to 48.
const longValue = `~(?s)^(?<sluice_head>.{20}).+(?<sluice_tail>.{21})\z`

// headerVariable is short: of long names two do not fit into one bucket of nginx's hash.
func headerVariable(header string) string {
	if len(header) > 20 {
		return "$sluice_key_h" + shortHash(header)
	}
	return "$sluice_key_" + strings.ReplaceAll(header, "-", "_") // the names of headers that count have no "_"
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
		words := []string{"limit_req", "zone=" + zoneName("rate", l.Key, route)}
		if l.Burst != nil && *l.Burst > 0 {
			words = append(words, "burst="+itoa(*l.Burst))
		}
		b.add(append(words, "nodelay")...)
		b.add("limit_req_status", itoa(l.Status))
		b.add("add_header", "Retry-After", lateVariable(l), "always")
	}
	if l := route.ConnectionLimit; l != nil {
		b.add("limit_conn", zoneName("conn", l.Key, route), itoa(l.Max))
		b.add("limit_conn_status", itoa(l.Status))
		b.add("add_header", "Retry-After", fullVariable, "always")
	}
}
