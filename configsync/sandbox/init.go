package sandbox

import (
	"encoding/gob"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// initName is the program name that tells a process that it is the sandbox's first one.
const initName = "sluice-nginx-check"

// failures is the pipe on which Init says why nginx was not started.
const failures = 3

// setupFailed is the exit code of Init when it could not start nginx.
const setupFailed = 97

// prepared is set by Init: a program without it would start itself over again for a check.
var prepared atomic.Bool

// Init returns at once, unless this process was started by a [Sandbox]: then it shuts itself
// in and becomes nginx. It has to be the first call of the main function of every program
// that uses a Sandbox, and of TestMain in tests.
func Init() {
	prepared.Store(true)
	if len(os.Args) == 0 || os.Args[0] != initName {
		return
	}
	runtime.LockOSThread() // capabilities and limits belong to the thread that becomes nginx
	err := enter()
	pipe := os.NewFile(failures, "failures")
	_, _ = fmt.Fprintf(pipe, "%v", err)
	os.Exit(setupFailed)
}

// enter does not return unless something fails.
func enter() error {
	unix.CloseOnExec(failures)
	// Whatever the parent was started with, such as sockets from systemd, is not nginx's. A
	// kernel before 5.11 can't: Go's own files are closed on exec anyway.
	_ = unix.CloseRange(failures+1, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	var s spec
	if err := gob.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fmt.Errorf("read what to check: %w", err)
	}
	if s.Network {
		if err := loopbackUp(); err != nil {
			return err
		}
	}
	if s.Mounts {
		if err := newRoot(&s); err != nil {
			return err
		}
	} else if err := writeFiles(s.Dir, s.Files); err != nil {
		return err
	}
	if s.User {
		if err := becomeNobody(&s); err != nil {
			return err
		}
	}
	if err := giveUp(s.Limits); err != nil {
		return err
	}
	if err := unix.Chdir(s.Dir); err != nil {
		return fmt.Errorf("go to %s: %w", s.Dir, err)
	}
	return fmt.Errorf("start %s: %w", s.Args[0], unix.Exec(s.Args[0], s.Args, s.Env))
}

// writeFiles writes the tree. It needs no fsync: it is gone after the check.
func writeFiles(dir string, files []stagedFile) error {
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("stage %s: %w", f.Path, err)
		}
		if err := os.WriteFile(name, []byte(f.Data), 0o644); err != nil {
			return fmt.Errorf("stage %s: %w", f.Path, err)
		}
	}
	return nil
}

// becomeNobody gives root up for good.
func becomeNobody(s *spec) error {
	if !s.Mounts {
		for _, dir := range []string{s.Dir, s.Temp} {
			if err := os.Chown(dir, nobody, nobody); err != nil {
				return err
			}
		}
	}
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("leave the groups of root: %w", err)
	}
	if err := unix.Setresgid(nobody, nobody, nobody); err != nil {
		return fmt.Errorf("become group %d: %w", nobody, err)
	}
	if err := unix.Setresuid(nobody, nobody, nobody); err != nil {
		return fmt.Errorf("become user %d: %w", nobody, err)
	}
	return nil
}

// giveUp sets the limits and drops every privilege, now and after exec.
func giveUp(l limits) error {
	seconds := uint64(max(1, (l.CPU+time.Second-1)/time.Second))
	for _, r := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CPU, seconds},
		{unix.RLIMIT_NOFILE, l.Files},
		{unix.RLIMIT_FSIZE, l.FileSize},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NPROC, l.Processes},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_AS, l.Memory}, // last: Go itself needs memory until then
	} {
		if err := unix.Prlimit(0, r.resource, &unix.Rlimit{Cur: r.most, Max: r.most}, nil); err != nil {
			return fmt.Errorf("set limit %d to %d: %w", r.resource, r.most, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	// Changing the user takes this away, so it is asked for again.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the control plane: %w", err)
	}
	return nil
}
