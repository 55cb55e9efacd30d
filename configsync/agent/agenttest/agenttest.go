// Package agenttest starts private nginx processes for tests.
//
// Each has a folder of its own and an address on loopback that no other test uses, runs as
// the current user, and is stopped by its pid when the test ends.
package agenttest

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// Binary is Debian's nginx.
const Binary = "/usr/sbin/nginx"

// Nginx is one private nginx, running or not.
type Nginx struct {
	Dir     string // everything is below it
	Conf    string // main configuration file; it includes TreeDir/current
	TreeDir string // for agent.Config.TreeDir
	Address string // for agent.Config.Listen
	Program string // what Start runs; Binary when it is empty

	cmd  *exec.Cmd
	done chan struct{}
}

// New writes the configuration of an nginx without starting it. It includes the agent's
// tree and nothing else.
func New(t testing.TB) *Nginx {
	t.Helper()
	// Below /tmp rather than t.TempDir: the path of a unix socket is at most 107 bytes.
	dir, err := os.MkdirTemp("/tmp", "sluice-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &Nginx{Dir: dir, Conf: filepath.Join(dir, "nginx.conf"), TreeDir: filepath.Join(dir, "sluice"), Address: freeport.Address(t)}
	n.WriteConf(t, "")
	return n
}

// WriteConf writes nginx.conf anew with more text in its http block.
func (n *Nginx) WriteConf(t testing.TB, http string) {
	t.Helper()
	var b strings.Builder
	if os.Getuid() == 0 {
		b.WriteString("user root;\n")
	}
	fmt.Fprintf(&b, "daemon off;\nworker_processes 1;\npid %s/nginx.pid;\nerror_log %s/error.log;\nevents { worker_connections 256; }\nhttp {\n    access_log off;\n", n.Dir, n.Dir)
	for _, name := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		fmt.Fprintf(&b, "    %s_temp_path %s/%s;\n", name, n.Dir, name)
	}
	fmt.Fprintf(&b, "    include %s/current/*/*.conf;\n%s}\n", n.TreeDir, http)
	if err := os.WriteFile(n.Conf, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Start runs nginx and waits for its pid file.
func (n *Nginx) Start(t testing.TB) {
	t.Helper()
	if err := n.TryStart(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop() })
}

// TryStart is Start for an nginx that may refuse; the error holds what it printed.
func (n *Nginx) TryStart() error {
	var out bytes.Buffer
	n.cmd = exec.Command(cmp.Or(n.Program, Binary), "-c", n.Conf, "-p", n.Dir)
	n.cmd.Stderr = &out
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.done = make(chan struct{})
	go func() {
		_ = n.cmd.Wait() // the pid file below tells whether it runs
		close(n.done)
	}()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case <-n.done:
			return fmt.Errorf("nginx ended: %s", out.String())
		default:
		}
		if b, err := os.ReadFile(filepath.Join(n.Dir, "nginx.pid")); err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(n.cmd.Process.Pid) {
			return nil
		}
	}
	n.Kill()
	return fmt.Errorf("nginx did not write its pid file: %s", out.String())
}

// PID is the master's.
func (n *Nginx) PID() int { return n.cmd.Process.Pid }

// Stop ends nginx in the orderly way. It may be called again.
func (n *Nginx) Stop() { n.end(func() { _ = n.cmd.Process.Signal(syscall.SIGTERM) }) }

// Kill ends the master and its workers with SIGKILL, as a crash of the machine would: the
// pid file and the sockets stay.
func (n *Nginx) Kill() {
	n.end(func() {
		workers := n.Workers()
		_ = n.cmd.Process.Kill()
		for _, pid := range workers {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// KillMaster ends the master alone with SIGKILL. Its workers serve on until the end of the
// test, unless somebody ends them before.
func (n *Nginx) KillMaster(t testing.TB) {
	t.Helper()
	workers := n.Workers()
	t.Cleanup(func() {
		for _, pid := range workers {
			if title, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil && bytes.HasPrefix(title, []byte("nginx: worker process")) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	n.end(func() { _ = n.cmd.Process.Kill() })
}

func (n *Nginx) end(signal func()) {
	if n.cmd == nil {
		return
	}
	select {
	case <-n.done:
		return
	default:
	}
	signal()
	select {
	case <-n.done:
	case <-time.After(time.Minute):
		_ = n.cmd.Process.Kill()
		<-n.done
	}
}

// Workers are the master's children.
func (n *Nginx) Workers() []int {
	pid := strconv.Itoa(n.PID())
	b, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return nil
	}
	var list []int
	for _, f := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(f); err == nil {
			list = append(list, child)
		}
	}
	return list
}

// Test runs nginx -t on what nginx would load on a restart.
func (n *Nginx) Test() error {
	if out, err := exec.Command(Binary, "-t", "-q", "-c", n.Conf, "-p", n.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("nginx -t: %w: %s", err, out)
	}
	return nil
}
