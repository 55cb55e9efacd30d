package nginximport

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// protocols by the scheme of a pass directive.
var protocols = map[string]string{"http": "http", "https": "https", "grpc": "h2c", "grpcs": "h2"}

// pass reads where a location sends its requests.
func (m *importer) pass(d *draft, s *statement, sc scope) {
	module, _, _ := strings.Cut(s.Name(), "_")
	scheme, rest, ok := strings.Cut(s.arg(0), "://")
	if !ok && module == "grpc" {
		scheme, rest, ok = "grpc", s.arg(0), true
	}
	host, uri := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 && !strings.HasPrefix(rest, "unix:") {
		host, uri = rest[:i], rest[i:]
	}
	var targets []share
	switch {
	case strings.HasPrefix(host, "$") && (protocols[scheme] != "" || strings.HasPrefix(scheme, "$")):
		targets = m.split(host, scheme)
	case ok && protocols[scheme] != "" && !strings.ContainsRune(s.arg(0), '$'):
		targets = []share{{host: host, protocol: protocols[scheme], weight: 1}}
	}
	if targets == nil {
		m.refuse(s, "it is made of variables that are not split_clients, or has a scheme that is not known", "Write the routes by hand")
		m.closeUnsent(d)
		return
	}
	for _, t := range targets {
		u := m.upstream(t.host, t.protocol, s)
		if u == nil {
			m.closeUnsent(d)
			return
		}
		if !u.used || u.Spec.TLS == nil {
			m.tls(u, s, sc, module)
		}
		u.used = true
		m.settings(u, sc, module)
		to := gateway.RouteTarget{Upstream: u.Name}
		if t.weight != 1 || len(targets) > 1 {
			weight := t.weight
			to.Weight = &weight
		}
		d.spec.To = append(d.spec.To, to)
	}
	say(s)
	m.uri(d, s, uri)
}

// closeUnsent closes a location whose requests have nowhere to go.
func (m *importer) closeUnsent(d *draft) {
	d.closed = true
	d.spec = gateway.RouteSpec{Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 503}}}}
	m.note(Differs, d.at, "its requests have nowhere to go, so it answers 503", "Write the route by hand")
	m.leaveAlone(d.at.kids, "the location is closed")
}

// uri reads the part of proxy_pass that replaces the location's path.
func (m *importer) uri(d *draft, s *statement, uri string) {
	at := d.path.Prefix + d.path.Exact
	switch {
	case uri == "" || uri == at:
		return
	case strings.ContainsAny(uri, "?$\\") || !asciiOnly(uri):
		m.note(Differs, s, "requests reach the endpoints with their own path, and not with this one", byHand)
		return
	}
	if f := rewriteOf(d.path, uri); f != nil {
		d.spec.Filters = append(d.spec.Filters, gateway.Filter{Rewrite: f})
		if f.Prefix == "" {
			return
		}
		m.note(Differs, s, "what follows the path keeps the spelling of the client, where nginx decodes it and encodes it anew", "")
		return
	}
	text := "rewrite ^" + quotePattern(at) + "(.*)$ " + uri + "$1 break;"
	if d.path.Exact != "" {
		text = "rewrite ^ " + uri + " break;"
	}
	if m.options.Overrides {
		m.allowed["rewrite"] = true
		d.overrides = append(d.overrides, text)
		m.note(Differs, s, "the path is replaced by the Override of the route, on nginx nodes only", "Let the endpoints take the client's path, so that the Go edge can serve the route, too")
		return
	}
	m.note(Differs, s, "requests reach the endpoints with their own path: routes do not replace "+at+" by "+uri,
		"Let the endpoints take the client's path, or import with --overrides, or write an Override with nginx: '"+text+"' and list rewrite in a Policy's nginxDirectives")
}

// rewriteOf is the filter that replaces the location's path as proxy_pass does, or nil: nginx
// replaces bytes, and a filter whole path elements.
func rewriteOf(at gateway.PathMatch, uri string) *gateway.Rewrite {
	if strings.Contains(uri, "//") || strings.ContainsAny(uri, "%;{}\"#") {
		return nil
	}
	switch {
	case at.Exact != "":
		return &gateway.Rewrite{Path: uri}
	case strings.HasSuffix(at.Prefix, "/") != strings.HasSuffix(uri, "/"):
		return nil
	case uri == "/":
		return &gateway.Rewrite{Prefix: uri}
	}
	return &gateway.Rewrite{Prefix: strings.TrimSuffix(uri, "/")}
}

// quotePattern makes a path match itself.
func quotePattern(path string) string {
	var b strings.Builder
	for _, c := range path {
		if strings.ContainsRune(`.+*?()[]|^`, c) {
			b.WriteString("[" + strings.ReplaceAll(string(c), "^", `\^`) + "]")
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
