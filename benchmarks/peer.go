package main

import (
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed peers
var peerFiles embed.FS

// site is what a peer's configuration is filled in with.
type site struct {
	Dir        string // for its files
	Listen     string // where clients come
	Origin     string // where it forwards to
	Admin, Ops string // Sluice's other listeners
	Host       string
	Body       string // the origin's answer
}

// peer is one program under test, or the origin.
type peer struct {
	name string
	// files maps names in site.Dir to templates in peers/.
	files   map[string]string
	program func(tools) string
	args    func(site) []string
	env     []string
	// ready is a URL that answers 200 once the peer can be asked for the work itself. Empty:
	// the work is asked for at once.
	ready   func(site) string
	version []string // arguments that make the program print its version
}

// reference is the peer that others are compared with; it is the first of the table.
const reference = "nginx"

// peers take turns in this order in odd rounds, and in the opposite order in even ones.
var peers = []peer{
	nginxPeer(reference, "nginx.conf"),
	{
		name:    "sluice",
		files:   map[string]string{"sluice.yaml": "sluice.yaml", "objects.yaml": "sluice-objects.yaml"},
		program: func(t tools) string { return t.sluice },
		args:    func(s site) []string { return []string{"serve", "--config", filepath.Join(s.Dir, "sluice.yaml")} },
		env:     []string{"GOMAXPROCS=1"},
		ready:   func(s site) string { return "http://" + s.Ops + "/readyz" },
		version: []string{"version"},
	},
}

// origin answers behind every peer.
var origin = nginxPeer("origin", "origin.conf")

func nginxPeer(name, conf string) peer {
	return peer{
		name:    name,
		files:   map[string]string{"nginx.conf": conf},
		program: func(t tools) string { return t.nginx },
		args: func(s site) []string {
			return []string{"-e", "stderr", "-p", s.Dir, "-c", filepath.Join(s.Dir, "nginx.conf")}
		},
		version: []string{"-v"},
	}
}

// prepare writes the peer's files into a folder of its own under dir.
func (p peer) prepare(dir, originAddress string, sc scenario) (site, error) {
	s := site{Dir: filepath.Join(dir, p.name), Origin: originAddress, Host: host, Body: strings.Repeat("x", sc.BodySize)}
	for _, address := range []*string{&s.Listen, &s.Admin, &s.Ops} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return s, err
		}
	}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return s, err
	}
	for file, from := range p.files {
		if err := s.render(file, from); err != nil {
			return s, fmt.Errorf("write %s for %s: %w", file, p.name, err)
		}
	}
	return s, nil
}

// render fills in one template.
func (s site) render(file, from string) error {
	t, err := template.ParseFS(peerFiles, "peers/"+from)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, s); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, file), []byte(text.String()), 0o644)
}

// printVersion runs the program for its version, and gives the first line.
func (p peer) printVersion(ctx context.Context, t tools) (string, error) {
	out, err := exec.CommandContext(ctx, p.program(t), p.version...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w: %s", p.name, err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(strings.TrimSpace(line), "nginx version: "), nil
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
