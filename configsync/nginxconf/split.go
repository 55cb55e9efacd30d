package nginxconf

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// wholeSplit is 100 % in the hundredths of a percent that split_clients knows.
const wholeSplit = 10000

// splits writes one file for each route of a host that shares its requests between several
// upstreams. Those of a route with several hosts are the same file.
func (r *renderer) splits(h *gateway.Host) {
	seen := map[*gateway.EffectiveRoute]bool{}
	for _, rule := range h.Rules {
		if len(rule.Route.Targets) > 1 && !seen[rule.Route] {
			seen[rule.Route] = true
			r.split(rule.Route)
		}
	}
}

// split chooses by $request_id, which is random and new for every request.
func (r *renderer) split(route *gateway.EffectiveRoute) {
	ref := routeRef(route)
	w := newWriter("splits/"+upstreamName(gateway.UpstreamKey{Tenant: route.Tenant, Name: route.Name})+".conf", ref)
	w.comment(commentName(ref))
	w.open("split_clients", "$request_id", routeVariable(route))
	shares := shares(route.Targets)
	for i, t := range route.Targets {
		value := upstreamName(t.Upstream)
		if !r.traits[t.Upstream].usable {
			value = "" // its share answers 503
		}
		if i == len(shares)-1 {
			w.stmt("*", value)
		} else {
			w.stmt(fmt.Sprintf("%d.%02d%%", shares[i]/100, shares[i]%100), value)
		}
	}
	w.close()
	if mixesSchemes(r.usableTraits(route)) {
		r.schemes(w, route)
	}
	r.add(w)
}

// schemes tells the targets over TLS from the others.
func (r *renderer) schemes(w *writer, route *gateway.EffectiveRoute) {
	w.open("map", routeVariable(route), schemeVariable(route))
	for i, t := range route.Targets {
		twice := slices.ContainsFunc(route.Targets[:i], func(o gateway.Target) bool { return o.Upstream == t.Upstream })
		if u := r.traits[t.Upstream]; u.usable && !twice {
			w.stmt(upstreamName(t.Upstream), u.scheme)
		}
	}
	w.close()
}

// shares turns weights into hundredths of a percent that add up to 100 %. Every target has
// at least one, since nginx refuses 0 %; the largest gives it away.
func shares(targets []gateway.Target) []int {
	total := 0
	for _, t := range targets {
		total += t.Weight
	}
	list, sum := make([]int, len(targets)), 0
	for i, t := range targets {
		list[i] = max(1, int(int64(t.Weight)*wholeSplit/int64(max(1, total))))
		sum += list[i]
	}
	list[slices.Index(list, slices.Max(list))] += wholeSplit - sum
	return list
}
