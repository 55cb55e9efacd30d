package proxy

import (
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/match"
)

// rule is a compiled rule of a host.
type rule struct {
	route  *route
	needs  *conditions // nil: nothing besides the path
	next   *rule       // is tried when these are not met; nil: no rule takes the request
	prefix []byte      // what a rewrite replaces, in match form; an exact path is its own
}

func newRule(from *gateway.Rule, rt *route) *rule {
	path := from.Path.Exact
	if path == "" {
		path = from.Path.Prefix
	}
	return &rule{route: rt, needs: newConditions(&from.Conditions), prefix: match.PrefixForm(path)}
}

// fitting is the first rule from r on whose conditions the request meets, or nil.
func (r *rule) fitting(x *exchange) *rule {
	for r != nil && r.needs != nil && !r.needs.met(x) {
		r = r.next
	}
	return r
}

// replacement is what stands in the place of a path, or of its prefix.
type replacement struct {
	whole  bool
	path   []byte // the whole one, or a prefix without a slash at its end
	active bool
}

func newReplacement(path, prefix string) replacement {
	switch {
	case path != "":
		return replacement{active: true, whole: true, path: []byte(path)}
	case prefix == "/":
		return replacement{active: true}
	}
	return replacement{active: prefix != "", path: []byte(prefix)}
}

// appendPath appends the path that r makes of the request's.
func (x *exchange) appendPath(dst []byte, r *replacement) []byte {
	switch {
	case !r.active:
		return append(dst, x.forward...)
	case r.whole:
		return append(dst, r.path...)
	}
	rest := match.After(x.forward, x.rule.prefix)
	dst = append(dst, r.path...)
	if len(r.path) == 0 && (len(rest) == 0 || rest[0] != '/') {
		dst = append(dst, '/')
	}
	return append(dst, rest...)
}
