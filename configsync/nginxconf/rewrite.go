package nginxconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Paths are rewritten as the client wrote them, by a map of $request_uri: rewrite and a
// proxy_pass with a path would decode them first, and encode something else.

// replaced is the path and the prefix that a route's filters put in the place of the request's.
func replaced(route *gateway.EffectiveRoute) (path, prefix string) {
	switch {
	case route.Redirect != nil && route.Redirect.Path+route.Redirect.Prefix != "":
		return route.Redirect.Path, route.Redirect.Prefix
	case route.Rewrite != nil:
		return route.Rewrite.Path, route.Rewrite.Prefix
	}
	return "", ""
}

// uriVariable holds the path and the query under a rule of a host; empty: the client's spelling
// leaves open what follows the prefix.
func (r *renderer) uriVariable(route *gateway.EffectiveRoute, prefix string) string {
	return shortVariable('u', route, r.claim+prefix)
}

// uris writes a file for a host with what its rules make of paths.
func (r *renderer) uris(h *gateway.Host) {
	w := newWriter("paths/"+encodeName(h.Tenant, "-")+"."+encodeName(h.Name, "-.")+".conf", tenantRef(h.Tenant))
	w.comment(commentName(tenantRef(h.Tenant)) + ", host " + h.Name)
	seen := map[string]bool{}
	for _, rule := range h.Rules {
		text, ok := r.locationPath(rule.Route, rule.Path.Exact+rule.Path.Prefix)
		_, prefix := replaced(rule.Route)
		name := r.uriVariable(rule.Route, strings.TrimRight(text, "/"))
		if !ok || prefix == "" || r.unsaid(rule.Route) != "" || seen[name] {
			continue
		}
		seen[name] = true
		w.owner = routeRef(rule.Route)
		w.open("map", "$request_uri", name)
		uriMap(w, strings.TrimRight(text, "/"), strings.TrimRight(prefix, "/"))
		w.close()
	}
	if len(seen) > 0 {
		r.add(w)
	}
}

// encodedSlash is a slash in any spelling.
const encodedSlash = `(?:/|%2[Ff])`

// noDots keeps spellings out that say less about where the prefix ends than $uri does.
const noDots = `(?![^?#]*` + encodedSlash + `(?:\.|%2[Ee]){1,2}(?:;[^/?#]*)?(?:` + encodedSlash + `|[?#]|$))`

// uriMap writes the lines of a map that puts a prefix in the place of another one. Neither ends
// in a slash.
func uriMap(w *writer, from, to string) {
	start, query := "~^"+noDots+spellings(from), `((?:\?[^#]*)?)$`
	w.stmt("default", "")
	if to != "" {
		w.stmt(start+`((?:`+encodedSlash+`[^?#]*)?)`+query, to+"$1$2")
		return
	}
	w.stmt(start+`(/[^?#]*)`+query, "$1$2")
	w.stmt(start+`((?:%2[Ff][^?#]*)?)`+query, "/$1$2")
}

// spellings is an expression for every way to write a path.
func spellings(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; c == '/' {
			b.WriteString(encodedSlash + "+")
		} else {
			b.WriteString("(?:")
			if c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '%' { // these never stand for themselves
				b.WriteString(regexp.QuoteMeta(string(c)) + "|")
			}
			fmt.Fprintf(&b, "%%%s%s)", hexDigit(c>>4), hexDigit(c&15))
		}
	}
	return b.String()
}

func hexDigit(c byte) string {
	if c < 10 {
		return string('0' + c)
	}
	return fmt.Sprintf("[%c%c]", 'A'+c-10, 'a'+c-10)
}

// rewritten is what stands behind the upstream in proxy_pass: nothing, or the path and query.
func (r *renderer) rewritten(route *gateway.EffectiveRoute) string {
	if w := route.Rewrite; w != nil && w.Path != "" {
		return w.Path + "$is_args$args"
	} else if w != nil && w.Prefix != "" {
		return r.uriVariable(route, r.path)
	}
	return ""
}

// readable closes a location to spellings for which a map has nothing.
func (r *renderer) readable(w *writer, route *gateway.EffectiveRoute) {
	if _, prefix := replaced(route); prefix == "" || r.unsaid(route) != "" {
		return
	}
	refuseIf(w, r.uriVariable(route, r.path), `= ""`, "400")
}

