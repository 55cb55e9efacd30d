package nginxconf

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// A path whose rules have conditions is one location that picks a rule and jumps to the location of
// that rule. A named location leaves the request as it is, its path and method included.

// pickStatus never leaves nginx: it is what a location that picks a rule ends with.
const pickStatus = "418"

// jump is a named location: that of a rule, wherever it was picked.
type jump struct {
	route  *gateway.EffectiveRoute // nil: no rule takes the request
	path   string                  // of the rule, without a slash at its end
	closed bool                    // nginx can't tell whether the request is for the route
}

func (j jump) name() string {
	switch {
	case j.route == nil:
		return "@sluice-none"
	case j.closed:
		return "@" + routeName(j.route) + ".closed"
	}
	return "@" + routeName(j.route) + "." + shortHash(j.path)
}

// place writes the locations of one path. taken remembers which locations the server has: of
// two places with the same path the first one counts, as in the Go edge.
func (r *renderer) place(w *writer, p gateway.Place, taken map[string]bool) {
	path, ok := r.pathOf(p)
	if !ok {
		return
	}
	route := p.Rules[0].Route
	w.owner = routeRef(route)
	r.path = strings.TrimRight(path, "/")
	write := func(words ...string) { r.location(w, route, taken, words...) }
	if p.Rules[0].Any() {
		groups := r.groups(p)
		write = func(words ...string) { r.picker(w, groups, taken, words...) }
	}
	if p.Path.Exact != "" {
		write("=", path)
		return
	}
	path = strings.TrimRight(path, "/")
	if path != "" {
		write("=", path)
	}
	write(path + "/")
}

// pathOf is the path of a place as nginx compares it.
func (r *renderer) pathOf(p gateway.Place) (path string, ok bool) {
	for _, rule := range slices.Backward(p.Rules) { // each has a problem of its own
		if rule.Path == p.Path {
			path, ok = r.locationPath(rule.Route, p.Path.Exact+p.Path.Prefix)
		}
	}
	return path, ok
}

// picker writes the location that picks a rule.
func (r *renderer) picker(w *writer, groups []group, taken map[string]bool, words ...string) {
	key := strings.Join(words, "")
	if taken[key] {
		return
	}
	taken[key] = true
	w.put("")
	w.comment("Rules with conditions: the first that are met.")
	w.open(append([]string{"location"}, words...)...)
	var read []string
	for _, g := range groups {
		for _, t := range g.tests {
			if t.header != "" && !slices.Contains(read, t.header) {
				read = append(read, t.header)
				luaHeader(w, t.header)
			}
		}
		for _, c := range g.choices {
			r.jumpTo(c.to)
		}
		if to, ok := g.unanswered(); ok {
			r.jumpTo(to)
		}
		if g.last {
			r.jumpTo(g.other)
		}
	}
	w.stmt("client_max_body_size", "0") // is for the rule to say
	w.stmt("recursive_error_pages", "on")
	w.stmt("error_page", pickStatus, "=", groups[0].variable)
	w.stmt("return", pickStatus)
	w.close()
}

func (r *renderer) jumpTo(j jump) {
	if name := j.name(); !r.jumped[name] {
		r.jumped[name] = true
		r.jumps = append(r.jumps, j)
	}
}

// jumpLocations writes the locations that those of a server jump to.
func (r *renderer) jumpLocations(w *writer) {
	for _, j := range r.jumps {
		w.put("")
		if j.route == nil {
			w.comment("No rule's conditions are met.")
			w.open("location", j.name())
			w.stmt("return", "404")
			w.close()
			continue
		}
		w.owner = routeRef(j.route)
		w.comment(commentName(w.owner))
		w.open("location", j.name())
		if j.closed {
			body := closed(j.route)
			body.write(w)
		} else {
			r.path = j.path
			r.inside(w, j.route, true)
		}
		w.close()
	}
}

// refuseSize answers 413 in a location that was jumped to: nginx has compared the length of the
// body with what the one before says.
func refuseSize(w *writer, b *locationBody) {
	for _, s := range b.stmts {
		if s.words[0] != "client_max_body_size" {
			continue
		}
		if most, ok := nginxSize(s.words[1]); ok && most > 0 {
			w.open("if", "($content_length", "~", moreThan(most)+")")
			w.stmt("return", "413")
			w.close()
		}
	}
}
