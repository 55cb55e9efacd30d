package agent

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/enroltest"
)

// The tests in this file break what is around the agent. After each, nginx can be restarted,
// the node gets to what is desired, and the report has said what happened.

// inPrivate runs the calling test again in a mount namespace of its own and says whether this
// is that run. There, mounts are nobody else's.
func inPrivate(t *testing.T) bool {
	t.Helper()
	const mark = "SLUICE_TEST_PRIVATE_MOUNTS"
	if os.Getenv(mark) == t.Name() {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if id := os.Getuid(); id != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: id, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// TestDiskFull: the old tree goes on, the report says why, and it heals by itself.
func TestDiskFull(t *testing.T) {
	if !inPrivate(t) {
		return
	}
	f := newFleet(t)
	if err := os.Mkdir(f.TreeDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", f.TreeDir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(f.TreeDir, syscall.MNT_DETACH) })
	f.retry = patience // so that it is the room that makes it heal
	old := f.want()
	f.run("", patience)
	f.settles(old, nil)

	fill := filepath.Join(f.TreeDir, "fill")
	b := make([]byte, 4096)
	file, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(b)
	}
	if !diskFull(err) {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	host := f.want()
	n := f.becomes(gateway.NodeFailed, gateway.ReasonDiskFull, func(n gateway.Node) error { return f.answers(old, http.StatusBadGateway) })
	if !strings.Contains(n.Failed.Message, "no space left on device") || n.Running != n.OnDisk || n.Running == n.Desired {
		t.Errorf("the report says %+v", n.Failed)
	}
	f.restart()
	if err := f.answers(old, http.StatusBadGateway); err != nil {
		t.Error(err)
	}
	t.Log("an agent that starts on a full disk goes on, too")
	_ = f.agent.Process.Kill()
	_ = f.agent.Wait()
	f.run("", patience)
	f.becomes(gateway.NodeFailed, gateway.ReasonDiskFull, func(n gateway.Node) error {
		if n.Recovered == nil {
			return fmt.Errorf("nothing is said of the killed agent")
		}
		return nil
	})
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	f.settles(host, func(gateway.Node) error { return f.clean() })
}

// away is how long the control plane is away. `make figures` has SLUICE_AGENT_OUTAGE=5m,
// which is longer than the outages of sources (SLUICE_OUTAGE).
func away(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SLUICE_AGENT_OUTAGE")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestControlPlaneAway: nginx and the agent are restarted meanwhile, and nothing changes for
// clients. What changed for the fleet arrives afterwards.
func TestControlPlaneAway(t *testing.T) {
	f := newFleet(t)
	old := f.want()
	f.run("", patience)
	f.settles(old, nil)
	address := f.server.Listener.Addr().String()
	_ = f.server.Listener.Close()
	f.server.CloseClientConnections()
	start := time.Now()
	host := f.want()
	_ = f.agent.Process.Kill()
	_ = f.agent.Wait()
	f.run("", patience)
	f.restart()
	for time.Since(start) < away(t) {
		if err := f.answers(old, http.StatusBadGateway); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	again := enroltest.Serve(t, f.authority, address, f.server.Config.Handler)
	back := time.Now()
	t.Cleanup(func() {
		again.CloseClientConnections()
		again.Close()
	})
	f.settles(host, func(n gateway.Node) error {
		if n.Recovered == nil || n.Recovered.Action != gateway.RecoveryNothing {
			return fmt.Errorf("recovered: %+v", n.Recovered)
		}
		return nil
	})
	fmt.Printf("figure agents_converge_after_%s_outage_s %.1f s goal 30\n", gateway.Duration(away(t)), time.Since(back).Seconds())
}

// TestMasterKilled: the workers serve on, changes reach the disk, and nginx can be started
// although its addresses are taken.
func TestMasterKilled(t *testing.T) {
	f := newFleet(t)
	old := f.want()
	f.run("", patience)
	f.settles(old, nil)
	f.KillMaster(t)
	f.becomes(gateway.NodeInSync, gateway.ReasonOrphans, func(n gateway.Node) error {
		if len(n.Orphans) == 0 || n.Facts.PID != 0 {
			return fmt.Errorf("orphans %v, PID %d", n.Orphans, n.Facts.PID)
		}
		return f.answers(old, http.StatusBadGateway)
	})
	host := f.want()
	f.becomes(gateway.NodeFailed, gateway.ReasonOrphans, func(n gateway.Node) error {
		if n.OnDisk != n.Desired || !strings.Contains(n.Failed.Message, "nginx is not running") {
			return fmt.Errorf("on disk is %q of %q, failed %+v", n.OnDisk, n.Desired, n.Failed)
		}
		return f.answers(old, http.StatusBadGateway)
	})
	if err := f.Test(); err != nil {
		t.Error(err)
	}
	f.starts()
	n := f.settles(host, nil)
	if len(n.Orphans) != 0 || n.LoadedBy != gateway.LoadedByStart {
		t.Errorf("orphans %v, loaded by %q", n.Orphans, n.LoadedBy)
	}
}

// starts tries as a supervisor does: the machine may be too busy for the first time.
func (f *fleet) starts() {
	f.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = f.TryStart(); err == nil {
			f.t.Cleanup(f.Stop)
			return
		}
	}
	f.t.Fatal(err)
}

// wrapper is an nginx of another version without a module, as far as anybody can see.
func wrapper(t *testing.T, path, version string) {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *\" -V \"*) echo 'nginx version: nginx/%s'; echo 'configure arguments: --without-http_upstream_zone_module'; exit;; esac\nexec %s \"$@\"\n", version, agenttest.Binary)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}

// TestBinaryReplaced: an upgrade changes the file while the old one runs. Bundles suit both
// until nginx is restarted, and suit the new one from then on.
func TestBinaryReplaced(t *testing.T) {
	f := newFleet(t)
	f.Stop()
	f.Program = filepath.Join(f.Dir, "nginx")
	f.binary = f.Program
	b, err := os.ReadFile(agenttest.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	f.Start(t)
	host := f.want()
	f.run("", patience)
	first := f.settles(host, nil)
	if first.RunningVersion != "" || !slices.Contains(first.Facts.Modules, "http_upstream_zone_module") {
		t.Fatalf("at first: %+v %+v", first.Facts, first.RunningVersion)
	}
	wrapper(t, f.Program, "1.29.0")
	n := f.becomes(gateway.NodeInSync, gateway.ReasonBinaryReplaced, func(n gateway.Node) error {
		if n.Desired == first.Desired || n.Running != n.Desired {
			return fmt.Errorf("it still runs the bundle for the old binary")
		}
		return f.answers(host, http.StatusBadGateway)
	})
	if n.Facts.NginxVersion != first.Facts.NginxVersion || n.RunningVersion != first.Facts.NginxVersion || slices.Contains(n.Facts.Modules, "http_upstream_zone_module") {
		t.Errorf("while both are there: version %s, running %s, modules %v", n.Facts.NginxVersion, n.RunningVersion, n.Facts.Modules)
	}
	f.restart()
	f.settles(host, func(n gateway.Node) error {
		if n.Facts.NginxVersion != "1.29.0" || n.RunningVersion != "" {
			return fmt.Errorf("version %s, running %s", n.Facts.NginxVersion, n.RunningVersion)
		}
		return nil
	})
	host = f.want()
	f.settles(host, nil)
}

// TestWrongClock: an hour off does no harm, and is said.
func TestWrongClock(t *testing.T) {
	f := newFleet(t)
	f.ahead = time.Hour
	f.run("", patience)
	for range 3 {
		host := f.want()
		n := f.becomes(gateway.NodeInSync, gateway.ReasonClock, func(n gateway.Node) error {
			if n.Running != n.Desired {
				return fmt.Errorf("it runs %q, desired is %q", n.Running, n.Desired)
			}
			return f.answers(host, http.StatusBadGateway)
		})
		if off := n.ClockOff.Std() - time.Hour; off.Abs() > time.Minute {
			t.Errorf("the clock is said to be off by %s", n.ClockOff.Std())
		}
	}
	f.restart()
	f.becomes(gateway.NodeInSync, gateway.ReasonClock, func(n gateway.Node) error {
		if n.Facts.PID != f.PID() {
			return fmt.Errorf("PID %d", n.Facts.PID)
		}
		return nil
	})
}

// TestTwoAgents: a second agent is refused with the same folder, with another folder, and with
// another nginx.conf for the same pid file.
func TestTwoAgents(t *testing.T) {
	f := newFleet(t)
	host := f.want()
	f.run("", patience)
	f.settles(host, nil)
	other := filepath.Join(f.Dir, "other", "nginx.conf")
	if err := os.Mkdir(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, fmt.Appendf(nil, "pid %s/nginx.pid;\nevents {}\n", f.Dir), 0o644); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(t.TempDir(), "etc")
	if err := os.Symlink(f.Dir, linked); err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]Config{
		"the folder " + f.TreeDir:              {TreeDir: f.TreeDir, NginxConf: other},
		f.Conf:                                 {TreeDir: filepath.Join(f.Dir, "second"), NginxConf: f.Conf},
		filepath.Join(linked, "nginx.conf"):    {TreeDir: filepath.Join(f.Dir, "third"), NginxConf: filepath.Join(linked, "nginx.conf")},
		"the nginx of " + f.Dir + "/nginx.pid": {TreeDir: filepath.Join(f.Dir, "fourth"), NginxConf: other},
	} {
		cfg.Server, cfg.Fleet, cfg.Node, cfg.NginxBinary, cfg.NginxPrefix = f.server.URL, "shared", "second", agenttest.Binary, f.Dir
		err := Run(t.Context(), cfg)
		if want := fmt.Sprintf("another agent (pid %d) looks after %s", f.agent.Process.Pid, what); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	host = f.want()
	f.settles(host, nil) // the first one goes on
	f.restart()
	f.settles(host, nil)
}
