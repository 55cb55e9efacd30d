package configsync_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/agent"
	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// patience bounds every wait: tests share the machine with heavy work.
const patience = 5 * time.Minute

// edge is one nginx with its agent.
type edge struct {
	*agenttest.Nginx
	name string
	stop func()
}

// world is a controller behind real HTTP with a fleet of real nginx.
type world struct {
	t          *testing.T
	controller *configsync.Controller
	store      *store.Store
	authority  *enrol.Authority
	server     *httptest.Server
	tamper     tamper
	clock      clock
	edges      []*edge
	snapshot   gateway.Snapshot
	problems   chan []gateway.Problem
}

func newWorld(t *testing.T, nodes int) *world {
	t.Helper()
	return newWorldWith(t, nodes, configsync.Config{})
}

func newWorldWith(t *testing.T, nodes int, cfg configsync.Config) *world {
	t.Helper()
	w := &world{t: t, problems: make(chan []gateway.Problem, 100)}
	s := openStore(t)
	w.store = s
	w.authority = newAuthority(t, s, w.clock.now)
	cfg.Signer, cfg.Numberer, cfg.Log, cfg.Report = w.authority, numbered(s), logger(t), func(p []gateway.Problem) { w.problems <- p }
	w.controller = configsync.New(cfg)
	w.server = secure(t, w, "")
	t.Cleanup(w.server.Close)
	w.snapshot = gateway.Snapshot{
		Tenants:         []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Fleets:          []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}, Spec: gateway.FleetSpec{ReloadBudget: gateway.ReloadBudget{Every: gateway.Duration(100 * time.Millisecond)}}}},
		NginxDirectives: []string{"proxy_read_timeout"},
	}
	for i := range nodes {
		e := &edge{Nginx: agenttest.New(t), name: fmt.Sprintf("edge-%d", i+1)}
		e.Start(t)
		w.startAgent(e)
		w.edges = append(w.edges, e)
	}
	return w
}

func (w *world) startAgent(e *edge) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := agent.Config{
		Server: w.server.URL, EnrolTokenFile: w.tokenFile(e), Now: w.clock.now, Fleet: "shared", Node: e.name, NginxConf: e.Conf, NginxPrefix: e.Dir, TreeDir: e.TreeDir,
		Listen: []string{e.Address}, Sweep: 500 * time.Millisecond, Coalesce: 50 * time.Millisecond, VerifyTimeout: patience, RetryAfter: time.Second, Log: logger(w.t),
	}
	go func() { ended <- agent.Run(ctx, cfg) }()
	stopped := false
	e.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("agent %s: %v", e.name, err)
		}
	}
	w.t.Cleanup(e.stop)
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// backend answers with its name.
func backend(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s for %s from %s by %s", name, r.Host, r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// serve makes shop.test go to the addresses, with override text when given.
func (w *world) serve(override string, addresses ...string) {
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	u := &gateway.EffectiveUpstream{Key: key, Protocol: "http"}
	for _, a := range addresses {
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: a, Weight: 1, InRotation: true})
	}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 1 << 20, Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
	if override != "" {
		route.Nginx = []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "slow"}, Text: override}}
	}
	s := w.snapshot
	s.Generation++
	s.Hosts = []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}}
	s.Upstreams = []*gateway.EffectiveUpstream{u}
	w.snapshot = s
	w.controller.Apply(&s)
}

// until polls; fn returns what is still missing.
func (w *world) until(what string, fn func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = fn(); err == nil {
			return
		}
	}
	w.t.Fatalf("%s: %v", what, err)
}

// allAre waits until every node has the state.
func (w *world) allAre(state gateway.NodeState) {
	w.t.Helper()
	w.until("all nodes "+string(state), func() error {
		nodes, err := w.controller.Nodes("shared")
		if err == nil && len(nodes) != len(w.edges) {
			err = fmt.Errorf("%d nodes have reported", len(nodes))
		}
		for _, n := range nodes {
			if n.State != state {
				err = errors.Join(err, fmt.Errorf("%s is %s: %+v", n.Node, n.State, n.Failed))
			}
		}
		return err
	})
}

// get asks one nginx for shop.test.
func get(e *edge, host string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+e.Address+"/x", nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func (w *world) expectAll(host string, status int, body string) {
	w.t.Helper()
	for _, e := range w.edges {
		code, text, err := get(e, host)
		if err != nil || code != status || !strings.Contains(text, body) {
			w.t.Errorf("%s answers %d %q (%v), want %d %q", e.name, code, text, err, status, body)
		}
	}
}

func TestFleet(t *testing.T) {
	w := newWorld(t, 3)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "one for shop.test from shop.test by http")
	w.expectAll("unknown.test", 404, "")

	t.Log("an upstream change reaches what all three run")
	pids := []int{w.edges[0].PID(), w.edges[1].PID(), w.edges[2].PID()}
	w.serve("", two)
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
	for i, e := range w.edges {
		if e.PID() != pids[i] {
			t.Errorf("%s: the master was replaced", e.name)
		}
	}

	t.Log("an upstream without endpoints answers 503")
	w.serve("")
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 503, "")
}

