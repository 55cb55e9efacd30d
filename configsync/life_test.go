package configsync_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestControlPlaneAway: nginx serves on, and what changed meanwhile arrives afterwards.
func TestControlPlaneAway(t *testing.T) {
	w := newWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	address := w.server.Listener.Addr().String()
	_ = w.server.Listener.Close()
	w.server.CloseClientConnections()
	w.serve("", two)
	w.expectAll("shop.test", 200, "one")
	w.edges[0].stop()
	w.startAgent(w.edges[0]) // also an agent that starts without the control plane leaves nginx alone
	w.expectAll("shop.test", 200, "one")

	again := secure(t, w, address)
	t.Cleanup(func() {
		w.edges[0].stop() // Close waits for open requests
		again.Close()
	})
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
}

// TestNginxDies: the node says so, changes reach the disk, and the next start runs them even
// though the killed nginx left its socket behind.
func TestNginxDies(t *testing.T) {
	w := newWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	e := w.edges[0]
	e.Kill()
	w.until("the stopped nginx to be noticed", func() error {
		n, err := w.controller.Node("shared", e.name)
		if err == nil && (n.Running != "" || n.Facts.PID != 0) {
			err = fmt.Errorf("it still runs %q as %d", n.Running, n.Facts.PID)
		}
		return err
	})
	w.serve("", two)
	w.until("the change to be on disk", func() error {
		n, err := w.controller.Node("shared", e.name)
		if err == nil && (n.OnDisk != n.Desired || n.Failed == nil || !strings.Contains(n.Failed.Message, "not running")) {
			err = fmt.Errorf("%+v", n)
		}
		return err
	})
	w.until("nginx to start", e.TryStart)
	t.Cleanup(e.Stop)
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
}

// TestBrokenByHand: a file that would not load is reported with nginx's words, also when it
// is not one of ours.
func TestBrokenByHand(t *testing.T) {
	w := newWorld(t, 1)
	w.serve("", backend(t, "one"))
	w.allAre(gateway.NodeInSync)
	e := w.edges[0]
	e.WriteConf(t, "bananas on;\n")
	w.allAre(gateway.NodeDrifted)
	n, err := w.controller.Node("shared", e.name)
	if err != nil || !strings.Contains(n.CheckError, `unknown directive "bananas"`) || len(n.Drift) != 0 {
		t.Errorf("got %v %+v", err, n)
	}
	t.Log("a new bundle is refused for it, and goes out once the file is right again")
	two := backend(t, "two")
	w.serve("", two)
	w.allAre(gateway.NodeFailed)
	w.expectAll("shop.test", 200, "one")
	e.WriteConf(t, "")
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")

	t.Log("files added and removed by hand")
	dir := filepath.Join(e.TreeDir, "current", "servers")
	if err := os.WriteFile(filepath.Join(dir, "mine.conf"), []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "acme.shop.test.conf")); err != nil {
		t.Fatal(err)
	}
	w.until("both to be named", func() error {
		n, err := w.controller.Node("shared", e.name)
		if err == nil && (len(n.Drift) != 2 || n.Drift[0].Change != "removed" || n.Drift[1].Change != "added" || n.Drift[1].Path != "servers/mine.conf") {
			err = fmt.Errorf("drift: %+v", n.Drift)
		}
		return err
	})
}

func TestTwoAgentsOnOneFolder(t *testing.T) {
	w := newWorld(t, 1)
	w.serve("", backend(t, "one"))
	w.allAre(gateway.NodeInSync)
	e := w.edges[0]
	err := agent.Run(t.Context(), agent.Config{Server: w.server.URL, Fleet: "shared", Node: "second", NginxConf: e.Conf, NginxPrefix: e.Dir, TreeDir: e.TreeDir})
	if err == nil || !strings.Contains(err.Error(), "another agent (pid ") {
		t.Errorf("got %v", err)
	}
}

