package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// Explain says where a request goes, and why.
func (s *server) Explain(_ context.Context, r api.ExplainRequestObject) (api.ExplainResponseObject, error) {
	host, path, err := target(r.Params.Url, deref(r.Params.Header))
	if err != nil {
		return nil, err
	}
	method := deref(r.Params.Method)
	if method == "" {
		method = http.MethodGet
	}
	normal, err := s.Normalise(path)
	if err != nil {
		return api.Explain200JSONResponse{
			Generation: s.Control.Snapshot().Generation, Method: method, Host: host, Path: path,
			HostReason: "The path is refused before any host is looked up.",
			Rules:      []api.ExplainedRule{}, Upstreams: []api.ExplainedUpstream{},
			Answer: api.ExplainedAnswer{Status: http.StatusBadRequest, Message: fmt.Sprintf("Sluice answers 400: %s.", err)},
		}, nil
	}
	return api.Explain200JSONResponse(explain(s.Control.Snapshot(), s.Normalise, method, host, normal, requestOf(r.Params.Url, deref(r.Params.Header)))), nil
}

// request is what rules may ask for besides host, method and path.
type request struct {
	fields http.Header
	query  url.Values
}

// requestOf reads what target has found good.
func requestOf(raw string, headers []string) request {
	out := request{fields: http.Header{}}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		out.fields.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	_, query, _ := strings.Cut(raw, "?")
	query, _, _ = strings.Cut(query, "#")
	out.query = parameters(query)
	return out
}

// parameters reads a query as the proxy does, which takes what is no escape as it stands and
// ";" for a character like others.
func parameters(query string) url.Values {
	out := url.Values{}
	for item := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(item, "=")
		out.Add(unescaped(name), unescaped(value))
	}
	return out
}