func refuseIf(w *writer, variable, is string, answer ...string) {
	w.put("if (" + variable + " " + is + ") {")
	w.depth++
	w.stmt(append([]string{"return"}, answer...)...)
	w.close()
}

// redirect writes what sends clients elsewhere, in front of anything else that a location does.
func (r *renderer) redirect(w *writer, route *gateway.EffectiveRoute) {
	d := route.Redirect
	if d == nil || r.unsaid(route) != "" {
		return
	}
	if d.Host == "" {
		refuseIf(w, "$http_host", `= ""`, "400")
	}
	if !d.Always() {
		refuseIf(w, "$scheme", "!= "+d.Scheme, itoa(d.Status), r.address(route))
	}
}

// address is where a redirect leads.
func (r *renderer) address(route *gateway.EffectiveRoute) string {
	d := route.Redirect
	scheme, host, port, uri := d.Scheme, d.Host, "", "$request_uri"
	if scheme == "" {
		scheme = "$scheme"
	}
	if host == "" {
		host = "$host"
	}
	switch own := map[int]string{80: "http", 443: "https"}[d.Port]; {
	case d.Scheme == "" && (d.Port == 0 || own != ""):
		port = portVariable(route)
	case d.Port != 0 && own != d.Scheme:
		port = ":" + itoa(d.Port)
	}
	if d.Path != "" {
		uri = d.Path + "$is_args$args"
	} else if d.Prefix != "" {
		uri = r.uriVariable(route, r.path)
	}
	return scheme + "://" + host + port + uri
}

// portVariable holds the port of a redirect with its colon, where the request decides it.
func portVariable(r *gateway.EffectiveRoute) string {
	return shortVariable('p', r, "")
}

// redirectPort writes what portVariable needs.
func redirectPort(w *writer, route *gateway.EffectiveRoute) {
	d := route.Redirect
	if d == nil || d.Scheme != "" || d.Port != 0 && d.Port != 80 && d.Port != 443 {
		return
	}
	source, key, value := "$http_host", `~(:[0-9]+)$`, "$1"
	other := ""
	if d.Port != 0 {
		source, key, value, other = "$scheme", map[int]string{80: "http", 443: "https"}[d.Port], "", ":"+itoa(d.Port)
	}
	w.open("map", source, portVariable(route))
	w.stmt(key, value)
	w.stmt("default", other)
	w.close()
}

// unreachable says why what a rewrite or a redirect names can't stand in a directive, or
// returns "".
func (r *renderer) unreachable(route *gateway.EffectiveRoute) string {
	if d := route.Redirect; d != nil {
		switch {
		case d.Scheme != "" && d.Scheme != "http" && d.Scheme != "https":
			return "the scheme of the redirect is neither http nor https"
		case d.Port < 0 || d.Port > 65535 || !slices.Contains(gateway.RedirectStatuses, d.Status):
			return "the redirect has a port or a status that there is not"
		}
		if why := strange(d.Path, d.Prefix, d.Host); why != "" {
			return why
		}
	}
	w := route.Rewrite
	if w == nil {
		return ""
	}
	if w.Path+w.Prefix != "" && slices.ContainsFunc(r.usableTraits(route), func(t traits) bool { return t.module == "grpc" }) {
		return "grpc_pass takes no path, and to rewrite it another way would decode it"
	}
	if route.Redirect != nil && w.Prefix != "" && route.Redirect.Path+route.Redirect.Prefix != "" {
		return "a redirect and a rewrite replace the path in two ways"
	}
	return strange(w.Path, w.Prefix, w.Host)
}

func strange(path, prefix, host string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!&'()*+,=:@/[]|^`<>"
	for _, p := range []string{path, prefix} {
		if p != "" && (p[0] != '/' || strings.Trim(p, plain) != "" || len(Quote(p)) > maxParameter/2) {
			return "the path " + printable(p) + " has bytes that mean something else there, or too many"
		}
	}
	if host != "" && !validHost(host) || strings.HasPrefix(host, "*") {
		return "the host " + printable(host) + " is no name of one"
	}
	return ""
}
