package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestModes: from include to full and back. In full, nginx.conf is a link into the tree, says
// what the node's own said about the node, and the old file is kept and comes back.
func TestModes(t *testing.T) {
	f := newFleet(t)
	own, err := os.ReadFile(f.Conf)
	if err != nil {
		t.Fatal(err)
	}
	host := f.want()
	f.run("", patience)
	f.settles(host, nil)
	f.mode = gateway.FleetModeFull
	host = f.want()
	f.settles(host, nil)
	d := disk{root: f.TreeDir}
	if target, err := os.Readlink(f.Conf); err != nil || target != d.main() {
		t.Errorf("nginx.conf leads to %q: %v", target, err)
	}
	if kept, err := os.ReadFile(d.kept()); err != nil || string(kept) != string(own) {
		t.Errorf("kept is %q: %v", kept, err)
	}
	b, err := os.ReadFile(f.Conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"daemon off;", "worker_processes 1;", "pid " + f.Dir + "/nginx.pid;", "worker_connections 256;", "proxy_temp_path " + f.Dir + "/proxy;", "worker_shutdown_timeout 7s;"} {
		if !strings.Contains(string(b), line) {
			t.Errorf("%q is missing in\n%s", line, b)
		}
	}
	f.restart()
	f.settles(host, nil)
	f.killAgent()
	host = f.want()
	f.settles(host, func(n gateway.Node) error {
		if n.Recovered == nil {
			return fmt.Errorf("this is the last life's report")
		}
		return nil
	})

	t.Log("an edit of the rendered nginx.conf is drift like any other")
	main, err := filepath.EvalSymlinks(f.Conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, append([]byte("# mine\n"), b...), 0o644); err != nil {
		t.Fatal(err)
	}
	f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, func(n gateway.Node) error {
		if len(n.Drift) != 1 || n.Drift[0].Path != nginxconf.MainFile {
			return fmt.Errorf("drift %+v", n.Drift)
		}
		return nil
	})
	t.Log("a file in the place of the link stays until the next bundle, and is kept then")
	if err := os.Remove(f.Conf); err != nil {
		t.Fatal(err)
	}
	theirs := append([]byte("# theirs\n"), own...)
	if err := os.WriteFile(f.Conf, theirs, 0o644); err != nil {
		t.Fatal(err)
	}
	f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, func(n gateway.Node) error {
		if len(n.Drift) != 1 || n.Drift[0].Path != nginxconf.MainFile || !strings.Contains(n.Drift[0].Diff, "+# theirs") {
			return fmt.Errorf("drift %+v", n.Drift)
		}
		return nil
	})
	host = f.want()
	f.settles(host, func(n gateway.Node) error {
		if !slices.ContainsFunc(n.Overwritten, func(d gateway.FileDrift) bool { return d.Path == nginxconf.MainFile }) {
			return fmt.Errorf("nobody is told that a file was replaced: %+v", n.Overwritten)
		}
		return nil
	})
	if kept, err := os.ReadFile(d.kept()); err != nil || string(kept) != string(theirs) {
		t.Errorf("kept is %q: %v", kept, err)
	}
	if list, err := filepath.Glob(d.kept() + "-*"); err != nil || len(list) != 1 {
		t.Errorf("the file that was kept first is gone: %v %v", list, err)
	}

	f.mode = gateway.FleetModeInclude
	host = f.want()
	f.settles(host, nil)
	if back, err := os.ReadFile(f.Conf); err != nil || string(back) != string(theirs) {
		t.Errorf("back is %q: %v", back, err)
	}
	if info, err := os.Lstat(f.Conf); err != nil || !info.Mode().IsRegular() {
		t.Errorf("nginx.conf is %v: %v", info, err)
	}
	f.restart()
	f.settles(host, nil)
}

// TestOtherPID: a bundle must not make the agent lose the nginx that it looks after.
func TestOtherPID(t *testing.T) {
	s := newSite(t, true)
	good := s.tree("a.test", "")
	s.mustApply(good)
	b, err := os.ReadFile(s.Conf)
	if err != nil {
		t.Fatal(err)
	}
	other := s.tree("b.test", "")
	other.Files = append(other.Files, nginxconf.File{Path: nginxconf.MainFile, Data: strings.Replace(string(b), "/nginx.pid", "/other.pid", 1)})
	slices.SortFunc(other.Files, func(a, b nginxconf.File) int { return strings.Compare(a.Path, b.Path) })
	other.Seal()
	f := s.apply(context.Background(), other)
	if f == nil || f.Step != stepCheck || !strings.Contains(f.Message, "/other.pid") {
		t.Errorf("got %+v", f)
	}
	s.runs(good.Digest)
}

// TestFullModeFromNothing: a node whose nginx.conf does not include the tree needs no
// preparation for mode full. A refused bundle leaves its nginx.conf alone, and killing the
// agent while it takes nginx.conf over does no harm.
func TestFullModeFromNothing(t *testing.T) {
	f := newFleet(t)
	b, err := os.ReadFile(f.Conf)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Replace(string(b), "include ", "# include ", 1)
	broken := strings.Replace(plain, "worker_connections 256", "worker_connections banana", 1)
	if err := os.WriteFile(f.Conf, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	f.mode = gateway.FleetModeFull
	host := f.want()
	f.arm()
	f.run(atMainKept, patience)
	n := f.becomes(gateway.NodeFailed, gateway.ReasonCheckFailed, nil)
	if !strings.Contains(n.Failed.Message, "see that nginx -t accepts it") || !strings.Contains(n.CheckError, "banana") {
		t.Errorf("failed: %+v, check %q", n.Failed, n.CheckError)
	}
	if b, err := os.ReadFile(f.Conf); err != nil || string(b) != broken {
		t.Errorf("nginx.conf is %q: %v", b, err)
	}
	if err := os.WriteFile(f.Conf, []byte(plain), 0o644); err != nil {
		t.Fatal(err)
	}
	f.dies(atMainKept)
	if err := f.Test(); err != nil {
		t.Error(err)
	}
	f.restart()
	f.run("", patience)
	f.settles(host, func(n gateway.Node) error {
		if n.Recovered == nil || n.Recovered.Action != gateway.RecoveryFinished {
			return fmt.Errorf("recovered: %+v", n.Recovered)
		}
		return f.clean()
	})
	f.restart()
	f.settles(host, nil)
}
