package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// ErrNoNginx is a machine without nginx: nothing can be checked on it.
var ErrNoNginx = errors.New("no nginx binary")

// The limits of one check, where [Config] names no others.
const (
	DefaultTimeout = 30 * time.Second
	DefaultCPU     = 10 * time.Second
	DefaultMemory  = 2 << 30
)

// cpuPerFile is what each file of a tree adds to the processor time of a check; by the clock
// it is three times that. nginx compares every upstream and zone with all others: 10,000
// tenants with an upstream and a zone each, 20,000 files, take it 8 seconds.
const cpuPerFile = 2 * time.Millisecond

// maxOutput bounds what is kept of nginx's words, in bytes.
const maxOutput = 64 << 10

// Config of a [Sandbox]. Every field may be left out.
type Config struct {
	// Nginx is the binary: a path, or a name to look for in PATH and the sbin folders.
	// Default: "nginx".
	Nginx string
	// Modules is the pattern of the files whose load_module lines are taken over. Default: the
	// folder modules-enabled beside nginx's own configuration file, as Debian has it.
	Modules string
	// Timeout bounds a check by the wall clock. Raise it on a machine that is often
	// overloaded. Each file of a tree adds a little. Default: DefaultTimeout.
	Timeout time.Duration
	// CPU bounds the processor time of a check, in whole seconds. Each file of a tree adds 2 ms.
	// Default: DefaultCPU.
	CPU time.Duration
	// Memory bounds the address space of a check, in bytes. Each shared zone of a tree counts.
	// Default: DefaultMemory.
	Memory uint64
	// Files bounds the open files of a check. Default: 1024.
	Files uint64
	// FileSize bounds each file that a check writes, in bytes. Default: 16 MiB.
	FileSize uint64
	// Processes bounds the processes and threads of the user that checks run as. Default: 1,
	// since nginx -t needs no other.
	Processes uint64
	// Levels are tried in this order. Default: all, the strictest first.
	Levels []Level
	Log    *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Nginx == "" {
		c.Nginx = "nginx"
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.CPU <= 0 {
		c.CPU = DefaultCPU
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.Files == 0 {
		c.Files = 1024
	}
	if c.FileSize == 0 {
		c.FileSize = 16 << 20
	}
	if c.Processes == 0 {
		c.Processes = 1
	}
	if c.Levels == nil {
		c.Levels = allLevels
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// parallel is how many checks run at once: each may take Config.Memory.
const parallel = 2

// Sandbox checks trees. Its methods may be called by several goroutines.
//
// mu guards what is below it.
type Sandbox struct {
	cfg  Config
	slot chan struct{}

	mu     sync.Mutex
	ready  bool  // the fields below are settled
	err    error // why not
	nginx  *program
	level  Level
	reason string // why not a stricter level
}

// New returns a sandbox; the first use looks for nginx and tries what the kernel grants.
func New(cfg Config) *Sandbox {
	cfg.setDefaults()
	return &Sandbox{cfg: cfg, slot: make(chan struct{}, parallel)}
}

// Build says which nginx checks: its version and its modules. The error is [ErrNoNginx]
// where there is none.
func (s *Sandbox) Build(ctx context.Context) (version string, modules []string, err error) {
	p, _, err := s.settle(ctx)
	if err != nil {
		return "", nil, err
	}
	return p.version, p.moduleNames, nil
}

// Check returns nginx's complaint about a tree for a node with these facts, or nil when it
// has none. A check that passes its limits is a complaint without a place. An error says
// that nothing was found out.
func (s *Sandbox) Check(ctx context.Context, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error) {
	p, level, err := s.settle(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another check: %w", context.Cause(ctx))
	}
	return s.run(ctx, p, level, tree, facts)
}

// settle finds nginx and the strictest level that works, once. A failure is not final: nginx
// may be installed later.
func (s *Sandbox) settle(ctx context.Context) (*program, Level, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return s.nginx, s.level, nil
	}
	path, err := lookNginx(s.cfg.Nginx)
	if err != nil {
		return nil, "", s.cannot(ctx, fmt.Errorf("check bundles: %w: %w", ErrNoNginx, err))
	}
	p, err := readProgram(ctx, path, s.cfg.Modules)
	if err != nil {
		return nil, "", s.cannot(ctx, fmt.Errorf("check bundles with %s: %w", path, err))
	}
	level, reason, err := s.tryLevels(ctx, p)
	if err != nil {
		return nil, "", s.cannot(ctx, fmt.Errorf("check bundles with %s: %w", path, err))
	}
	s.ready, s.err, s.nginx, s.level, s.reason = true, nil, p, level, reason
	if level == s.cfg.Levels[0] {
		s.cfg.Log.Info("bundles are checked in a sandbox", "nginx", path, "version", p.version, "level", level)
	} else {
		s.cfg.Log.Warn("bundles are checked without the whole sandbox: "+level.missing()+"; allow user namespaces for this process, or run the control plane on a machine that has them",
			"level", level, "reason", reason)
	}
	return p, level, nil
}

// cannot says once why nothing is checked here, and returns it. mu is held.
func (s *Sandbox) cannot(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err // nothing was found out
	}
	if s.err == nil {
		s.cfg.Log.Warn("bundles are checked by the nodes alone; install nginx beside the control plane, or correct what keeps it from starting, to have faults found before", "reason", err)
	}
	s.err = err
	return err
}

func lookNginx(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin/", "/usr/local/sbin/", "/usr/local/nginx/sbin/"} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(dir + name)
	}
	return path, err
}
