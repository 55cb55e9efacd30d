package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endTime is how long a process may take to end before it is killed.
const endTime = 10 * time.Second

// process is a program that was started pinned to one core. Its methods may be called from
// any goroutine.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when the program has ended
}

// start runs a program on one core. It gets a process group of its own, so that Ctrl-C ends
// it through stop, after the measurement has stopped.
func start(name string, core int, env []string, command ...string) (*process, error) {
	p := &process{name: name, log: &tail{}, done: make(chan struct{})}
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(core)}, command...)...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// pid of the program: taskset replaces itself by it.
func (p *process) pid() int { return p.cmd.Process.Pid }

// ended is nil while the program runs, and then says how it ended, with its last words.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended (%s): %s", p.name, p.cmd.ProcessState, p.log)
	default:
		return nil
	}
}

// stop asks the program to end, and kills it when it takes too long.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(endTime):
	}
	err := syscall.Kill(-p.pid(), syscall.SIGKILL) // the group is its own, and takes its children along
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %s and was killed", p.name, endTime), err)
}

// tailSize is how much of a program's output is kept for messages.
const tailSize = 4096

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) == 0 {
		return "it printed nothing"
	}
	return strings.TrimSpace(string(t.text))
}
