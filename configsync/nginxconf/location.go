package nginxconf

import (
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// rule writes the locations of one path. taken remembers which locations the server has: of
// two rules with the same path the first one counts, as in the Go edge.
func (r *renderer) rule(w *writer, rule gateway.Rule, taken map[string]bool) {
	exact := rule.Path.Exact != ""
	text := rule.Path.Prefix
	if exact {
		text = rule.Path.Exact
	}
	p, ok := r.locationPath(rule.Route, text)
	if !ok {
		return
	}
	w.owner = routeRef(rule.Route)
	if exact {
		r.location(w, rule.Route, taken, "=", p)
		return
	}
	p = strings.TrimRight(p, "/")
	if p != "" {
		r.location(w, rule.Route, taken, "=", p)
	}
	r.location(w, rule.Route, taken, p+"/")
}

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
	r.singleLabel(w, route)
	body := r.body(route)
	r.override(&body, route)
	body.write(w)
	w.close()
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
	if route.Respond != nil {
		return r.respond(route)
	}
	b := locationBody{owner: routeRef(route)}
	size := route.MaxBodySize
	if size <= 0 {
		size = defaultBodySize
	}
	b.add("client_max_body_size", size.String())
	pass, usable := r.pass(route)
	if !usable {
		b.add("return", "503")
		return b
	}
	t, attempts := r.limits(route)
	b.add("proxy_connect_timeout", nginxTime(t.Connect, defaultConnect))
	b.add("proxy_read_timeout", nginxTime(t.Response, defaultResponse))
	b.add("proxy_send_timeout", nginxTime(t.Response, defaultResponse))
	if attempts == 1 {
		b.add("proxy_next_upstream", "off")
	} else {
		b.add(append([]string{"proxy_next_upstream"}, r.nextUpstream(route)...)...)
		b.add("proxy_next_upstream_tries", itoa(attempts))
		if within := r.nextTimeout(route); within > 0 {
			b.add("proxy_next_upstream_timeout", nginxTime(within, 0))
		}
	}
	if strings.HasPrefix(pass, "$") {
		b.guard = pass
	}
	b.add("proxy_pass", "http://"+pass)
	return b
}

// pass is what stands behind http:// in proxy_pass: an upstream, or the variable that the
// route's split sets. usable is false when no target has an endpoint in rotation.
func (r *renderer) pass(route *gateway.EffectiveRoute) (pass string, usable bool) {
	for _, t := range route.Targets {
		usable = usable || r.usable(t.Upstream)
	}
	if len(route.Targets) == 1 {
		return upstreamName(route.Targets[0].Upstream), usable
	}
	return routeVariable(route), usable
}

// limits are the timeouts and the number of tries for a location. nginx has one set for all
// targets of a split: the longest counts. The route's timeout bounds each of them.
func (r *renderer) limits(route *gateway.EffectiveRoute) (t gateway.Timeouts, attempts int) {
	for _, target := range route.Targets {
		if u := r.snapshot.Upstream(target.Upstream); u != nil {
			t.Connect = max(t.Connect, u.Timeouts.Connect)
			t.Response = max(t.Response, u.Timeouts.Response)
			attempts = max(attempts, u.Retry.Attempts)
		}
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
