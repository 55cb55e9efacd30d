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
	r.chooseBy(w, route, routeVariable(route), func(t gateway.Target) string { return upstreamName(t.Upstream) })
	if mixesSchemes(r.usableTraits(route)) {
		// The same key gives the same choice. A map by the name would need buckets of its length.
		r.chooseBy(w, route, schemeVariable(route), func(t gateway.Target) string { return r.traits[t.Upstream].scheme })
	}
	r.add(w)
}

// chooseBy sets a variable to a value of the target that a request is for.
func (r *renderer) chooseBy(w *writer, route *gateway.EffectiveRoute, variable string, value func(gateway.Target) string) {
	w.open("split_clients", "$request_id", variable)
	shares := shares(route.Targets)
	for i, t := range route.Targets {
		v := value(t)
		if !r.traits[t.Upstream].usable {
			v = "" // its share answers 503
		}
		if i == len(shares)-1 {
			w.stmt("*", v)
		} else {
			w.stmt(fmt.Sprintf("%d.%02d%%", shares[i]/100, shares[i]%100), v)
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
