package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Environment variables with the work of a helper process: see TestMain.
const (
	killed = "SLUICE_TEST_KILLED_APPLIER"
	doomed = "SLUICE_TEST_DOOMED_AGENT"
)

// deadWork is what a helper process applies before it kills itself.
type deadWork struct {
	Conf, Prefix, TreeDir string
	Tree                  nginxconf.Tree
	Point                 point
	Verify                time.Duration
}

// TestMain lets the test binary also be an agent that dies by SIGKILL at one point: no
// deferred function runs, as when the machine loses power.
func TestMain(m *testing.M) {
	if text := os.Getenv(killed); text != "" {
		dieAtPoint(text)
		return
	}
	if text := os.Getenv(doomed); text != "" {
		runDoomed(text)
		return
	}
	os.Exit(m.Run())
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func dieAtPoint(text string) {
	var work deadWork
	if err := json.Unmarshal([]byte(text), &work); err != nil {
		panic(err)
	}
	a, err := newApplier(work.Conf, work.Prefix, work.TreeDir, work.Verify)
	if err != nil {
		panic(err)
	}
	a.disk.at = func(p point) {
		if p == work.Point {
			die()
		}
	}
	fmt.Println("not killed:", a.apply(context.Background(), &work.Tree))
}

// newApplier is the part of an agent that carries out bundles.
func newApplier(conf, prefix, treeDir string, verify time.Duration) (*applier, error) {
	b, err := readBuild(context.Background(), agenttest.Binary)
	if err != nil {
		return nil, err
	}
	cfg := Config{VerifyTimeout: verify, Log: slog.New(slog.DiscardHandler)}
	a := &applier{cfg: cfg, disk: disk{root: treeDir, read: newContents()}}
	a.nginx = &nginx{binary: agenttest.Binary, conf: conf, prefix: prefix, build: b, listen: "unix:" + filepath.Join(treeDir, "sluice.sock")}
	files, err := loadFiles(conf, nil, nil)
	if err != nil {
		return nil, err
	}
	a.nginx.learn(files, a.disk.link())
	return a, a.disk.prepare()
}

// site is an nginx with an applier.
type site struct {
	*agenttest.Nginx
	*applier
	t *testing.T
}

// patience bounds every wait: tests share the machine with heavy work. It is ten times the longest
// that anything here should take.
const patience = 5 * time.Minute

func newSite(t *testing.T, start bool) *site {
	t.Helper()
	n := agenttest.New(t)
	a, err := newApplier(n.Conf, n.Dir, n.TreeDir, patience)
	if err != nil {
		t.Fatal(err)
	}
	if start {
		n.Start(t)
	}
	return &site{Nginx: n, applier: a, t: t}
}

// tree renders a bundle whose one host answers 503; extra listen values and override text
// make it fail where a test wants it to.
func (s *site) tree(host, override string, listen ...string) *nginxconf.Tree {
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 1 << 20, Targets: []gateway.Target{{Upstream: key, Weight: 1}},
		Nginx: []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "o"}, Text: override}}}
	snapshot := &gateway.Snapshot{
		Tenants:         []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:           []*gateway.Host{{Name: host, Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		NginxDirectives: []string{"proxy_read_timeout"},
	}
	tree, _ := nginxconf.Render(snapshot, "shared", gateway.NodeFacts{TreePath: s.disk.link(), DigestListen: s.nginx.listen, Modules: s.nginx.build.modules, Listen: append([]string{s.Address}, listen...)})
	return &tree
}

// mustApply applies a bundle that has to work.
func (s *site) mustApply(tree *nginxconf.Tree) {
	s.t.Helper()
	if f := s.apply(context.Background(), tree); f != nil {
		s.t.Fatalf("apply: %+v", f)
	}
	s.runs(tree.Digest)
}

// runs checks that disk and nginx agree on a digest, that a restart would work and that
// nothing is left half done.
func (s *site) runs(digest string) {
	s.t.Helper()
	if got := s.disk.current(); got != digest {
		s.t.Errorf("on disk is %q, want %q", got, digest)
	}
	if got, err := s.nginx.running(context.Background()); err != nil || got != digest {
		s.t.Errorf("nginx runs %q (%v), want %q", got, err, digest)
	}
	s.restartable()
	if _, err := os.Stat(s.disk.journal()); err == nil {
		s.t.Error("the journal is still there")
	}
	left, err := filepath.Glob(filepath.Join(s.TreeDir, "trees", leftName+"*"))
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, checkName)); err == nil {
		s.t.Error("the copy for checking is still there")
	}
}

func (s *site) restartable() {
	s.t.Helper()
	if err := s.Test(); err != nil {
		s.t.Errorf("nginx would not start: %v", err)
	}
}

// die lets a helper process apply the tree and kill itself at the point.
func (s *site) die(tree *nginxconf.Tree, at point, verify time.Duration) {
	s.t.Helper()
	text, err := json.Marshal(deadWork{Conf: s.Conf, Prefix: s.Dir, TreeDir: s.TreeDir, Tree: *tree, Point: at, Verify: verify})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+string(text))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(err.Error(), "killed") {
		s.t.Fatalf("the agent was not killed at %s: %v %s", at, err, out)
	}
}
