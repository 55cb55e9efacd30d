package nginximport

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// draft is a route in the making: one location of one server.
type draft struct {
	at        *statement
	hosts     []string
	path      gateway.PathMatch
	spec      gateway.RouteSpec // without hosts and match
	name      string            // that Sluice's renderer has given it
	tls       bool              // its server speaks nothing else
	nothing   bool              // what Sluice does anyway
	closed    bool              // it answers 503 until somebody settles it
	overrides []string          // nginx text
}

// locations reads the locations in a block, those inside of them too.
func (m *importer) locations(block *statement, sc scope, hosts []string) (out []*draft) {
	for _, l := range named(block.kids, "location") {
		args := l.Args()
		if len(args) == 0 || l.Block == nil {
			continue // leftovers tells
		}
		modifier, path := "", args[len(args)-1]
		if len(args) > 1 {
			modifier = args[0]
		}
		exact := modifier == "="
		switch {
		case strings.HasPrefix(path, "@"):
			m.refuse(l, "nothing in Sluice leads to a named location", "Write what it does where it is wanted")
			continue
		case modifier != "" && !exact && modifier != "^~" || len(args) == 1 && strings.HasPrefix(path, "~"):
			why, do := reason(l, inServer)
			m.opens(l, sc)
			m.refuse(l, why, do)
			continue
		case strings.ContainsAny(path, "?#%;\\\"{}$ \t\n") || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || !asciiOnly(path):
			m.opens(l, sc)
			m.refuse(l, "the path has characters that paths of routes can't have", "Write the route by hand, if any client asks for it")
			continue
		}
		say(l)
		d := &draft{at: l, hosts: hosts, path: gateway.PathMatch{Prefix: path}}
		if exact {
			d.path = gateway.PathMatch{Exact: path}
		}
		inside := sc.in(l.kids)
		m.location(d, inside)
		out = append(out, d)
		out = append(out, m.locations(l, inside, hosts)...)
	}
	return out
}

// opens warns of a location that refuses somebody and can't become a route: its requests go to
// the other routes, which let them in.
func (m *importer) opens(l *statement, sc scope) {
	trial := &importer{options: m.options, variables: m.variables} // whose notes and marks are of no use
	blind := scope{}
	for _, block := range sc.in(l.kids) {
		copies := make([]*statement, len(block))
		for i, s := range block {
			one := *s
			copies[i] = &one
		}
		blind = append(blind, copies)
	}
	d := &draft{at: &statement{Directive: l.Directive, file: l.file}}
	outside := &draft{at: d.at}
	inner, outer := trial.guards(d, blind), trial.guards(outside, append(blind[:len(blind)-1:len(blind)-1], nil))
	answers := slices.ContainsFunc(named(l.kids, "return"), func(s *statement) bool { return strings.HasPrefix(s.arg(0), "4") })
	if answers || named(l.kids, "internal") != nil || inner != nil && outer == nil || !reflect.DeepEqual(d.spec.Filters, outside.spec.Filters) {
		m.note(Opens, l, "it refuses requests for paths that routes can't name, and the other routes would answer them", "Let the endpoints refuse them, or close the paths by a Route, before the objects are applied")
	}
}

