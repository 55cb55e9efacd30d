package nginxconf

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// pass is where a location sends its requests, and how.
type pass struct {
	module string // "proxy" or "grpc"
	scheme string // or the variable that a split sets
	name   string // an upstream's, or the variable that a split sets
	tls    tlsTraits
}

// pass is not ok when no target has an endpoint in rotation, or when nginx can't have all
// targets in one location.
func (r *renderer) pass(route *gateway.EffectiveRoute) (p pass, ok bool) {
	list := r.usableTraits(route)
	if len(list) == 0 {
		return pass{}, false
	}
	p = pass{module: list[0].module, scheme: list[0].scheme}
	for _, t := range list {
		if t.tls != (tlsTraits{}) {
			p.tls = t.tls
		}
	}
	for _, t := range list {
		switch {
		case t.module != p.module:
			r.mixed(route, "some speak HTTP/2 and some HTTP/1.1")
			return pass{}, false
		case t.tls != (tlsTraits{}) && t.tls != p.tls:
			r.mixed(route, "their TLS settings differ")
			return pass{}, false
		case t.scheme != p.scheme:
			p.scheme = schemeVariable(route)
		}
	}
	p.name = routeVariable(route)
	if len(route.Targets) == 1 {
		p.name = upstreamName(route.Targets[0].Upstream)
	}
	return p, true
}

func (r *renderer) usableTraits(route *gateway.EffectiveRoute) []traits {
	var list []traits
	for _, t := range route.Targets {
		if u := r.traits[t.Upstream]; u.usable {
			list = append(list, u)
		}
	}
	return list
}

func (r *renderer) mixed(route *gateway.EffectiveRoute, why string) {
	r.problem(routeRef(route), "spec.to", "not_portable", "The upstreams can't share the requests of one route on nginx nodes, which answer 503: %s. Make them alike, or serve the route by the Go edge alone", why)
}

// mixesSchemes says whether a split needs a scheme of its own for each target.
func mixesSchemes(list []traits) bool {
	return slices.ContainsFunc(list, func(t traits) bool { return t.module == list[0].module && t.scheme != list[0].scheme })
}
