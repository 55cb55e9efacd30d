package agent

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

func TestApply(t *testing.T) {
	s := newSite(t, true)
	first, second := s.tree("a.test", ""), s.tree("b.test", "")
	s.mustApply(first)
	s.mustApply(second)
	s.mustApply(first) // a tree that is there already is used again
	if s.reloads != 3 || s.reloadsFailed != 0 {
		t.Errorf("%d reloads, %d failed", s.reloads, s.reloadsFailed)
	}
}

func TestCheckFails(t *testing.T) {
	s := newSite(t, true)
	good := s.tree("a.test", "")
	s.mustApply(good)
	bad := s.tree("b.test", "proxy_read_timeout banana;")
	f := s.apply(context.Background(), bad)
	if f == nil || f.Step != stepCheck || f.Digest != bad.Digest || !strings.Contains(f.Message, "invalid value") || f.File != "servers/acme.b.test.conf" || f.Line == 0 {
		t.Fatalf("got %+v", f)
	}
	s.runs(good.Digest)
	if _, err := os.Stat(s.disk.tree(bad.Digest)); err == nil {
		t.Error("the refused tree is still on disk")
	}
	if s.reloads != 1 {
		t.Errorf("%d reloads", s.reloads)
	}
}

func TestTreeNotIncluded(t *testing.T) {
	s := newSite(t, true)
	data, err := os.ReadFile(s.Conf)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(data), "include ", "# include ", 1)
	if err := os.WriteFile(s.Conf, []byte(without), 0o644); err != nil {
		t.Fatal(err)
	}
	f := s.apply(context.Background(), s.tree("a.test", ""))
	if f == nil || f.Step != stepCheck || !strings.Contains(f.Message, "put the line \"include "+s.disk.link()+"/*/*.conf;\" into its http block") {
		t.Fatalf("got %+v", f)
	}
}

// TestIncludedFromDropIn: the include may stand in a file of its own, as in Debian's conf.d.
func TestIncludedFromDropIn(t *testing.T) {
	s := newSite(t, true)
	data, err := os.ReadFile(s.Conf)
	if err != nil {
		t.Fatal(err)
	}
	include := "include " + s.disk.link() + "/*/*.conf;"
	if err := os.MkdirAll(filepath.Join(s.Dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"conf.d/a.conf": "map $uri $a { default 1; }", "conf.d/sluice.conf": include, "nginx.conf": strings.Replace(string(data), include, "include conf.d/*.conf;", 1)} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := s.tree("a.test", "")
	s.mustApply(good)
	f := s.apply(context.Background(), s.tree("a.test", "proxy_read_timeout banana;"))
	if f == nil || f.Step != stepCheck || f.File != "servers/acme.a.test.conf" {
		t.Errorf("got %+v", f)
	}
	s.runs(good.Digest)
}

// TestReloadFails: an occupied port passes nginx -t and fails in the reload.
func TestReloadFails(t *testing.T) {
	s := newSite(t, true)
	good := s.tree("a.test", "")
	s.mustApply(good)
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupied.Close() }()
	start := time.Now() // nginx tries to bind for 2.5 s
	f := s.apply(context.Background(), s.tree("a.test", "", occupied.Addr().String()))
	if f == nil || f.Step != stepReload || !strings.Contains(f.Message, "bind() to "+occupied.Addr().String()+" failed") {
		t.Fatalf("got %+v", f)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %s to notice", took)
	}
	s.runs(good.Digest)
	if s.reloadsFailed != 1 {
		t.Errorf("%d failed reloads", s.reloadsFailed)
	}
}

func TestNginxNotRunning(t *testing.T) {
	s := newSite(t, false)
	tree := s.tree("a.test", "")
	f := s.apply(context.Background(), tree)
	if f == nil || f.Step != stepVerify || !strings.Contains(f.Message, "nginx is not running") {
		t.Fatalf("got %+v", f)
	}
	if s.disk.current() != tree.Digest {
		t.Error("the checked tree is not on disk")
	}
	s.Start(t)
	s.eventuallyRuns(tree.Digest)
}

func (s *site) eventuallyRuns(digest string) {
	s.t.Helper()
	if err := s.verify(context.Background(), digest, beforeReload{}); err != nil {
		s.t.Fatal(err)
	}
	s.runs(digest)
}

