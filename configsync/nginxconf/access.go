package nginxconf

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/gateway"
)

// accesses writes one file for each route of a host that looks at its clients' addresses.
// Those of a route with several hosts are the same file.
func (r *renderer) accesses(h *gateway.Host) {
	seen := map[*gateway.EffectiveRoute]bool{}
	for _, rule := range h.Rules {
		if rule.Route.IPAccess != nil && !seen[rule.Route] {
			seen[rule.Route] = true
			r.access(rule.Route)
		}
	}
}

// access is a geo block, in which the smallest network decides as in the Go edge. The
// directives allow and deny would not do: nginx looks at them after it has answered by return.
func (r *renderer) access(route *gateway.EffectiveRoute) {
	ref := routeRef(route)
	w := newWriter("access/"+upstreamName(gateway.UpstreamKey{Tenant: route.Tenant, Name: route.Name})+".conf", ref)
	w.comment(commentName(ref))
	w.open("geo", accessVariable(route))
	if len(route.IPAccess.Allow) == 0 {
		w.stmt("default", "1")
	} else {
		w.stmt("default", "0")
	}
	written := map[netip.Prefix]bool{}
	for _, n := range route.IPAccess.Networks() {
		for _, p := range halves(n.Network) {
			if written[p] {
				continue // a network in both lists refuses
			}
			written[p] = true
			if n.Allowed {
				w.stmt(p.String(), "1")
			} else {
				w.stmt(p.String(), "0")
			}
		}
	}
	w.close()
	r.add(w)
}

// halves divides the network of all addresses, which nginx takes for the default once more.
func halves(p netip.Prefix) []netip.Prefix {
	if p.Bits() > 0 {
		return []netip.Prefix{p}
	}
	upper := netip.MustParseAddr("128.0.0.0")
	if p.Addr().Is6() {
		upper = netip.MustParseAddr("8000::")
	}
	return []netip.Prefix{netip.PrefixFrom(p.Addr(), 1), netip.PrefixFrom(upper, 1)}
}

// accessVariable is 1 for clients that are let in.
func accessVariable(r *gateway.EffectiveRoute) string {
	return variable("sluice_in_", r.Tenant, r.Name)
}

// admit refuses everybody else, before anything of the location is done.
func (r *renderer) admit(w *writer, route *gateway.EffectiveRoute) {
	w.put("if (" + accessVariable(route) + " = 0) {")
	w.depth++
	w.stmt("return", "403")
	w.close()
}