func unescaped(text string) string {
	text = strings.ReplaceAll(text, "+", " ")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if i+3 <= len(text) {
			if c, err := url.PathUnescape(text[i : i+3]); err == nil && len(c) == 1 {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func (r request) header(name string) (string, bool) {
	values := r.fields.Values(name)
	return strings.Join(values, ", "), len(values) > 0
}

// target takes host and path out of what people paste: with or without a scheme, with or
// without a port. A Host header counts more than the URL, as in a request.
func target(raw string, headers []string) (host, path string, err error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", "", invalidField("url", fmt.Sprintf("%q is not a URL: write one such as http://shop.example.com/api/cart", raw))
	}
	host = u.Host
	for _, h := range headers {
		if name, value, _ := strings.Cut(h, ":"); strings.EqualFold(strings.TrimSpace(name), "host") {
			host = strings.TrimSpace(value)
		}
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	path = u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), path, nil
}

// explain follows a request through a snapshot and keeps a reason for every step. The paths
// of rules are compared in the same form as the request's, as the proxy does.
func explain(snap *gateway.Snapshot, normalise func(string) (string, error), method, host, path string, asked request) api.Explanation {
	x := api.Explanation{
		Generation: snap.Generation, Method: method, Host: host, Path: path,
		Rules: []api.ExplainedRule{}, Upstreams: []api.ExplainedUpstream{},
	}
	entry := snap.Lookup(host)
	if entry == nil {
		x.HostReason = fmt.Sprintf("No tenant claims %s, no wildcard covers it, and nobody claims \"*\".", host)
		x.Answer = api.ExplainedAnswer{Status: http.StatusNotFound, Message: fmt.Sprintf("Sluice answers 404: nobody claims the host %s.", host)}
		return x
	}
	x.HostEntry, x.Tenant, x.HostReason = entry.Name, entry.Tenant, hostReason(entry, host)
	chosen := explainRules(&x, entry.Rules, normalise, asked)
	if chosen == nil {
		x.Answer = api.ExplainedAnswer{Status: http.StatusNotFound, Message: fmt.Sprintf("Sluice answers 404: none of the %d rules of %s takes %s %s.", len(entry.Rules), entry.Name, method, path)}
		return x
	}
	x.Route = chosen
	explainTargets(&x, snap, chosen)
	explainFilters(&x, chosen)
	return x
}

func hostReason(entry *gateway.Host, host string) string {
	switch entry.Name {
	case host:
		return fmt.Sprintf("Tenant %s claims exactly this name.", entry.Tenant)
	case "*":
		return fmt.Sprintf("Nobody claims %s, and tenant %s claims every host that nobody else does.", host, entry.Tenant)
	}
	return fmt.Sprintf("Nobody claims exactly this name; %s of tenant %s is the longest wildcard that covers it.", entry.Name, entry.Tenant)
}

// explainRules adds every rule and returns the route of the first that fits, or nil.
func explainRules(x *api.Explanation, rules []gateway.Rule, normalise func(string) (string, error), asked request) *gateway.EffectiveRoute {
	var chosen *gateway.EffectiveRoute
	var taken string
	for _, r := range rules {
		e := api.ExplainedRule{Path: r.Path, Route: r.Route.Name, Conditions: r.String()}
		fits, why := fit(r.Path, x.Path, func(p string) string {
			if n, err := normalise(p); err == nil {
				return n
			}
			return p
		})
		if fits {
			if unmet := r.Unmet(x.Method, asked.header, asked.query); unmet != "" {
				fits, why = false, why+" "+unmet
			}
		}
		if fits && chosen == nil && !r.Route.Takes(x.HostEntry, []byte(x.Host)) {
			e.Reason = fmt.Sprintf("The path fits, but under %s the route takes one label only, and answers 404 for others.", x.HostEntry)
			x.Rules = append(x.Rules, e)
			return nil
		}
		switch {
		case !fits:
			e.Reason = why
		case chosen != nil:
			e.Reason = fmt.Sprintf("It would fit, but %s is more specific and was taken.", taken)
		default:
			e.Chosen, e.Reason = true, why
			chosen, taken = r.Route, describe(r.Path)+r.String()
		}
		x.Rules = append(x.Rules, e)
	}
	return chosen
}

func describe(m gateway.PathMatch) string {
	if m.Exact != "" {
		return "exact " + m.Exact
	}
	return "prefix " + m.Prefix
}

// fit says whether a rule takes a path, and why or why not.
func fit(m gateway.PathMatch, path string, form func(string) string) (bool, string) {
	if m.Exact != "" {
		if form(m.Exact) == path {
			return true, "The path is exactly this one."
		}
		return false, fmt.Sprintf("The path is not exactly %s.", m.Exact)
	}
	prefix := strings.TrimSuffix(form(m.Prefix), "/")
	rest, ok := strings.CutPrefix(path, prefix)
	switch {
	case ok && (rest == "" || rest[0] == '/'):
		return true, fmt.Sprintf("The path begins with %s.", m.Prefix)
	case ok:
		return false, fmt.Sprintf("The path begins with %s, but a prefix takes whole path elements only.", m.Prefix)
	}
	return false, fmt.Sprintf("The path does not begin with %s.", m.Prefix)
}

// explainTargets adds the route's upstreams and what the caller can expect.
func explainTargets(x *api.Explanation, snap *gateway.Snapshot, route *gateway.EffectiveRoute) {
	total := 0
	for _, t := range route.Targets {
		total += t.Weight
	}
	var ready, empty []string
	for _, t := range route.Targets {
		e := api.ExplainedUpstream{Key: t.Upstream, Weight: t.Weight, Share: float64(t.Weight) / float64(max(total, 1)), Endpoints: []gateway.Endpoint{}}
		if u := snap.Upstream(t.Upstream); u != nil {
			c := shown(u)
			e.Endpoints, e.Panic = c.Endpoints, c.Panic
		}
		if slices.ContainsFunc(e.Endpoints, func(p gateway.Endpoint) bool { return p.InRotation }) {
			ready = append(ready, t.Upstream.String())
		} else {
			empty = append(empty, t.Upstream.String())
		}
		x.Upstreams = append(x.Upstreams, e)
	}
	name := route.Tenant + "/" + route.Name
	switch {
	case route.Redirect != nil && route.Redirect.Always():
		x.Answer = api.ExplainedAnswer{Status: route.Redirect.Status, Message: fmt.Sprintf("Sluice answers %d: the redirect filter of route %s sends clients elsewhere.", route.Redirect.Status, name)}
	case route.Respond != nil:
		x.Answer = api.ExplainedAnswer{Status: route.Respond.Status, Message: fmt.Sprintf("Sluice answers %d: the respond filter of route %s says so.", route.Respond.Status, name)}
	case len(route.Targets) == 0:
		x.Answer = api.ExplainedAnswer{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("Sluice answers 503: route %s has no upstream to send requests to.", name)}
	case len(ready) == 0:
		x.Answer = api.ExplainedAnswer{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("Sluice answers 503: route %s takes the request, but no endpoint of %s is in rotation.", name, strings.Join(empty, ", "))}
	case len(empty) > 0:
		x.Answer = api.ExplainedAnswer{Proxied: true, Message: fmt.Sprintf("Route %s sends the request to %s. Those that fall to %s are answered 503: no endpoint is in rotation there.", name, strings.Join(ready, ", "), strings.Join(empty, ", "))}
	default:
		x.Answer = api.ExplainedAnswer{Proxied: true, Message: fmt.Sprintf("Route %s sends the request to %s.", name, strings.Join(ready, ", "))}
	}
}
