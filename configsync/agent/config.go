package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config of an agent. Server, Fleet and TreeDir have to be set.
type Config struct {
	// Server is the base URL of the control plane's listener for agents, such as
	// "https://control:9443".
	Server string
	// EnrolToken, or the file that holds it, is traded for a certificate once. It is not looked at
	// while the node has a good certificate.
	EnrolToken     string
	EnrolTokenFile string
	// StateDir holds the node's key and certificate; nobody else may read it. Default: TreeDir
	// with "-agent" at the end.
	StateDir string
	// Fleet that the node belongs to.
	Fleet string
	// Node is the node's name. Default: the host name.
	Node string

	// NginxBinary. Default: that of the nginx that runs, nginx in PATH, or /usr/sbin/nginx.
	NginxBinary string
	// NginxConf is the main configuration file. Default: the one that nginx runs with, or the
	// one compiled in. Set it where several nginx run.
	NginxConf string
	// NginxPrefix is what nginx is started with as -p. Default: what it runs with, or the one
	// compiled in.
	NginxPrefix string
	// TreeDir is the agent's own folder; see the package documentation. Absolute, and short
	// enough for a socket in it (about 90 bytes).
	TreeDir string
	// Listen are the values of "listen" for every rendered server. Default: "80".
	Listen []string
	// ListenTLS are the same for TLS, such as "443". Default: no TLS.
	ListenTLS []string
	// DigestListen is where nginx answers its digest: "unix:PATH" or "ADDRESS:PORT".
	// Default: unix:TREEDIR/sluice.sock.
	DigestListen string

	// Outcomes is how nginx tells how exchanges with endpoints ended: OutcomesSocket, which is
	// the default, OutcomesFile or OutcomesOff.
	Outcomes string

	// Sweep is the time between full looks at the node, in case a file event was missed.
	// Default 30s.
	Sweep time.Duration
	// Coalesce is how long changes are collected after one was applied, but for no longer than
	// the fleet's reload budget. Default 2s. After a reload that budget counts alone.
	Coalesce time.Duration
	// VerifyTimeout bounds the wait for a new worker after a reload. Default 15s; raise it
	// where nginx takes long to start workers.
	VerifyTimeout time.Duration
	// RetryAfter is the wait before a failed bundle is tried again; it doubles up to ten
	// times this. Default 30s.
	RetryAfter time.Duration

	// Version is reported to the control plane.
	Version string
	Log     *slog.Logger
	// Now is the node's clock. Default: time.Now.
	Now func() time.Time

	// identity is made by Run.
	identity *identity
	// at is called at each point of applying, by tests that kill the agent there.
	at func(point)
	// liveTimeout is how long nginx's socket for endpoint sets may be silent before the node
	// is static. Default 10s.
	liveTimeout time.Duration
}

// complete fills in defaults and checks what can't be guessed.
func (c Config) complete() (Config, error) {
	if u, err := url.Parse(c.Server); err != nil || u.Host == "" || u.Scheme != "https" {
		return c, fmt.Errorf("server %q is not where agents are served: write https://HOST:PORT with the port of agents.address in the control plane's sluice.yaml, such as 9443. The port of the admin API, which SLUICE_SERVER means to other commands, is another one", c.Server)
	}
	c.Server = strings.TrimRight(c.Server, "/")
	if c.Fleet == "" {
		return c, errors.New("fleet is not set: name the fleet that this node belongs to")
	}
	if !filepath.IsAbs(c.TreeDir) {
		return c, fmt.Errorf("tree folder %q: write an absolute path, such as /var/lib/sluice/nginx", c.TreeDir)
	}
	c.TreeDir = filepath.Clean(c.TreeDir)
	c.StateDir = cmp.Or(c.StateDir, c.TreeDir+"-agent")
	if !filepath.IsAbs(c.StateDir) {
		return c, fmt.Errorf("state folder %q: write an absolute path, such as /var/lib/sluice-agent", c.StateDir)
	}
	if c.Node == "" {
		name, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("find the node's name: %w", err)
		}
		c.Node = name
	}
	switch c.Outcomes = cmp.Or(c.Outcomes, OutcomesSocket); c.Outcomes {
	case OutcomesSocket, OutcomesFile, OutcomesOff:
	default:
		return c, fmt.Errorf("outcomes %q: write socket, file or off", c.Outcomes)
	}
	setDefault(&c.Sweep, 30*time.Second)
	setDefault(&c.Coalesce, 2*time.Second)
	setDefault(&c.VerifyTimeout, 15*time.Second)
	setDefault(&c.RetryAfter, 30*time.Second)
	setDefault(&c.liveTimeout, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = c.Log.With("node", c.Node)
	c.identity = newIdentity(c)
	return c, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Snippet is what nginx.conf needs inside its http block for include mode, with the reasons
// as comments.
func Snippet(treeDir string) string {
	return `# Sluice: the agent renders this tree and flips "current" when it changes.
# Every host that nobody claims is answered 404 by the rendered default server, so no other
# server may say "default_server" for the same address (Debian: sites-enabled/default does).
include ` + filepath.Join(treeDir, "current", "*", "*.conf") + `;
`
}
