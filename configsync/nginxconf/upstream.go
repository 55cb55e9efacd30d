package nginxconf

import (
	"math/bits"
	"net/netip"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// upstreams writes one file for each upstream of the fleet's tenants.
func (r *renderer) upstreams() {
	for _, u := range r.snapshot.Upstreams {
		if r.tenants[u.Key.Tenant] {
			r.upstream(u)
		}
	}
}

func (r *renderer) upstream(u *gateway.EffectiveUpstream) {
	name, ref := upstreamName(u.Key), upstreamRef(u.Key)
	w := newWriter("upstreams/"+name+".conf", ref)
	w.comment(commentName(ref))
	if u.TLS != nil || u.Protocol == "h2c" {
		// In the clear its requests would be worse off than refused.
		r.notPortable(u, "spec.protocol", "Protocol %s is not spoken on nginx nodes, whose routes to this upstream answer 503: serve them by the Go edge alone, or speak http", u.Protocol)
		w.comment("It speaks https, which these nodes do not: its routes answer 503.")
		r.add(w)
		return
	}
	if r.live(u) {
		r.liveUpstream(w, u)
		r.add(w)
		return
	}
	endpoints := r.endpoints(u)
	if len(endpoints) == 0 {
		w.comment("It has no endpoints: its routes answer 503.")
		r.add(w)
		return
	}
	r.limitProblems(u)
	first := endpoints[0].Priority
	for _, e := range endpoints {
		first = min(first, e.Priority)
	}
	w.open("upstream", name)
	if r.has("http_upstream_zone_module") {
		w.stmt("zone", name, zoneSize(len(endpoints)))
	}
	for _, e := range endpoints {
		w.stmt(server(e, first)...)
	}
	if r.has("http_upstream_keepalive_module") {
		w.stmt("keepalive", "32")
		w.stmt("keepalive_timeout", nginxTime(u.Timeouts.Idle, defaultIdle))
	}
	w.close()
	r.add(w)
}

// notPortable reports what nginx can not do of an upstream, if a route of the fleet's tenants
// sends requests to it: to all others nothing is missing.
func (r *renderer) notPortable(u *gateway.EffectiveUpstream, field, format string, args ...any) {
	if r.isUsed(u.Key) {
		r.problem(upstreamRef(u.Key), field, "not_portable", format, args...)
	}
}

// isUsed says whether a route of the fleet's tenants sends requests to an upstream.
func (r *renderer) isUsed(k gateway.UpstreamKey) bool {
	if r.used == nil {
		r.used = map[gateway.UpstreamKey]bool{}
		for _, h := range r.snapshot.Hosts {
			for _, rule := range h.Rules {
				for _, t := range rule.Route.Targets {
					r.used[t.Upstream] = r.used[t.Upstream] || r.tenants[rule.Route.Tenant]
				}
			}
		}
	}
	return r.used[k]
}

// endpoints leaves out what is not an address with a port: nginx would resolve a name when
// it starts, and not start when that fails.
func (r *renderer) endpoints(u *gateway.EffectiveUpstream) []gateway.Endpoint {
	list := make([]gateway.Endpoint, 0, len(u.Endpoints))
	for _, e := range u.Endpoints {
		if a, err := netip.ParseAddrPort(e.Address); err != nil || a.Addr().Zone() != "" || a.Port() == 0 {
			r.problem(upstreamRef(u.Key), "endpoints", "bad_address", "Endpoint %q is left out on nginx nodes: write IP:port, with IPv6 in brackets", e.Address)
			continue
		}
		list = append(list, e)
	}
	return list
}

// server writes an endpoint. One that is out of rotation stays listed as down, so that
// bringing it back is a one-word change. The lowest priority number is used first; nginx
// knows one further group, backup.
func server(e gateway.Endpoint, first int) []string {
	words := []string{"server", e.Address}
	if e.Weight > 1 {
		words = append(words, "weight="+strconv.Itoa(e.Weight))
	}
	if e.Priority > first {
		words = append(words, "backup")
	}
	if !e.InRotation {
		words = append(words, "down")
	}
	return words
}

// zoneSize leaves about a kilobyte for an endpoint and moves in powers of two, so that the
// line rarely changes.
func zoneSize(endpoints int) string {
	kb := max(64, 1<<bits.Len(uint(endpoints-1)))
	return strconv.Itoa(kb) + "k"
}

// usable says whether requests for the upstream have somewhere to go.
func (r *renderer) usable(k gateway.UpstreamKey) bool {
	u := r.snapshot.Upstream(k)
	if u == nil || u.TLS != nil || u.Protocol == "h2c" || u.ProxyProtocol != "" {
		return false
	}
	if r.live(u) {
		return true // whether it has any is seen when it is asked
	}
	for _, e := range u.Endpoints {
		if a, err := netip.ParseAddrPort(e.Address); e.InRotation && err == nil && a.Addr().Zone() == "" && a.Port() != 0 {
			return true
		}
	}
	return false
}

func itoa(n int) string { return strconv.Itoa(n) }