// TestLeftSocket: a killed nginx leaves its socket, and would not start while it is there.
func TestLeftSocket(t *testing.T) {
	s := newSite(t, true)
	tree := s.tree("a.test", "")
	s.mustApply(tree)
	if s.nginx.removeLeftSocket() {
		t.Fatal("the socket of a running nginx was removed")
	}
	s.Kill()
	// Killed workers may take a moment to be gone.
	for deadline := time.Now().Add(patience); !s.nginx.removeLeftSocket(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the socket that a killed nginx left was not removed")
		}
	}
	s.Start(t)
	s.eventuallyRuns(tree.Digest)
}

// TestInterruptedBundleThatFails: after the kill the bundle turns out bad, so it is undone.
func TestInterruptedBundleThatFails(t *testing.T) {
	s := newSite(t, true)
	good, next := s.tree("a.test", ""), s.tree("b.test", "")
	s.mustApply(good)
	s.die(next, atFlipped, patience)
	broken := filepath.Join(s.disk.tree(next.Digest), "servers", "acme.b.test.conf")
	if err := os.WriteFile(broken, []byte("server { listen"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := s.recover(context.Background(), 1)
	if f == nil || f.Step != stepCheck || f.File != "servers/acme.b.test.conf" {
		t.Fatalf("recover: %+v", f)
	}
	if r := s.recovered; r == nil || r.Action != gateway.RecoveryUndone || r.Digest != next.Digest {
		t.Errorf("recovered: %+v", r)
	}
	s.runs(good.Digest)
}

func TestOverwrittenEdit(t *testing.T) {
	s := newSite(t, true)
	first, second := s.tree("a.test", ""), s.tree("b.test", "")
	s.mustApply(first)
	edited := filepath.Join(s.disk.tree(first.Digest), "servers", "acme.a.test.conf")
	if err := os.WriteFile(edited, []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.mustApply(second)
	if len(s.overwritten) != 1 || s.overwritten[0].Path != "servers/acme.a.test.conf" || !strings.Contains(s.overwritten[0].Diff, "+# mine") {
		t.Errorf("overwritten: %+v", s.overwritten)
	}
	if b, err := os.ReadFile(edited); err != nil || string(b) != "# mine\n" {
		t.Errorf("the edit is gone: %q %v", b, err)
	}
	s.mustApply(first) // the edited tree is not used again
	kept, err := filepath.Glob(s.disk.tree(first.Digest) + ".edited-*")
	if err != nil || len(kept) != 1 {
		t.Errorf("the edited tree is not kept: %v %v", kept, err)
	}
}

// TestDigestOverTCP: a node whose agent may be away when nginx starts avoids the socket.
func TestDigestOverTCP(t *testing.T) {
	s := newSite(t, true)
	s.nginx.listen = freeport.Address(t)
	s.mustApply(s.tree("a.test", ""))
	if s.nginx.removeLeftSocket() {
		t.Error("there is no socket to remove")
	}
}

func TestShorten(t *testing.T) {
	list := make([]gateway.FileDrift, 3*maxDrift)
	for i := range list {
		list[i].Diff = strings.Repeat("x", 2*maxDiff)
	}
	short := shorten(list)
	if len(short) != maxDrift || len(short[0].Diff) > maxDiff+100 || len(list[0].Diff) != 2*maxDiff {
		t.Errorf("%d files, the first with %d bytes", len(short), len(short[0].Diff))
	}
}

func TestPrune(t *testing.T) {
	s := newSite(t, false)
	for _, host := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if f := s.apply(context.Background(), s.tree(host+".test", "")); f == nil || f.Step != stepVerify {
			t.Fatalf("got %+v", f)
		}
	}
	trees, err := os.ReadDir(filepath.Join(s.TreeDir, "trees"))
	if err != nil || len(trees) != keepTrees {
		t.Errorf("%d trees are kept, %v", len(trees), err)
	}
	s.restartable()
}

// TestOverwrittenEditComesBack: an edit that a later bundle has is not lost any more, as when two
// edits are adopted one after the other.
func TestOverwrittenEditComesBack(t *testing.T) {
	s := newSite(t, true)
	with := func(timeout string) *nginxconf.Tree { return s.tree("a.test", "proxy_read_timeout "+timeout+";") }
	s.mustApply(with("7s"))
	s.put(serverFile, []byte(with("9s").File(serverFile).Data))
	s.mustApply(with("8s"))
	if len(s.overwritten) != 1 {
		t.Errorf("overwritten: %+v", s.overwritten)
	}
	s.mustApply(with("6s"))
	if len(s.overwritten) != 1 {
		t.Errorf("still overwritten: %+v", s.overwritten)
	}
	s.mustApply(with("9s"))
	if len(s.overwritten) != 0 {
		t.Errorf("the edit is back, and overwritten: %+v", s.overwritten)
	}
}
