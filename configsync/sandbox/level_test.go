package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// levels are those that the user of the tests can have.
func levels() []Level {
	if os.Getuid() != 0 {
		return []Level{LevelFull, LevelLimits}
	}
	return allLevels
}

// TestAsUser runs the tests of keeping out as a user who is not root, as packages start the
// control plane.
func TestAsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("this is such a user already")
		return
	}
	binary := forEveryone(t)
	path, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run", "^(TestCheck|TestNamespacesKeepOut|TestWithoutNamespaces)$", "-test.v")
	cmd.Env = []string{"SLUICE_PROBE=" + path, "TMPDIR=" + filepath.Dir(binary), "PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"TestNamespacesKeepOut/namespaces", "TestCheck/namespaces", "TestCheck/limits_only", "TestWithoutNamespaces"} {
		if !strings.Contains(string(out), "--- PASS: "+want) {
			t.Errorf("%s did not pass (%v): %s", want, err, out)
		}
	}
}

// forEveryone is a copy of this program that another user can run.
func forEveryone(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sluice-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "sandbox.test")
	if err := os.WriteFile(binary, b, 0o755); err != nil { //nolint:gosec // another user has to run it
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // as above, and writes its temporary files there
		t.Fatal(err)
	}
	return binary
}

// TestDegrades starts this program where no user namespace is to be had: once as root, once
// as a user.
func TestDegrades(t *testing.T) {
	binary := forEveryone(t)
	for want, start := range map[Level]string{
		LevelPrivileged: "exec " + binary,
		LevelLimits:     "exec setpriv --reuid 12345 --regid 12345 --clear-groups " + binary,
	} {
		cmd := exec.Command("sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && "+start)
		cmd.Env = []string{"SLUICE_SHOW_LEVEL=1", "TMPDIR=" + filepath.Dir(binary), "PATH=" + os.Getenv("PATH")}
		all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65535}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		log, status, _ := strings.Cut(string(out), "STATUS ")
		if strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "bundles are checked without the whole sandbox: nginx -t ") {
			t.Errorf("%s: the log says %s", want, log)
		}
		if !strings.HasPrefix(status, string(want)+" 1.") || !strings.Contains(status, " nginx -t ") || !strings.Contains(status, "namespaces: start the sandbox") {
			t.Errorf("want %s, got %s", want, status)
		}
	}
}

// showLevel is what TestDegrades starts: it checks twice and shows the status.
func showLevel() {
	s := New(Config{Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	for range 2 {
		if c, err := s.Check(context.Background(), &nginxconf.Tree{}, gateway.NodeFacts{}); c != nil || err != nil {
			fmt.Println("check:", c, err)
		}
	}
	st := s.Status()
	fmt.Println("STATUS", st.Level, st.Version, st.Warning)
}
