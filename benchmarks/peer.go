package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// peer is one program under test, or an origin.
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
	// versionLine begins the line that holds it. Empty: the first line.
	versionLine string
	// logsToOutput: it writes its access log where its messages go.
	logsToOutput bool

	// setEndpoints makes s.Upstreams[0].Endpoints the endpoints of the first upstream, and
	// moveHost sends the first host to s.Hosts[0].Upstream, in the way that is best for this
	// peer. They return when the peer has taken the change, or knows of it.
	setEndpoints, moveHost func(ctx context.Context, c *contender) error
}

// reference is the peer that others are compared with; it is the first of the table.
const reference = "nginx"

// peers take turns in this order in odd rounds, and in the opposite order in even ones. Most goals
// compare Sluice with the reference, so that no time passes between these two.
var peers = []peer{nginx, sluice, haproxy, caddy}

// longestWord is about what nginx takes as one word of its configuration.
const longestWord = 2048

// templates are the peer's files in the repository, for the report.
func (p peer) templates() []string {
	var all []string
	for _, from := range p.files {
		all = append(all, "benchmarks/peers/"+from)
	}
	return all
}

// prepare makes the peer's site, and a folder of its own under dir.
func (p peer) prepare(dir string, set setting, origins []string) (site, error) {
	s := site{setting: set, Dir: filepath.Join(dir, p.name)}
	for _, address := range []*string{&s.Listen, &s.Secured, &s.Admin, &s.Ops} {
		port, err := freeport.Take()
		if err != nil {
			return s, err
		}
		*address = fmt.Sprintf("127.0.0.1:%d", port)
	}
	s.LogFile = filepath.Join(s.Dir, "access.log")
	if p.logsToOutput {
		s.LogFile = s.output()
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return s, err
	}
	if set.Secure {
		if err := s.writeCertificate(); err != nil {
			return s, err
		}
	}
	if s.Body = strings.Repeat("x", set.Body); len(s.Body) > longestWord {
		s.Body = ""
	}
	if len(origins) > 0 {
		s.fill(origins)
	}
	return s, p.writeFiles(s)
}

// writeFiles fills in the peer's templates.
func (p peer) writeFiles(s site) error {
	for file, from := range p.files {
		if err := s.render(file, from); err != nil {
			return fmt.Errorf("write %s for %s: %w", file, p.name, err)
		}
	}
	return nil
}

// printVersion runs the program for its version.
func (p peer) printVersion(ctx context.Context, t tools) (string, error) {
	out, err := exec.CommandContext(ctx, p.program(t), p.version...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w: %s", p.name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, p.versionLine); ok {
			text, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "nginx version: "), " - http")
			return strings.Join(strings.Fields(text), " "), nil
		}
	}
	return "", fmt.Errorf("%s prints no version: %s", p.name, out)
}