func TestAgentConfig(t *testing.T) {
	for want, cfg := range map[string]agent.Config{
		`server "x" is not where agents are served`:        {Server: "x", Fleet: "f", TreeDir: "/t"},
		`server "http://x" is not where agents are served`: {Server: "http://x", Fleet: "f", TreeDir: "/t"},
		"fleet is not set":              {Server: "https://x", TreeDir: "/t"},
		"write an absolute path":        {Server: "https://x", Fleet: "f", TreeDir: "t"},
		"such as /var/lib/sluice-agent": {Server: "https://x", Fleet: "f", TreeDir: "/t", StateDir: "s"},
		"no such file or directory":     {Server: "https://x", Fleet: "f", TreeDir: t.TempDir(), NginxConf: "/nowhere/nginx.conf"},
		"ask /nowhere for its version":  {Server: "https://x", Fleet: "f", TreeDir: t.TempDir(), NginxBinary: "/nowhere"},
	} {
		if err := agent.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestOtherFleetIsUntouched: S2, changing a tenant of one fleet reloads nothing in another.
func TestOtherFleetIsUntouched(t *testing.T) {
	w := newWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	before, err := w.controller.Node("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	other := gateway.UpstreamKey{Tenant: "beta", Name: "api"}
	s := w.snapshot
	s.Tenants = append(s.Tenants[:1:1], &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "beta"}, Spec: gateway.TenantSpec{Fleets: []string{"private"}}})
	s.Upstreams = append(s.Upstreams[:1:1], &gateway.EffectiveUpstream{Key: other, Endpoints: []gateway.Endpoint{{Address: two, Weight: 1, InRotation: true}}})
	w.controller.Apply(&s)
	after, err := w.controller.Node("shared", "edge-1")
	if err != nil || after.Desired != before.Desired || after.Reloads != before.Reloads {
		t.Errorf("another fleet's tenant moved %s to %s (%v)", before.Desired, after.Desired, err)
	}
}

// TestUpgradeAndPaths: WebSocket's handshake and whole path elements through the real nginx.
func TestUpgradeAndPaths(t *testing.T) {
	w := newWorld(t, 1)
	upgrade := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			_, _ = fmt.Fprintf(rw, "plain %s connection=%q", r.URL.Path, r.Header.Get("Connection"))
			return
		}
		conn, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = buf.Flush()
		line, _ := buf.ReadString('\n')
		_, _ = buf.WriteString("echo " + line)
		_ = buf.Flush()
	}))
	t.Cleanup(upgrade.Close)
	address := strings.TrimPrefix(upgrade.URL, "http://")
	w.serve("", address)
	route := *w.snapshot.Hosts[0].Rules[0].Route
	s := w.snapshot
	s.Hosts = []*gateway.Host{{Name: "*.shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Exact: "/only"}, Route: &route}, {Path: gateway.PathMatch{Prefix: "/api"}, Route: &route}}}}
	w.controller.Apply(&s)
	w.allAre(gateway.NodeInSync)
	for path, want := range map[string]int{"/api": 200, "/api/": 200, "/api/x": 200, "/apix": 404, "/only": 200, "/only/x": 404, "/": 404} {
		req, err := http.NewRequest(http.MethodGet, "http://"+w.edges[0].Address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "a.b.shop.test:8080"
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	conn, err := net.Dial("tcp", w.edges[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte("GET /api/ws HTTP/1.1\r\nHost: x.shop.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(got.String(), "echo hello\n") {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
	if !strings.HasPrefix(got.String(), "HTTP/1.1 101 ") {
		t.Errorf("got %q", got.String())
	}
}

// TestReloadBudget: a burst of changes costs few reloads, and the last one arrives.
func TestReloadBudget(t *testing.T) {
	w := newWorld(t, 1)
	w.snapshot.Fleets[0].Spec.ReloadBudget.Every = gateway.Duration(3 * time.Second)
	addresses := []string{backend(t, "one"), backend(t, "two")}
	w.serve("", addresses...)
	w.allAre(gateway.NodeInSync)
	before, err := w.controller.Node("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for i := range 20 {
		w.serve("", addresses[i%2])
		time.Sleep(20 * time.Millisecond)
	}
	w.allAre(gateway.NodeInSync)
	after, err := w.controller.Node("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	allowed := 2 + uint64(time.Since(start)/(3*time.Second))
	if n := after.Reloads - before.Reloads; n > allowed {
		t.Errorf("%d reloads for 20 changes in %s, allowed are %d", n, time.Since(start), allowed)
	}
	w.expectAll("shop.test", 200, "two")
}

// TestNoRequestFails: requests keep being answered while bundles are applied.
func TestNoRequestFails(t *testing.T) {
	w := newWorld(t, 1)
	addresses := []string{backend(t, "one"), backend(t, "two")}
	w.serve("", addresses...)
	w.allAre(gateway.NodeInSync)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if code, body, err := get(w.edges[0], "shop.test"); err != nil || code != http.StatusOK {
				t.Errorf("request %d: %d %q %v", n, code, body, err)
			}
		}
		answered <- n
	}()
	for i := range 10 {
		w.serve("", addresses[i%2])
		w.allAre(gateway.NodeInSync)
	}
	cancel()
	if n := <-answered; n < 10 {
		t.Errorf("only %d requests were made", n)
	}
	if n, err := w.controller.Node("shared", "edge-1"); err != nil || n.Reloads < 11 || n.ReloadsFailed != 0 {
		t.Errorf("%v: %d reloads, %d failed", err, n.Reloads, n.ReloadsFailed)
	}
}

// TestRunEnds: ending the context ends the agent and leaves nginx running.
func TestRunEnds(t *testing.T) {
	w := newWorld(t, 1)
	w.serve("", backend(t, "one"))
	w.allAre(gateway.NodeInSync)
	w.edges[0].stop()
	w.expectAll("shop.test", 200, "one")
}
