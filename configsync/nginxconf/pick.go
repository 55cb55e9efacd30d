package nginxconf

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// A map picks the rule of a place by the answers to its tests, "1" or "0" each. What a client sends
// is in none of its keys, so that nothing can be mistaken for something else there.

// Bounds of one map, whose key is a word of nginx.conf, and of maps that follow each other: nginx
// evaluates variables by variables a hundred deep.
const (
	maxGroupTests = 64
	maxGroups     = 50
)

// group is one of the maps of a place, in the order of its rules.
type group struct {
	variable string
	tests    []test
	choices  []choice
	last     bool
	other    jump // where none of the choices is met, and the group is the last
}

// choice is where a request goes for which all tests of a rule are met.
type choice struct {
	tests []test
	to    jump
}

// choices are the rules of a place; the last one takes everything.
func (r *renderer) choices(p gateway.Place) []choice {
	var list []choice
	for _, rule := range p.Rules {
		path, ok := r.locationPath(rule.Route, rule.Path.Exact+rule.Path.Prefix)
		tests, unsure := r.testsOf(&rule.Conditions)
		if unsure != "" {
			r.problem(routeRef(rule.Route), "spec.match", "not_portable", "nginx can't tell whether a request meets the conditions of %s%s of %s, and answers 503 where it may: %s", rule.Path, clip(rule.String()), r.claim, unsure)
		}
		c := choice{tests: tests, to: jump{route: rule.Route, path: strings.TrimRight(path, "/"), closed: unsure != "" || !ok}}
		if list = append(list, c); len(tests) == 0 {
			return list
		}
	}
	return append(list, choice{})
}

func clip(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

// groups divides the choices of a place among maps.
func (r *renderer) groups(p gateway.Place) []group {
	var list []group
	now := group{}
	end := func(last bool, other jump) {
		now.variable = shortHashVariable('r', r.claim, p.Path.Exact, p.Path.Prefix, strconv.Itoa(len(list)))
		now.last, now.other = last, other
		list, now = append(list, now), group{}
	}
	for _, c := range r.choices(p) {
		if len(c.tests) == 0 {
			end(true, c.to)
			return list
		}
		more := now.with(c.tests)
		if len(more) > maxGroupTests {
			if len(list)+1 == maxGroups {
				r.problem(routeRef(c.to.route), "spec.match", "not_portable", "nginx has room for %d conditions of one path, so that this route of %s and those behind it are answered 503 there", maxGroups*maxGroupTests, r.claim)
				c.to.closed = true
				end(true, c.to)
				return list
			}
			end(false, jump{})
			more = now.with(c.tests)
		}
		now.tests, now.choices = more, append(now.choices, c)
	}
	return list
}

// with are the tests of the group and those that it has not yet.
func (g *group) with(tests []test) []test {
	all := slices.Clone(g.tests)
	for _, t := range tests {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// picks writes a file for a host with the maps of its places.
func (r *renderer) picks(h *gateway.Host) {
	if !slices.ContainsFunc(h.Rules, func(rule gateway.Rule) bool { return rule.Any() }) {
		return
	}
	w := newWriter("matches/"+encodeName(h.Tenant, "-")+"."+encodeName(h.Name, "-.")+".conf", tenantRef(h.Tenant))
	w.comment(commentName(tenantRef(h.Tenant)) + ", host " + h.Name)
	empty, seen := w.line, map[test]bool{}
	for _, p := range h.Places() {
		if !p.Rules[0].Any() {
			continue
		}
		if _, ok := r.pathOf(p); !ok {
			continue
		}
		w.owner = routeRef(p.Rules[0].Route)
		groups := r.groups(p)
		for i, g := range groups {
			for _, t := range g.tests {
				if !seen[t] {
					seen[t] = true
					t.write(w)
				}
			}
			after := g.other.name()
			if !g.last {
				after = groups[i+1].variable
			}
			g.write(w, after)
		}
	}
	if w.line > empty {
		r.add(w)
	}
}

// write writes the map. after is what it has where none of its choices is met.
func (g *group) write(w *writer, after string) {
	if len(g.tests) == 0 { // the rule in front takes everything, or might
		w.open("map", "", g.variable)
	} else {
		var key strings.Builder
		for _, t := range g.tests {
			key.WriteString(t.variable())
		}
		w.open("map", key.String(), g.variable)
	}
	w.stmt("default", after)
	if to, ok := g.unanswered(); ok {
		w.stmt("~2", to.name())
	}
	for _, c := range g.choices {
		w.owner = routeRef(c.to.route)
		w.stmt("~^"+g.pattern(c.tests), c.to.name())
	}
	w.close()
}

// unanswered is where a request goes for which an expression gave up.
func (g *group) unanswered() (to jump, ok bool) {
	for _, c := range g.choices {
		if slices.ContainsFunc(c.tests, func(t test) bool { return t.query }) {
			to = c.to
			to.closed = true
			return to, true
		}
	}
	return to, false
}

// pattern is the expression for keys in which all of the tests are met.
func (g *group) pattern(tests []test) string {
	var b strings.Builder
	end := 0
	for i, t := range g.tests {
		if slices.Contains(tests, t) {
			b.WriteByte('1')
			end = i + 1
		} else {
			b.WriteByte('.')
		}
	}
	return b.String()[:end]
}

// shortHashVariable is as short as shortVariable, for what belongs to no single route.
func shortHashVariable(kind byte, of ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", of))
	return "$sl" + string(kind) + "_" + strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
}