func asciiOnly(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// location reads what a location does.
func (m *importer) location(d *draft, sc scope) {
	block := sc.inner()
	for _, s := range named(block, "set") {
		if ownVariable(s.arg(0)) {
			say(s)
			if s.arg(0) == "$sluice_route" {
				d.name = s.arg(1)
			}
		}
	}
	guard := m.guards(d, sc)
	pass, answer := named(block, "proxy_pass", "grpc_pass"), named(block, "return")
	switch {
	case guard != nil:
		m.close(d, guard)
	case named(block, "internal") != nil:
		say(named(block, "internal")...)
		d.spec.Filters = append(d.spec.Filters, gateway.Filter{Respond: &gateway.Respond{Status: 404}})
		m.leaveAlone(block, "nobody outside can ask for an internal location, so it answers 404")
	case answer != nil:
		m.answer(d, answer[0], sc, false)
	case m.rewritten(d, block):
	case refusesAll(d.spec.Filters):
		d.spec.Filters = []gateway.Filter{{Respond: &gateway.Respond{Status: 403}}}
	case len(pass) > 0:
		m.pass(d, pass[0], sc)
	default:
		m.close(d, nil)
	}
	if !d.closed && d.answers() == nil {
		m.bodySize(d, sc)
		m.headers(d, sc)
		m.override(d, sc)
	}
}

// answers is the fixed answer of the route, or nil.
func (d *draft) answers() *gateway.Respond {
	for _, f := range d.spec.Filters {
		if f.Respond != nil {
			return f.Respond
		}
	}
	return nil
}

// close makes a route that answers 503, so that what the location took does not fall to a
// broader one. "/" has none.
func (m *importer) close(d *draft, why *statement) {
	d.closed = true
	d.spec = gateway.RouteSpec{Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 503}}}}
	if why != nil {
		if !why.said {
			m.refuse(why, closedWhy, closedDo)
		}
		m.note(Differs, d.at, "it answers 503 until somebody has settled it", closedDo)
		m.leaveAlone(d.at.kids, "the location is closed")
		return
	}
	if d.path.Prefix == "/" {
		d.nothing = true
		d.at.said = false // as a whole, with all that stands in it
		m.refuse(d.at, filesWhy+", so the hosts answer 404 where no other route does", filesDo)
		return
	}
	m.note(Differs, d.at, filesWhy+", so it answers 503 instead of falling to a broader route", filesDo)
}

// leaveAlone marks what has no meaning any more, but for what can't be translated anyway.
func (m *importer) leaveAlone(block []*statement, why string) {
	for _, s := range block {
		if !s.said && s.Name() != "location" {
			m.refuse(s, why, "")
		}
	}
}

// guarding are directives that may refuse a request, or ask who makes it.
var guarding = []string{"auth_basic", "auth_request", "auth_jwt", "satisfy", "limit_except", "valid_referers", "secure_link", "access_by_lua_block", "access_by_lua_file",
	"access_by_lua", "rewrite_by_lua_block", "rewrite_by_lua_file", "auth_digest", "auth_pam", "auth_gss"}

// guards reads who is let in, and returns what can't be said of it.
func (m *importer) guards(d *draft, sc scope) *statement {
	answers := named(sc.inner(), "return") != nil // before nginx asks who it is
	for _, name := range guarding {
		if answers {
			break
		}
		if s := sc.one(name); s != nil && s.arg(0) != "off" && (name != "satisfy" || s.arg(0) != "all") {
			return s
		} else if s != nil {
			say(s)
		}
	}
	if s := sc.one("ssl_verify_client"); s != nil && !answers && s.arg(0) != "off" && s.arg(0) != "optional_no_ca" {
		return s
	}
	for _, block := range sc[1:] {
		for _, s := range named(block, "if") {
			switch access := m.geoAccess(s); {
			case access != nil:
				sayAll(s)
				d.spec.Filters = append(d.spec.Filters, gateway.Filter{IPAccess: access})
			case m.emptyShare(s):
				sayAll(s)
			case refuses(s):
				return s
			}
		}
	}
	if len(d.spec.Filters) > 1 {
		return d.at // two lists of addresses: both would have to hold
	}
	if answers {
		for _, s := range named(sc.inner(), "allow", "deny") {
			m.differs(s, "it has no effect: nginx answers by return before it looks at addresses", "")
		}
		return nil
	}
	return m.access(d, sc)
}

// refuses says whether a condition leads to an answer that is no success and no redirect.
func refuses(s *statement) bool {
	return slices.ContainsFunc(s.kids, func(k *statement) bool {
		return k.Name() == "return" && (strings.HasPrefix(k.arg(0), "4") || strings.HasPrefix(k.arg(0), "5")) || k.Name() == "deny" || k.Name() == "if"
	})
}

// bodySize reads how large request bodies may be.
func (m *importer) bodySize(d *draft, sc scope) {
	s := sc.one("client_max_body_size")
	if s == nil {
		return
	}
	var size gateway.Size
	if err := size.UnmarshalText([]byte(s.arg(0))); err != nil {
		return
	}
	if size == 0 {
		size = 1 << 40 // routes always have a bound: one that nobody meets
	}
	say(s)
	if size != gateway.DefaultMaxBodySize {
		d.spec.MaxBodySize = size
	}
}
