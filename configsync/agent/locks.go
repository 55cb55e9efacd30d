package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// locks make sure that one agent looks after an nginx: each is a file with the agent's pid in
// it and a lock that ends with the process. A pid that is still there without a lock is that
// of an agent that was killed.
type locks struct {
	held   []*os.File
	killed int // pid of the last life, when it was killed
}

// errLocked is why an agent does not start.
var errLocked = errors.New("another agent")

// confLock stands beside nginx.conf, so that agents with folders of their own meet there.
func confLock(conf string) string {
	if real, err := filepath.EvalSymlinks(filepath.Dir(conf)); err == nil {
		conf = filepath.Join(real, filepath.Base(conf))
	}
	return filepath.Join(filepath.Dir(conf), ".sluice-"+filepath.Base(conf)+".lock")
}

// take locks a file; what is named in the refusal.
func (l *locks) take(path, what string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("lock %s: %w", what, err)
	}
	holder, err := os.ReadFile(path)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%w (%s) looks after %s: stop it first", errLocked, strings.TrimSpace(string(holder)), what), f.Close())
	}
	l.held = append(l.held, f)
	_, _ = fmt.Sscanf(string(holder), "pid %d", &l.killed) // an agent that ended in order left nothing
	// A full disk must not stop the agent from starting: the lock is what counts.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "pid %d\n", os.Getpid()), 0)
	}
	return nil
}

// release ends the locks in order.
func (l *locks) release() {
	for _, f := range l.held {
		_ = f.Truncate(0)
		_ = f.Close()
	}
	l.held = nil
}
