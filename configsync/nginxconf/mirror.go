package nginxconf

import (
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// mirrorPath is the location that sends copies of a route's requests. Requests of clients for
// it are answered 404.
func mirrorPath(route *gateway.EffectiveRoute) string { return "/.sluice-mirror/" + routeName(route) }

// mirrors says whether nginx can send copies of the route's requests.
func (r *renderer) mirrors(route *gateway.EffectiveRoute) bool {
	return route.Mirror != nil && !route.AnswersItself() && !rewritesPath(route) && r.traits[route.Mirror.Upstream].usable
}

// rewritesPath says that upstreams are asked for another path than the client asked for. The location
// of copies is one for all rules of the route, and does not know which of them matched.
func rewritesPath(route *gateway.EffectiveRoute) bool {
	return route.Rewrite != nil && route.Rewrite.Path+route.Rewrite.Prefix != ""
}

// copyVariable is empty for requests that are not copied.
func copyVariable(route *gateway.EffectiveRoute) string {
	return shortVariable('c', route, "")
}

// mirrorShares writes one file for each route of a host that copies a share of its requests. The
// choice is another one than that between the upstreams of the route.
func (r *renderer) mirrorShares(h *gateway.Host) {
	seen := map[*gateway.EffectiveRoute]bool{}
	for _, rule := range h.Rules {
		route := rule.Route
		if route.Mirror != nil && rewritesPath(route) {
			r.problem(routeRef(route), "spec.filters", "not_portable", "nginx can't send copies with a path that is rewritten, so the mirror of this route works in the Go edge only")
		}
		if !r.mirrors(route) || route.Mirror.Percent >= 100 || seen[route] {
			continue
		}
		seen[route] = true
		w := newWriter("mirrors/"+routeName(route)+".conf", routeRef(route))
		w.comment(commentName(routeRef(route)))
		w.open("split_clients", "mirror$request_id", copyVariable(route))
		w.stmt(fmt.Sprintf("%d%%", max(1, route.Mirror.Percent)), "1")
		w.stmt("*", "")
		w.close()
		r.add(w)
	}
}

// addMirror has a location copy its requests.
func (r *renderer) addMirror(b *locationBody, route *gateway.EffectiveRoute) {
	if !r.mirrors(route) {
		return
	}
	if r.traits[route.Mirror.Upstream].module == "grpc" {
		b.add("set", "$sluice_uri", "$uri") // which is another one in the copy
	}
	b.add("mirror", mirrorPath(route))
	if !slices.Contains(r.copied, route) {
		r.copied = append(r.copied, route)
	}
}

// takeMirrors takes the locations of copies, before any rule of the host does.
func (r *renderer) takeMirrors(h *gateway.Host, taken map[string]bool) {
	r.copied = nil
	for _, rule := range h.Rules {
		if r.mirrors(rule.Route) {
			taken["="+mirrorPath(rule.Route)] = true
		}
	}
}

// mirrorLocation sends copies as a route to the mirror would send requests. Variables are those of
// the client's request, so that nothing may be set here.
func (r *renderer) mirrorLocation(w *writer, route *gateway.EffectiveRoute) {
	to := &gateway.EffectiveRoute{Tenant: route.Tenant, Name: route.Name, Timeout: route.Timeout, MaxBodySize: route.MaxBodySize,
		Targets: []gateway.Target{{Upstream: route.Mirror.Upstream, Weight: 1}}, RequestHeaders: route.RequestHeaders, Rewrite: route.Rewrite}
	w.owner = routeRef(route)
	w.put("")
	w.comment(commentName(routeRef(route)) + ", copies")
	w.open("location", "=", mirrorPath(route))
	w.stmt("internal")
	if route.Mirror.Percent < 100 {
		r.noCopy(w, "("+copyVariable(route)+` = "")`)
	}
	r.noCopy(w, "($http_upgrade)")
	r.liveGuard(w, to)
	body, out := r.body(to), locationBody{}
	out.owner, out.module = body.owner, body.module
	out.add(body.module+"_set_header", gateway.MirrorHeader, "1")
	for _, s := range body.stmts {
		switch s.words[0] {
		case "set", "client_max_body_size":
			continue
		case "proxy_pass":
			s.words[1] += "$request_uri"
		case "grpc_pass":
			out.add("rewrite", "^", "$sluice_uri", "break")
		}
		out.stmts = append(out.stmts, s)
	}
	out.write(w)
	w.close()
}

// noCopy ends a copy under a condition.
func (r *renderer) noCopy(w *writer, condition string) {
	w.put("if " + condition + " {")
	w.depth++
	w.stmt("return", "204")
	w.close()
}
