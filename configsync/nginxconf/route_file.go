package nginxconf

import "github.com/sluice-gateway/sluice/gateway"

// routeFiles writes one file for each route of a host whose filters need maps: these stand
// outside of servers. Those of a route with several hosts are the same file.
func (r *renderer) routeFiles(h *gateway.Host) {
	seen := map[*gateway.EffectiveRoute]bool{}
	for _, rule := range h.Rules {
		if route := rule.Route; !seen[route] && r.unsaid(route) == "" {
			seen[route] = true
			r.routeFile(route)
		}
	}
}

func (r *renderer) routeFile(route *gateway.EffectiveRoute) {
	ref := routeRef(route)
	w := newWriter("routes/"+upstreamName(gateway.UpstreamKey{Tenant: route.Tenant, Name: route.Name})+".conf", ref)
	w.comment(commentName(ref))
	empty := w.line
	r.editsHeads(w, route)
	redirectPort(w, route)
	if w.line > empty {
		r.add(w)
	}
}

// unsaid says what of the route's filters nginx has no words for, or returns "": then every
// request of the route would be served in another way than it says.
func (r *renderer) unsaid(route *gateway.EffectiveRoute) string {
	if why := r.uneditable(route); why != "" {
		return why
	}
	return r.unreachable(route)
}

// closed answers 503 to every request of the route.
func closed(route *gateway.EffectiveRoute) locationBody {
	b := locationBody{owner: routeRef(route)}
	b.add("set", "$sluice_route", plainName(route.Name))
	b.add("client_max_body_size", "0")
	b.add("return", "503")
	return b
}
