package nginxconf

import (
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// locationPath is the path as nginx compares it: with escapes resolved.
func (r *renderer) locationPath(route *gateway.EffectiveRoute, text string) (string, bool) {
	p, err := url.PathUnescape(text)
	switch {
	case err != nil || !strings.HasPrefix(p, "/") || hasControl(p):
		r.problem(routeRef(route), "spec.match", "bad_path", "Path %q is left out on nginx nodes: write a path that starts with \"/\", other bytes as %%XX", text)
		return "", false
	case strings.Contains(strings.ToLower(text), "%2f"):
		r.problem(routeRef(route), "spec.match", "not_portable", "Path %q is left out on nginx nodes: nginx can't tell %%2F from \"/\"", text)
		return "", false
	}
	return p, true
}

func (r *renderer) location(w *writer, route *gateway.EffectiveRoute, taken map[string]bool, words ...string) {
	key := strings.Join(words, "")
	if taken[key] {
		return
	}
	taken[key] = true
	w.put("")
	w.comment(commentName(routeRef(route)))
	w.open(append([]string{"location"}, words...)...)
	r.inside(w, route, false)
	w.close()
}

// inside writes what a location of the route holds. jumped says that it is a named one.
func (r *renderer) inside(w *writer, route *gateway.EffectiveRoute, jumped bool) {
	body := r.body(route)
	r.override(&body, route)
	if jumped {
		refuseSize(w, &body)
	}
	r.singleLabel(w, route)
	if route.IPAccess != nil {
		r.admit(w, route)
	}
	r.readable(w, route)
	r.redirect(w, route)
	r.liveGuard(w, route)
	body.write(w)
}

// singleLabel refuses what a wildcard of nginx takes besides: hosts with more labels.
func (r *renderer) singleLabel(w *writer, route *gateway.EffectiveRoute) {
	suffix, wild := strings.CutPrefix(r.host, "*.")
	if !route.SingleLabel || !wild {
		return
	}
	w.open("if", "($host", "!~", "^[^.]+[.]"+strings.ReplaceAll(suffix, ".", "[.]")+"$)")
	w.stmt("return", "404")
	w.close()
}

// body lists what Sluice itself puts into a location of the route.
func (r *renderer) body(route *gateway.EffectiveRoute) locationBody {
	if why := r.unsaid(route); why != "" {
		r.problem(routeRef(route), "spec.filters", "not_portable", "The filters can't be said in nginx, which answers 503 instead: %s", why)
		return closed(route)
	}
	b := r.answer(route)
	r.editRequest(&b, route)
	r.editAnswer(&b, route)
	return b
}

// answer lists what answers the route's requests: an upstream or nginx itself.
func (r *renderer) answer(route *gateway.EffectiveRoute) locationBody {
	if d := route.Redirect; d != nil && d.Always() {
		b := locationBody{owner: routeRef(route)}
		b.add("set", "$sluice_route", plainName(route.Name))
		b.add("client_max_body_size", "0") // as for other answers of nginx's own
		b.add("return", itoa(d.Status), r.address(route))
		return b
	}
	if route.Respond != nil {
		return r.respond(route)
	}
	b := locationBody{owner: routeRef(route)}
	size := route.MaxBodySize
	if size <= 0 {
		size = defaultBodySize
	}
	b.add("set", "$sluice_route", plainName(route.Name))
	b.add("client_max_body_size", size.String())
	pass, ok := r.pass(route)
	if !ok {
		b.add("return", "503")
		return b
	}
	addLimits(&b, route)
	r.addMirror(&b, route)
	b.module = pass.module
	name := func(s string) string { return pass.module + "_" + s }
	t, attempts := r.limits(route)
	b.add("set", "$sluice_upstream", pass.name)
	b.add(name("connect_timeout"), nginxTime(t.Connect, defaultConnect))
	b.add(name("read_timeout"), nginxTime(t.Response, defaultResponse))
	b.add(name("send_timeout"), nginxTime(t.Response, defaultResponse))
	if attempts == 1 {
		b.add(name("next_upstream"), "off")
	} else {
		b.add(append([]string{name("next_upstream")}, r.nextUpstream(route)...)...)
		b.add(name("next_upstream_tries"), itoa(attempts))
		if within := r.nextTimeout(route); within > 0 {
			b.add(name("next_upstream_timeout"), nginxTime(within, 0))
		}
	}
	if pass.tls != (tlsTraits{}) {
		pass.tls.add(&b, pass.module, r.inTree)
	}
	if strings.HasPrefix(pass.name, "$") {
		b.guard = pass.name
	}
	b.add(name("pass"), pass.scheme+"://"+pass.name+r.rewritten(route))
	if route.Rewrite != nil && route.Rewrite.Host != "" {
		b.add(name("set_header"), "Host", route.Rewrite.Host)
	}
	return b
}

// limits are the timeouts and the number of tries for a location. nginx has one set for all
// targets of a split: the longest counts. The route's timeout bounds each of them.
func (r *renderer) limits(route *gateway.EffectiveRoute) (t gateway.Timeouts, attempts int) {
	for _, target := range route.Targets {
		u := r.traits[target.Upstream]
		t.Connect, t.Response = max(t.Connect, u.connect), max(t.Response, u.response)
		attempts = max(attempts, u.attempts)
	}
	if t.Connect <= 0 {
		t.Connect = defaultConnect
	}
	if t.Response <= 0 {
		t.Response = defaultResponse
	}
	if route.Timeout > 0 {
		t.Connect = min(t.Connect, route.Timeout)
		t.Response = min(t.Response, route.Timeout)
	}
	if attempts <= 0 {
		attempts = 2
	}
	return t, attempts
}
