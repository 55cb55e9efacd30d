package nginximport

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// sending is a server that does nothing but send its clients to https.
type sending struct {
	at     *statement
	status int
}

// toHTTPS reads the return of a server that sends every request to the same address by https.
// The routes of its hosts are those of the server that speaks TLS: they get the filter.
func (m *importer) toHTTPS(s *statement, listens []*statement, hosts []string) bool {
	status, err := strconv.Atoi(s.arg(0))
	if err != nil || !slices.Contains(gateway.RedirectStatuses, status) || slices.ContainsFunc(listens, speaksTLS) {
		return false
	}
	same := []string{"https://$host$request_uri"}
	if len(hosts) == 1 && hosts[0] != "*" {
		same = append(same, "https://$server_name$request_uri", "https://"+hosts[0]+"$request_uri")
	}
	if !slices.Contains(same, s.arg(1)) {
		return false
	}
	say(s)
	for _, h := range hosts {
		if _, ok := m.sent[h]; !ok {
			m.sent[h] = sending{s, status}
			m.sentOrder = append(m.sentOrder, h)
		}
	}
	return true
}

func speaksTLS(listen *statement) bool { return slices.Contains(listen.Args(), "ssl") }

// secure gives the routes of such hosts the redirect filter, which leaves alone who comes by
// https. A host without routes gets one that does nothing else.
func (m *importer) secure() {
	served := map[string]bool{}
	for _, d := range m.drafts {
		var to sending
		n := 0
		for _, h := range d.hosts {
			served[h] = true
			if s, ok := m.sent[h]; ok && (n == 0 || s.status == to.status) {
				to, n = s, n+1
			}
		}
		switch {
		case n == 0:
		case n < len(d.hosts) || !d.tls:
			m.note(Differs, to.at, fmt.Sprintf("requests for %s on host %s are served without TLS, too, as by another server of nginx", d.path, leading(d.hosts)), "Add the filter redirect: {scheme: https} to the route if nobody is to be served so")
		default:
			d.spec.Filters = append([]gateway.Filter{redirectTo(to.status)}, d.spec.Filters...)
		}
	}
	for _, h := range m.sentOrder {
		if s := m.sent[h]; !served[h] {
			m.drafts = append(m.drafts, &draft{at: s.at, hosts: []string{h}, path: gateway.PathMatch{Prefix: "/"},
				spec: gateway.RouteSpec{Filters: []gateway.Filter{redirectTo(s.status)}}})
		}
	}
}

func redirectTo(status int) gateway.Filter {
	return gateway.Filter{Redirect: &gateway.Redirect{Scheme: "https", Status: status}}
}
