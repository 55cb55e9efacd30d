package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// luaSite is a real nginx with the Lua module, whose tree has one upstream, acme.api.
type luaSite struct {
	*site
	socket liveSocket
	file   string
	client *http.Client
}

func newLuaSite(t *testing.T, workers int) *luaSite {
	t.Helper()
	n := agenttest.New(t)
	n.LoadLua(t, workers)
	a, err := newApplier(n.Conf, n.Dir, n.TreeDir, patience)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLive(a.cfg, a.disk)
	if err != nil {
		t.Fatal(err)
	}
	n.Start(t)
	s := &luaSite{site: &site{Nginx: n, applier: a, t: t}, socket: l.socket, file: l.file}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	t.Cleanup(s.client.CloseIdleConnections)
	s.mustApply(s.luaTree())
	return s
}

// luaTree sends shop.test to acme.api; what edit changes stands in the files.
func (s *luaSite) luaTree(edit ...func(*gateway.EffectiveUpstream)) *nginxconf.Tree {
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	u := &gateway.EffectiveUpstream{Key: key, Protocol: "http", Timeouts: gateway.Timeouts{Connect: gateway.Duration(5 * time.Second)}, Retry: gateway.Retry{Attempts: 3}}
	for _, f := range edit {
		f(u)
	}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", MaxBodySize: 1 << 20, Targets: []gateway.Target{{Upstream: key, Weight: 1}}}
	snapshot := &gateway.Snapshot{
		Tenants:   []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:     []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		Upstreams: []*gateway.EffectiveUpstream{u},
	}
	facts := gateway.NodeFacts{TreePath: s.disk.link(), Modules: append([]string{nginxconf.ModuleLua}, s.nginx.build.modules...), Listen: []string{s.Address}}
	tree, problems := nginxconf.Render(snapshot, "shared", facts)
	if len(problems) > 0 {
		s.t.Fatalf("problems: %+v", problems)
	}
	return &tree
}

// put gives nginx a set for acme.api under a version of its own.
func (s *luaSite) put(version string, lines ...string) {
	s.t.Helper()
	text := "set acme.api\n"
	for _, line := range lines {
		text += line + "\n"
	}
	sets := liveSets{version: version, texts: map[string]string{"acme.api": text}}
	for _, body := range sets.pushes("", nil) {
		if got, err := s.socket.push(context.Background(), body); err != nil || got != version {
			s.t.Fatalf("push: %q %v", got, err)
		}
	}
}

