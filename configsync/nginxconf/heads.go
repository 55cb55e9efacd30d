package nginxconf

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// editRequest adds the directives of the route's requestHeaders. Those that the Go edge sends
// as well are repeated with them, see forwardHeaders.
func (r *renderer) editRequest(b *locationBody, route *gateway.EffectiveRoute) {
	e := route.RequestHeaders
	if e == nil || b.module == "" {
		return
	}
	directive := b.module + "_set_header"
	for _, name := range e.Remove {
		b.add(directive, fieldName(name), "")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Set)) {
		b.add(directive, fieldName(name), literal(route, e.Set[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Add)) {
		b.add(directive, fieldName(name), addVariable(route, name))
	}
}

// editAnswer adds those of its responseHeaders, to answers of nginx's own too. These keep their
// Content-Type, which says what their bodies are.
func (r *renderer) editAnswer(b *locationBody, route *gateway.EffectiveRoute) {
	e := route.ResponseHeaders
	if e == nil {
		return
	}
	for _, name := range e.Drops() {
		switch {
		case name == "server":
			r.problem(b.owner, "spec.filters", "not_portable", "The header server stays as it is on nginx nodes: nginx writes it itself")
		case b.module != "":
			b.add(b.module+"_hide_header", fieldName(name))
		}
	}
	for _, list := range []map[string]string{e.Set, e.Add} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			switch {
			case name == "server", name == "content-type" && b.module == "":
			case name == "content-type": // Build lets nothing be added to it
				b.add("add_header", fieldName(name), typeVariable(route), "always")
			default:
				b.add("add_header", fieldName(name), literal(route, list[name]), "always")
			}
		}
	}
}

func fieldName(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// literal writes a value for a place where nginx expands variables.
func literal(route *gateway.EffectiveRoute, value string) string {
	return strings.ReplaceAll(value, "$", "${"+dollarVariable(route)[1:]+"}")
}

// dollarVariable holds "$", which nginx has no escape for.
func dollarVariable(r *gateway.EffectiveRoute) string {
	return shortVariable('d', r, "")
}

// typeVariable holds the Content-Type of answers that came from an endpoint.
func typeVariable(r *gateway.EffectiveRoute) string {
	return shortVariable('t', r, "")
}

// addVariable holds what the client sent under a name, and what is added to it.
func addVariable(r *gateway.EffectiveRoute, name string) string {
	return shortVariable('a', r, name)
}

// uneditable says what of the route's edits nginx has no words for, or returns "".
func (r *renderer) uneditable(route *gateway.EffectiveRoute) string {
	for _, e := range []*gateway.HeaderEdit{route.RequestHeaders, route.ResponseHeaders} {
		if e == nil {
			continue
		}
		for _, name := range e.Drops() {
			if why := unsayable(route, name, e.Set[name]); why != "" {
				return why
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.Add)) {
			if why := unsayable(route, name, e.Add[name]); why != "" {
				return why
			}
		}
	}
	if e := route.ResponseHeaders; e != nil && route.Respond != nil && redirects(route.Respond.Status) && (e.Add["location"] != "" || slices.Contains(e.Drops(), "location")) {
		return "it writes the Location of a redirect itself"
	}
	if e := route.RequestHeaders; e != nil && len(e.Add) > 0 {
		if !r.atLeast("1.23.0") {
			return "before version 1.23.0 it sees no more than the first of several fields of a request, so that nothing can be added to them"
		}
		for _, name := range slices.Sorted(maps.Keys(e.Add)) {
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				return fmt.Sprintf("it has no variable for the request's header %s, to which something is added", printable(name))
			}
		}
	}
	return ""
}

// unsayable says why a field can't stand in a directive.
func unsayable(route *gateway.EffectiveRoute, name, value string) string {
	switch {
	case name == "" || strings.Trim(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") != "":
		return fmt.Sprintf("%q is no name of a header", printable(name))
	case len(name) > maxShown:
		return fmt.Sprintf("the name of a header is longer than %d bytes", maxShown)
	case hasControl(strings.ReplaceAll(value, "\t", "")):
		return "a header holds control characters"
	case len(Quote(literal(route, value))) > maxParameter:
		return fmt.Sprintf("the header %s is longer than %d bytes", name, maxParameter)
	}
	return ""
}

// editsHeads writes what the edits of a route rely on.
func (r *renderer) editsHeads(w *writer, route *gateway.EffectiveRoute) {
	dollar := false
	for _, e := range []*gateway.HeaderEdit{route.RequestHeaders, route.ResponseHeaders} {
		if e != nil {
			for _, value := range slices.Concat(slices.Collect(maps.Values(e.Set)), slices.Collect(maps.Values(e.Add))) {
				dollar = dollar || strings.Contains(value, "$")
			}
		}
	}
	if dollar {
		w.open("geo", dollarVariable(route))
		w.stmt("default", "$")
		w.close()
	}
	if e := route.RequestHeaders; e != nil {
		for _, name := range slices.Sorted(maps.Keys(e.Add)) {
			sent := "$http_" + strings.ReplaceAll(name, "-", "_")
			w.open("map", sent, addVariable(route, name))
			w.stmt("", literal(route, e.Add[name]))
			w.stmt("default", sent+", "+literal(route, e.Add[name]))
			w.close()
		}
	}
	if value, ok := typeOf(route); ok {
		w.comment("No header came with the last try, or there was none: the answer is nginx's own.")
		w.open("map", "$upstream_header_time", typeVariable(route))
		w.stmt("", "")
		w.stmt("~-$", "")
		w.stmt("default", literal(route, value))
		w.close()
	}
}

// typeOf is the Content-Type that a route gives to answers of its endpoints.
func typeOf(route *gateway.EffectiveRoute) (value string, ok bool) {
	if route.ResponseHeaders != nil {
		value, ok = route.ResponseHeaders.Set["content-type"]
	}
	return value, ok
}
