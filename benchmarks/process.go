package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endTime is how long a process may take to end before it is killed.
const endTime = 10 * time.Second

// process is a program that was started pinned to one core. Its methods may be called from
// any goroutine.
type process struct {
	name   string
	cmd    *exec.Cmd
	output string        // the file with what it prints
	done   chan struct{} // closed when the program has ended
}

// start runs a program on one core. It gets a process group of its own, so that Ctrl-C ends
// it through stop, after the measurement has stopped. What it prints is appended to output.
func start(name string, core int, output string, env []string, command ...string) (*process, error) {
	file, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	p := &process{name: name, output: output, done: make(chan struct{})}
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(core)}, command...)...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
		return fmt.Errorf("%s has ended (%s): %s", p.name, p.cmd.ProcessState, p.printed())
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

// printed is the end of what the program has printed.
func (p *process) printed() string {
	text, err := tailOf(p.output)
	switch {
	case err != nil:
		return err.Error()
	case text == "":
		return "it printed nothing"
	}
	return text
}

// tailOf reads the last tailSize bytes of a file.
func tailOf(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > tailSize {
		if _, err := file.Seek(-tailSize, io.SeekEnd); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, tailSize))
	return strings.TrimSpace(string(text)), err
}
