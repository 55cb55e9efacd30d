package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed peers
var peerFiles embed.FS

// setting is what every peer is set up for in a scenario.
type setting struct {
	Secure    bool   // a listener with TLS, beside the plain one
	Log       bool   // an access log in a file
	Streaming bool   // upgrades to WebSocket
	Protocol  string // spoken with the origin: "http" or "h2c"
	Hosts     int    // how many; each has an upstream of its own
	Body      int    // bytes of the origin's answer
	// Spare and Other make a second origin known: as an endpoint that can be added to the
	// first upstream, and as an upstream that the first host can be moved to.
	Spare, Other bool
}

// site is what a peer's files are filled in with.
type site struct {
	setting
	Dir             string // for its files
	Listen, Secured string // where clients come
	Admin, Ops      string // for Sluice's and Caddy's API; Ops also for the origin's count
	LogFile         string
	CertFile        string
	KeyFile         string
	Body            string // of the origin's answer; empty: in the file body.txt
	Spare           string // address of the second origin, or empty
	Upstreams       []upstreamSite
	Hosts           []hostSite
	Keepalive       int // connections that nginx keeps for each upstream
}

type upstreamSite struct {
	Name      string
	Endpoints []string
}

type hostSite struct{ Name, Route, Upstream string }

// host is the name under which every peer serves the work; others are there to be many.
const host = "bench.example.com"

// manyHosts is from where memory decides how many connections are kept for each upstream.
const manyHosts = 100

// fill makes hosts and upstreams, with origins[0] behind each.
func (s *site) fill(origins []string) {
	s.Keepalive = 256
	if s.setting.Hosts >= manyHosts {
		s.Keepalive = 16
	}
	for i := range max(1, s.setting.Hosts) {
		h := hostSite{Name: host, Route: fmt.Sprintf("r%d", i), Upstream: fmt.Sprintf("u%d", i)}
		if i > 0 {
			h.Name = fmt.Sprintf("h%d.hosts.example.com", i)
		}
		s.Hosts = append(s.Hosts, h)
		s.Upstreams = append(s.Upstreams, upstreamSite{h.Upstream, origins[:1]})
	}
	if s.setting.Spare {
		s.Spare = origins[1]
	}
	if s.Other {
		s.Upstreams = append(s.Upstreams, upstreamSite{"other", origins[1:2]})
	}
}

// EndpointsOf is for peers that have endpoints where others name an upstream.
func (s site) EndpointsOf(upstream string) []string {
	for _, u := range s.Upstreams {
		if u.Name == upstream {
			return u.Endpoints
		}
	}
	return nil
}

// address is where clients of the scenario connect to.
func (s site) address() string {
	if s.Secure {
		return s.Secured
	}
	return s.Listen
}

// url is where clients of the scenario send requests to.
func (s site) url() string {
	if s.Secure {
		return "https://" + s.Secured + "/"
	}
	return "http://" + s.Listen + "/"
}

// output is where a program's messages go.
func (s site) output() string { return filepath.Join(s.Dir, "output") }

// render fills in one template of peers/.
func (s site) render(file, from string) error {
	t, err := template.ParseFS(peerFiles, "peers/"+from)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, s); err != nil {
		return err
	}
	name := filepath.Join(s.Dir, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text.String()), 0o644)
}