// ask is one request; the status is 0 when there was no answer.
func (s *luaSite) ask() (status int, body string) {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.Address+"/x", nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Host = "shop.test"
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// count asks n times and counts the answers by their text.
func (s *luaSite) count(n int) map[string]int {
	s.t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	got := map[string]int{}
	for range 8 {
		group.Go(func() {
			for range n / 8 {
				status, body := s.ask()
				mu.Lock()
				got[fmt.Sprint(status, " ", strings.TrimSpace(body))]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return got
}

// origin answers with its name, and counts the connections that it was given.
type origin struct {
	address     string
	connections atomic.Int64
}

func newOrigin(t *testing.T, name, listen string) *origin {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{address: l.Addr().String()}
	server := &httptest.Server{Listener: l, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				o.connections.Add(1)
			}
		}}}
	server.Start()
	t.Cleanup(server.Close)
	return o
}

// refusing is an address that nobody listens on, while this test holds it.
func refusing(t *testing.T) string {
	t.Helper()
	held, err := net.Dial("tcp", newOrigin(t, "holder", "127.0.0.1:0").address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	return held.LocalAddr().String() // bound, and not listening
}

func TestLuaWeights(t *testing.T) {
	s := newLuaSite(t, 2)
	one, two, six := newOrigin(t, "one", "127.0.0.1:0"), newOrigin(t, "two", "127.0.0.1:0"), newOrigin(t, "six", "[::1]:0")
	s.put("1", one.address+" 1 0", two.address+" 3 0", six.address+" 6 0")
	got := s.count(10000)
	for name, share := range map[string]int{"200 one": 1000, "200 two": 3000, "200 six": 6000} {
		if n := got[name]; n < share*97/100 || n > share*103/100 {
			t.Errorf("%s: %d of 10000, want %d: %v", name, n, share, got)
		}
	}
	if n := one.connections.Load() + two.connections.Load() + six.connections.Load(); n > 500 {
		t.Errorf("10000 requests took %d connections: they are not kept alive", n)
	}
}

func TestLuaDownAndBackup(t *testing.T) {
	s := newLuaSite(t, 2)
	one, two, three := newOrigin(t, "one", "127.0.0.1:0"), newOrigin(t, "two", "127.0.0.1:0"), newOrigin(t, "three", "127.0.0.1:0")
	for i, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{one.address + " 1 0", two.address + " 1 0 down", three.address + " 1 1"}, "200 one"},
		{[]string{one.address + " 1 0 down", two.address + " 1 0", three.address + " 1 1"}, "200 two"},
		{[]string{one.address + " 1 0 down", two.address + " 1 1 down", three.address + " 1 7"}, "200 three"},
		{[]string{one.address + " 1 0 down"}, "503"},
		{nil, "503"},
		{[]string{one.address + " 1 0"}, "200 one"},
	} {
		s.put(fmt.Sprint(i), c.lines...)
		got := s.count(80)
		for text := range got {
			if !strings.HasPrefix(text, c.want) {
				t.Errorf("%q: got %v, want %s only", c.lines, got, c.want)
			}
		}
	}
}

func TestLuaRetries(t *testing.T) {
	s := newLuaSite(t, 2)
	one, dead := newOrigin(t, "one", "127.0.0.1:0"), refusing(t)
	s.put("1", one.address+" 1 0", dead+" 1 0")
	if got := s.count(400); got["200 one"] != 400 {
		t.Errorf("with one that refuses: %v", got)
	}
	s.put("2", dead+" 1 0", one.address+" 1 1")
	if got := s.count(400); got["200 one"] != 400 {
		t.Errorf("with a backup behind one that refuses: %v", got)
	}
	s.put("3", dead+" 1 0")
	if got := s.count(16); len(got) != 1 || !strings.HasPrefix(first(got), "502") {
		t.Errorf("with none but one that refuses: %v", got)
	}
}

func first(m map[string]int) string {
	for k := range m {
		return k
	}
	return ""
}

// TestLuaRestart: nginx starts with the sets of the file, without an agent, and a reload keeps
// those that were pushed since.
func TestLuaRestart(t *testing.T) {
	s := newLuaSite(t, 2)
	one, two := newOrigin(t, "one", "127.0.0.1:0"), newOrigin(t, "two", "127.0.0.1:0")
	sets := liveSets{version: "7", texts: map[string]string{"acme.api": "set acme.api\n" + one.address + " 1 0\n"}}
	if err := sets.save(s.file); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start(t)
	if got := s.count(80); got["200 one"] != 80 {
		t.Errorf("after a restart: %v", got)
	}
	if v, err := s.socket.version(context.Background()); err != nil || v != "7" {
		t.Errorf("version %q: %v", v, err)
	}
	s.put("8", two.address+" 1 0")
	s.mustApply(s.luaTree(func(u *gateway.EffectiveUpstream) { u.Timeouts.Idle = gateway.Duration(time.Second) }))
	if got := s.count(80); got["200 two"] != 80 {
		t.Errorf("after a reload: %v", got)
	}
	if err := os.WriteFile(s.file, []byte("sluice-live 1\nset acme.api\n"+one.address+" 1 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Start(t)
	if got := s.count(80); len(got) != 1 || !strings.HasPrefix(first(got), "503") {
		t.Errorf("after a restart with a file that is cut off: %v", got)
	}
}

// TestLuaHostileSets: nothing of a push that holds one bad line is taken.
func TestLuaHostileSets(t *testing.T) {
	s := newLuaSite(t, 1)
	one := newOrigin(t, "one", "127.0.0.1:0")
	s.put("1", one.address+" 1 0")
	good := "set acme.other\n10.0.0.1:80 1 0\n"
	for _, bad := range []string{
		"unix:/run/docker.sock 1 0", "localhost:80 1 0", "10.0.0.1 1 0", "10.0.0.1:0 1 0", "10.0.0.1:65536 1 0", "10.0.0.256:80 1 0", "10.0.0.1:80 1",
		"10.0.0.1:80 -1 0", "10.0.0.1:80 1e9 0", "10.0.0.1:80 1 0 up", "10.0.0.1:80  1 0", "10.0.0.1:80 1 0 down ", "[::1:80 1 0", "::1:80 1 0", "[10.0.0.1]:80 1 0",
		"[fe80::1%eth0]:80 1 0", "10.0.0.1:80 9999999999 0", "set ACME", "set a b", "set a;b", "set =version", "set t:acme.api", "delete", "from x",
		"10.0.0.1:80 1 0\r", "\x00", "version 2", "os.exit()", "", "set " + strings.Repeat("a", 251),
	} {
		body := liveHead + good + bad + "\nversion 3\n"
		if got, err := s.socket.push(context.Background(), []byte(body)); err == nil || !strings.Contains(err.Error(), "400: line ") {
			t.Errorf("%q is taken: %q %v", bad, got, err)
		}
	}
	for _, body := range []string{"", "version 3\n", liveHead, liveHead + good, liveHead + "version 3", "sluice-live 2\nversion 3\n"} {
		if got, err := s.socket.push(context.Background(), []byte(body)); err == nil || !strings.Contains(err.Error(), "400: ") {
			t.Errorf("%q is taken: %q %v", body, got, err)
		}
	}
	if _, err := s.socket.push(context.Background(), []byte(liveHead+"from 0\n"+good+"version 3\n")); !errors.Is(err, errOtherSets) {
		t.Errorf("a push that builds on other sets: %v", err)
	}
	if v, err := s.socket.version(context.Background()); err != nil || v != "1" {
		t.Errorf("version %q: %v", v, err)
	}
	if got := s.count(16); got["200 one"] != 16 {
		t.Errorf("afterwards: %v", got)
	}
	info, err := os.Stat(strings.TrimSuffix(s.socket.path, "/push.sock"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can open the socket's folder: %v %v", info.Mode(), err)
	}
}

// TestLuaChangesUnderLoad: 100 changes, no failed request, no new worker.
func TestLuaChangesUnderLoad(t *testing.T) {
	s := newLuaSite(t, 2)
	one, two, three := newOrigin(t, "one", "127.0.0.1:0"), newOrigin(t, "two", "127.0.0.1:0"), newOrigin(t, "three", "127.0.0.1:0")
	s.put("0", one.address+" 1 0")
	before := s.Workers()
	var stop atomic.Bool
	var asked, failed atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for !stop.Load() {
				asked.Add(1)
				if status, body := s.ask(); status != 200 {
					failed.Add(1)
					t.Errorf("a request failed: %d %s", status, body)
				}
			}
		})
	}
	all := []string{one.address + " 1 0", two.address + " 2 0", three.address + " 1 1"}
	for i := range 100 {
		lines := slices.Clone(all)
		lines[i%3] += " down"
		if i%4 == 0 {
			lines = lines[:0]
			lines = append(lines, all[i%3])
		}
		s.put(fmt.Sprint(i+1), lines...)
		time.Sleep(5 * time.Millisecond)
	}
	stop.Store(true)
	load.Wait()
	if after := s.Workers(); !slices.Equal(before, after) {
		t.Errorf("workers %v became %v", before, after)
	}
	t.Logf("figure lua_changes_failed_requests %d requests goal 0 (of %d, over 100 changes)", failed.Load(), asked.Load())
}
