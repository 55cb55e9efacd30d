package sandbox

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// errTimeout is why a check was ended.
var errTimeout = errors.New("the check took too long")

// run checks one tree at one level.
func (s *Sandbox) run(ctx context.Context, p *program, level Level, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error) {
	if !prepared.Load() {
		return nil, errors.New("check a tree: this program does not call sandbox.Init first, so it can't start the sandbox")
	}
	files := time.Duration(len(tree.Files))
	timeout := s.cfg.Timeout + 3*files*cpuPerFile
	limits := limits{CPU: s.cfg.CPU + files*cpuPerFile, Memory: s.cfg.Memory, Files: s.cfg.Files, FileSize: s.cfg.FileSize, Processes: s.cfg.Processes}
	sp := spec{Mounts: level != LevelLimits, Network: level != LevelLimits, User: level != LevelFull && os.Getuid() == 0, Limits: limits, Dir: checkDir, Temp: tempDir}
	if sp.Mounts {
		sp.Binds = p.binds
		sp.Env = []string{"LD_LIBRARY_PATH=" + strings.Join(p.libraries, ":")}
	} else {
		dir, err := os.MkdirTemp("", "sluice-check-")
		if err != nil {
			return nil, fmt.Errorf("stage a tree to check: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		sp.Dir, sp.Temp = dir, filepath.Join(dir, "tmp")
		if err := os.Mkdir(sp.Temp, 0o700); err != nil {
			return nil, fmt.Errorf("stage a tree to check: %w", err)
		}
	}
	st := stage{dir: sp.Dir, temp: sp.Temp, treePath: facts.TreePath}
	var err error
	if sp.Files, err = st.files(p, tree); err != nil {
		return nil, err
	}
	conf := filepath.Join(sp.Dir, "nginx.conf")
	sp.Args = []string{p.path, "-t", "-q", "-p", sp.Dir, "-c", conf}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	out, err := start(ctx, level, &sp)
	return st.judge(out, err, limits, timeout)
}

// ended is how a process that became nginx ended otherwise than well.
type ended struct {
	state *os.ProcessState
	cause error // why the context was over
}

func (e *ended) Error() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	return e.state.String()
}

// start runs Init with a spec and returns what nginx printed. The error is an *ended when
// nginx was started and did not end well.
func start(ctx context.Context, level Level, sp *spec) (string, error) {
	var in bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(sp); err != nil {
		return "", fmt.Errorf("describe the sandbox: %w", err)
	}
	failed, toInit, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer func() { _ = failed.Close() }()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{initName}
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.Stdin = &in
	out := &bounded{most: maxOutput}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{toInit}
	cmd.SysProcAttr = level.attributes()
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Start()
	_ = toInit.Close()
	if err != nil {
		return "", fmt.Errorf("start the sandbox: %w", err)
	}
	// The pipe is closed when nginx takes over, or when the process is gone.
	setup, _ := io.ReadAll(io.LimitReader(failed, 4<<10))
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return out.kept.String(), &ended{state: cmd.ProcessState, cause: context.Cause(ctx)}
	case len(setup) > 0:
		return "", fmt.Errorf("set the sandbox up: %s", setup)
	case err == nil:
		return out.kept.String(), nil
	case cmd.ProcessState == nil || cmd.ProcessState.Success():
		return "", fmt.Errorf("run the sandbox: %w", err)
	}
	return out.kept.String(), &ended{state: cmd.ProcessState}
}

// attributes are how the first process of a level is cloned.
func (l Level) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if l == LevelLimits {
		return a
	}
	a.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	if l == LevelPrivileged {
		return a
	}
	a.Cloneflags |= syscall.CLONE_NEWUSER
	user, group := os.Getuid(), os.Getgid()
	root := user == 0
	if root {
		user, group = nobody, nobody
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: user, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: group, Size: 1}}
	a.GidMappingsEnableSetgroups = root
	a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: !root}
	// They are valid in the own namespaces only, and given up before nginx starts.
	a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}
	return a
}

// bounded keeps the first bytes and swallows the rest.
type bounded struct {
	kept bytes.Buffer // not embedded: its ReadFrom would take everything
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

var (
	logLine  = regexp.MustCompile(`(?m)^.*?\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?(.*)$`)
	logPlace = regexp.MustCompile(` in (/\S.*):(\d+)$`)
)

// judge turns how nginx ended into a complaint.
func (st *stage) judge(out string, err error, most limits, timeout time.Duration) (*nginxconf.Complaint, error) {
	var end *ended
	if err == nil {
		return nil, nil
	} else if !errors.As(err, &end) {
		return nil, err
	}
	if end.cause != nil && !errors.Is(end.cause, errTimeout) {
		return nil, fmt.Errorf("check a tree: %w", end.cause)
	}
	if end.cause != nil {
		return &nginxconf.Complaint{Message: fmt.Sprintf("nginx -t was still busy after %s and was stopped", timeout)}, nil
	}
	if status, ok := end.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		if used := end.state.UserTime() + end.state.SystemTime(); used >= most.CPU*9/10 {
			return &nginxconf.Complaint{Message: fmt.Sprintf("nginx -t used %s of processor time and was stopped", used.Round(time.Second/10))}, nil
		}
		return &nginxconf.Complaint{Message: fmt.Sprintf("nginx -t was ended by the signal %q", status.Signal())}, nil
	}
	c := &nginxconf.Complaint{Message: strings.TrimSpace(out)}
	if m := logLine.FindStringSubmatch(out); m != nil {
		c.Message = strings.TrimSpace(m[1])
	}
	if c.Message == "" {
		c.Message = "nginx -t: " + end.Error()
	}
	if m := logPlace.FindStringSubmatch(c.Message); m != nil {
		if rest, ok := strings.CutPrefix(m[1], st.tree()+"/"); ok {
			c.File = rest
			c.Line, _ = strconv.Atoi(m[2]) // digits by the pattern
		}
	}
	c.Message = strings.ToValidUTF8(st.shown(c.Message), "?")
	return c, nil
}