// TestBrokenDirectiveIsRefused: where nothing checks beside the control plane, the first node
// finds it, its disk stays as it was, and from then on the file goes out as it was good.
func TestBrokenDirectiveIsRefused(t *testing.T) {
	w := newWorld(t, 3)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)

	w.serve("proxy_read_timeout banana;", two)
	w.until("the override to be named", func() error { return w.refused("node edge-") })
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
	for _, e := range w.edges {
		if err := e.Test(); err != nil {
			t.Errorf("%s would not start: %v", e.name, err)
		}
		b, err := os.ReadFile(filepath.Join(e.TreeDir, "current", "servers", "acme.shop.test.conf"))
		if err != nil || strings.Contains(string(b), "banana") {
			t.Errorf("%s has %s (%v)", e.name, b, err)
		}
	}

	t.Log("a restart loads what was good, and a correction goes out")
	w.edges[0].Stop()
	w.edges[0].Start(t)
	w.serve("proxy_read_timeout 5s;", two)
	w.until("the correction to be on all nodes", func() error { return w.holds("proxy_read_timeout 5s;") })
	w.allAre(gateway.NodeInSync)
	if p := w.controller.Problems(); len(p) != 0 {
		t.Errorf("problems are left: %+v", p)
	}
}

// refused says whether nginx's refusal of the override is on the override, with its line.
func (w *world) refused(source string) error {
	for _, p := range w.controller.Problems() {
		if p.Object.String() == "Override acme/slow" && p.Field == "spec.nginx" && p.Code == "nginx_refused" && strings.HasPrefix(p.Source, source) &&
			strings.Contains(p.Message, " of servers/acme.shop.test.conf for fleet shared, which reads \"proxy_read_timeout banana;\": \"proxy_read_timeout\" directive invalid value") {
			return nil
		}
	}
	return fmt.Errorf("problems: %+v", w.controller.Problems())
}

// holds says whether every node's disk has a text in the file of the shop.
func (w *world) holds(text string) error {
	for _, e := range w.edges {
		b, err := os.ReadFile(filepath.Join(e.TreeDir, "current", "servers", "acme.shop.test.conf"))
		if err != nil || !strings.Contains(string(b), text) {
			return fmt.Errorf("%s has %s (%w)", e.name, b, err)
		}
	}
	return nil
}

func TestHandEdit(t *testing.T) {
	w := newWorld(t, 3)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)

	edited := filepath.Join(w.edges[1].TreeDir, "current", "servers", "acme.shop.test.conf")
	data, err := os.ReadFile(edited)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(edited)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), "client_max_body_size 1m;", "client_max_body_size 2m;", 1)
	if err := os.WriteFile(edited, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	// With the size and the time of before it is an edit all the same.
	if err := os.Chtimes(edited, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	w.until("the edit to be named", func() error {
		n, err := w.controller.Node("shared", "edge-2")
		if err == nil && (n.State != gateway.NodeDrifted || len(n.Drift) != 1) {
			err = fmt.Errorf("edge-2 is %s: %+v", n.State, n.Drift)
		}
		if err == nil && !strings.Contains(n.Drift[0].Diff, "-        client_max_body_size 1m;\n+        client_max_body_size 2m;") {
			err = fmt.Errorf("the hunk is %s", n.Drift[0].Diff)
		}
		return err
	})
	for _, name := range []string{"edge-1", "edge-3"} {
		if n, err := w.controller.Node("shared", name); err != nil || n.State != gateway.NodeInSync {
			t.Errorf("%s: %v %s", name, err, n.State)
		}
	}
	w.until("the edited file to be uploaded", func() error {
		list, err := w.controller.Diff("shared", "edge-1", "edge-2")
		if err != nil {
			return err
		}
		for _, d := range list {
			if d.Path == "servers/acme.shop.test.conf" && d.Change == "modified" && strings.Contains(d.Diff, "client_max_body_size 2m;") {
				return nil
			}
		}
		return fmt.Errorf("the difference is %+v", list)
	})
	checkDownload(t, w, w.edges[1])

	t.Log("the next bundle replaces the edit and says so")
	w.serve("", two)
	w.allAre(gateway.NodeInSync)
	n, err := w.controller.Node("shared", "edge-2")
	if err != nil || len(n.Overwritten) != 1 || !strings.Contains(n.Overwritten[0].Diff, "client_max_body_size 2m;") {
		t.Errorf("overwritten: %v %+v", err, n.Overwritten)
	}
}

// checkDownload compares the archive with the node's disk.
func checkDownload(t *testing.T, w *world, e *edge) {
	t.Helper()
	var buf bytes.Buffer
	if err := w.controller.Download("shared", e.name, &buf); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&buf)
	if err != nil {
		t.Fatal(err)
	}
	archive, seen := tar.NewReader(zip), 0
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(e.TreeDir, "current", strings.TrimPrefix(h.Name, "tree/"))
		if rest, ok := strings.CutPrefix(h.Name, "root/"); ok {
			path = "/" + rest
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s (%v)", h.Name, path, err)
		}
		seen++
	}
	onDisk, err := filepath.Glob(filepath.Join(e.TreeDir, "current", "*", "*.conf"))
	if err != nil || seen != len(onDisk)+1 {
		t.Errorf("the archive has %d files, the disk %d and nginx.conf", seen, len(onDisk))
	}
}
