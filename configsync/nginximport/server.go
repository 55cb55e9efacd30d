package nginximport

import (
	"net"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// server reads a server block.
func (m *importer) server(s *statement) {
	listens := named(s.kids, "listen")
	if len(listens) > 0 && !slices.ContainsFunc(listens, func(l *statement) bool { return !strings.HasPrefix(l.arg(0), "unix:") }) {
		m.refuse(s, "it listens on a socket of this machine only, so no client of a fleet asks it", "Keep it in nginx.conf")
		return
	}
	say(s)
	hosts := m.serverHosts(s)
	m.listen(s, listens, hosts)
	m.certificates(s, hosts)
	for _, h := range named(s.kids, "proxy_set_header", "grpc_set_header") {
		if sends(h) {
			say(h) // also where each location has headers of its own
		}
	}
	for _, set := range named(s.kids, "set") {
		if ownVariable(set.arg(0)) {
			say(set)
		}
	}
	if len(hosts) == 0 {
		m.refuse(s, "no name of it can be a host of a tenant", "Name its hosts, or write its routes by hand")
		return
	}
	sc := m.scope.in(s.kids)
	if answer := named(s.kids, "return"); answer != nil {
		d := &draft{at: answer[0], hosts: hosts}
		if d.nothing = m.toHTTPS(answer[0], listens, hosts); !d.nothing {
			m.answer(d, answer[0], sc, true)
		}
		for _, l := range named(s.kids, "location") {
			m.differs(l, "the return of its server answers before", "")
			sayAll(l)
		}
		m.take([]*draft{d})
		return
	}
	drafts := m.locations(s, sc, hosts)
	for _, d := range drafts {
		d.tls = len(listens) > 0 && !slices.ContainsFunc(listens, func(l *statement) bool { return !speaksTLS(l) })
	}
	m.take(m.paired(drafts))
}

// serverHosts are the names of a server as hosts of a tenant.
func (m *importer) serverHosts(s *statement) (hosts []string) {
	names := named(s.kids, "server_name")
	for _, n := range names {
		say(n)
		for _, name := range n.Args() {
			switch host, err := gateway.NormalHost(strings.TrimPrefix(name, ".")); {
			case name == "_" || name == "":
				hosts = append(hosts, "*")
			case strings.HasPrefix(name, "~"), strings.ContainsRune(name, '$'):
				m.note(Differs, n, printable(name)+" is left out: it is a pattern, and hosts are names and wildcards", "Name the hosts in routes by hand")
			case err != nil || host == "*":
				m.note(Differs, n, printable(name)+" is left out: it can't be a host of a tenant", "Name the hosts in routes by hand")
			case strings.HasPrefix(name, "."):
				hosts = append(hosts, host, "*."+host)
			default:
				hosts = append(hosts, host)
			}
		}
	}
	if names == nil {
		hosts = []string{"*"}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	for _, h := range hosts {
		if h != "*" {
			m.hosts[h] = true // also without a route: a wildcard beside it must not take its requests
		}
	}
	return hosts
}

// listen reads where a server takes connections: nodes listen where their agents say, so only
// the differences are told.
func (m *importer) listen(s *statement, listens []*statement, hosts []string) {
	for _, l := range listens {
		say(l)
		port := l.arg(0)
		if _, p, err := net.SplitHostPort(port); err == nil {
			port = p
		}
		words := l.Args()
		usual := port == "80" || port == "443" || strings.Trim(port, "0123456789") != ""
		if !usual {
			m.differs(l, "every rendered server listens where the agent says", "Give sluice agent --listen or --listen-tls this address")
		}
		for _, w := range []string{"proxy_protocol", "quic"} {
			if slices.Contains(words, w) {
				m.note(Differs, l, w+" is not what rendered servers speak", "Keep the server in nginx.conf, or take the word out")
			}
		}
		first := !m.listening[l.arg(0)]
		m.listening[l.arg(0)] = true
		explicit := slices.Contains(words, "default_server") || slices.Contains(words, "default")
		if (explicit || first && !m.hasDefault(l.arg(0))) && !slices.Contains(hosts, "*") {
			m.differs(l, "it also answers for hosts that no server names, and Sluice answers those 404", "Add \"*\" to the hosts of the tenant and of its routes if that is wanted")
		}
	}
	say(named(s.kids, "http2")...)
	for _, l := range named(s.kids, "large_client_header_buffers") {
		if strings.Join(l.Args(), " ") == "1 64k" {
			say(l) // what rendered servers say
		}
	}
	if listens == nil {
		m.listening["80"] = true
	}
}

// hasDefault says whether some server is the default one of an address by its own words.
func (m *importer) hasDefault(address string) bool {
	for _, s := range named(m.http, "server") {
		for _, l := range named(s.kids, "listen") {
			if l.arg(0) == address && (slices.Contains(l.Args(), "default_server") || slices.Contains(l.Args(), "default")) {
				return true
			}
		}
	}
	return false
}

// certificates tells which ones the hosts need. Each file is told once.
func (m *importer) certificates(s *statement, hosts []string) {
	for _, c := range named(s.kids, "ssl_certificate", "ssl_certificate_key") {
		if m.certs[c.arg(0)] {
			say(c)
			continue
		}
		m.certs[c.arg(0)] = true
		m.refuse(c, "certificates and their keys are never read", "Write a Certificate for "+strings.Join(hosts, ", ")+" with the contents of the certificate and of its key; see docs/tls.md")
	}
}

// ownVariable is one that Sluice's renderer sets for its own log.
func ownVariable(name string) bool {
	return slices.Contains([]string{"$sluice_tenant", "$sluice_route", "$sluice_upstream", "$sluice_nothing"}, name)
}
