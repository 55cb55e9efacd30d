package nginximport

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// answer reads a return of a location, or of a server as a whole.
func (m *importer) answer(d *draft, s *statement, sc scope, whole bool) {
	r, plain := m.fixed(s, sc)
	if r == nil {
		do := "Write the Respond filter for each path, or an Override of a route with this line"
		if status, err := strconv.Atoi(s.arg(0)); err != nil || slices.Contains(gateway.RedirectStatuses, status) {
			do = "Write a redirect filter, which keeps the path and the query of a request, or an Override of a route with this line"
		}
		m.refuse(s, "fixed answers have no variables, and a status from 200 to 599", do)
		d.closed = true
		d.spec = gateway.RouteSpec{Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 503}}}}
		d.nothing = whole // the server of the same name that speaks TLS has the routes, most often
		if !d.nothing {
			m.note(Differs, d.at, "its answer can't be said, so it answers 503", "Write the route by hand")
		}
		return
	}
	say(s)
	// Sluice says 404 by itself where no route is, so a last resort that does need not be one.
	if plain && r.Status == 404 && len(d.spec.Filters) == 0 && (whole || d.path.Prefix == "/") {
		d.nothing = true
	}
	if !whole {
		m.answerSettings(r, sc)
	}
	d.spec.Filters = append(d.spec.Filters, gateway.Filter{Respond: r})
}

// fixed is the answer of a return without its headers. plain says that it has a status only.
func (m *importer) fixed(s *statement, sc scope) (r *gateway.Respond, plain bool) {
	args := s.Args()
	if len(args) == 0 {
		return nil, false
	}
	status, err := strconv.Atoi(args[0])
	text := s.arg(1)
	switch {
	case err != nil && len(args) == 1:
		status, text = 302, args[0]
	case err != nil || status < 200 || status > 599 || status == 444 || status == 499 && text == "":
		return nil, false
	}
	if text == "$sluice_nothing" {
		return &gateway.Respond{Status: status}, false
	}
	redirect := slices.Contains([]int{301, 302, 303, 307, 308}, status)
	switch {
	case strings.ContainsRune(text, '$'), redirect && text == "", len(text) > gateway.MaxRespondBody:
		return nil, false
	case redirect:
		return &gateway.Respond{Status: status, Headers: map[string]string{"location": text}}, false
	case status == 204 || status == 304:
		return &gateway.Respond{Status: status}, false
	case text == "":
		return &gateway.Respond{Status: status}, true
	}
	r = &gateway.Respond{Status: status, Body: text}
	if t := sc.one("default_type"); t != nil {
		say(t)
		if v := t.arg(0); v != "text/plain; charset=utf-8" && v != "text/plain" {
			r.Headers = map[string]string{"content-type": v}
		}
	}
	return r, false
}

// answerSettings reads the headers of a fixed answer, and what needs no words beside one.
func (m *importer) answerSettings(r *gateway.Respond, sc scope) {
	for _, s := range sc.inner() {
		switch s.Name() {
		case "types":
			if len(s.kids) == 0 {
				say(s)
			}
		case "client_max_body_size", "absolute_redirect", "default_type":
			say(s)
		}
	}
	for _, s := range sc.all("add_header") {
		always := s.arg(2) == "always" || r.Status < 400
		if !always || strings.ContainsRune(s.arg(1), '$') || s.own {
			continue // leftovers tells
		}
		say(s)
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		r.Headers[strings.ToLower(s.arg(0))] = s.arg(1)
	}
}

// rewritten reads a location that only sends clients somewhere else by rewrite.
func (m *importer) rewritten(d *draft, block []*statement) bool {
	list := named(block, "rewrite")
	if len(list) != 1 || named(block, "proxy_pass", "grpc_pass") != nil {
		return false
	}
	s := list[0]
	status := map[string]int{"permanent": 301, "redirect": 302}[s.arg(2)]
	if status == 0 || s.arg(0) != "^" && s.arg(0) != "^.*$" && s.arg(0) != ".*" || strings.ContainsAny(s.arg(1), "$") {
		return false
	}
	to, cut := strings.CutSuffix(s.arg(1), "?")
	say(s)
	if !cut {
		m.differs(s, "nginx adds the query of the request to the address, and a fixed answer does not", "")
	}
	d.spec.Filters = append(d.spec.Filters, gateway.Filter{Respond: &gateway.Respond{Status: status, Headers: map[string]string{"location": to}}})
	return true
}
