package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// seen is the shop with endpoints that are probed, on an nginx fleet, too.
const seen = `
kind: Fleet
name: shared
spec: {reloadBudget: {every: 1s}}
---
kind: Tenant
name: acme
spec: {hosts: [shop.example.com], fleets: [shared]}
---
kind: Upstream
name: api
tenant: acme
spec:
  endpoints: [{address: %q}, {address: %q}, {address: %q}]
  health: {active: {type: http, path: /healthz, interval: 300ms, timeout: 5s, rise: 2, fall: 3}}
  slowStart: 0s
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

// named gives the instance another name, and its store.
func (s *instance) named(name, etcd string) *instance {
	s.t.Helper()
	file := s.dir + "/sluice.yaml"
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(text), "node: e2e", "node: "+name, 1)+fmt.Sprintf("store: {etcd: {endpoints: [%q]}}\n", etcd)), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s
}

// standing is how the observers see an endpoint, as this instance tells: "path_bad of 3: edge-1 healthy, ...".
func (s *instance) standing(address string) (string, error) {
	var h gateway.UpstreamHealth
	if err := s.api(http.MethodGet, "/tenants/acme/upstreams/api/health", nil, &h); err != nil {
		return "", err
	}
	for _, st := range h.Standings {
		if st.Address == address {
			var sights []string
			for _, sight := range st.Sights {
				sights = append(sights, sight.Observer+" "+string(sight.State))
			}
			return fmt.Sprintf("%s of %d: %s", st.Scope, st.Observers, strings.Join(sights, ", ")), nil
		}
	}
	return "", nil
}

// sees waits until the instance tells that about an endpoint.
func (s *instance) sees(address, want string) time.Duration {
	s.t.Helper()
	return until(s.t, time.Minute, "a standing of "+address, func() error {
		got, err := s.standing(address)
		if err == nil && got != want {
			err = fmt.Errorf("it is %q, want %q", got, want)
		}
		return err
	})
}

// far is an edge in a network namespace of its own, behind a cable whose ends are 10.9.0.1, here,
// and 10.9.0.2.
type far struct {
	*instance
	etcd net.Listener
}

// farEdge starts sluice at the far end. The store is reached through the near end.
func farEdge(t *testing.T, name, etcd string) *far {
	t.Helper()
	ip(t, "link add near type veth peer name far")
	ip(t, "addr add 10.9.0.1/24 dev near")
	ip(t, "link set near up")
	f := &far{instance: configure(t, "")}
	var err error
	if f.etcd, err = net.Listen("tcp", "10.9.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.etcd.Close() })
	go forward(f.etcd, strings.TrimPrefix(etcd, "http://"))
	f.named(name, "http://"+f.etcd.Addr().String())
	file := f.dir + "/sluice.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.NewReplacer(f.http, "10.9.0.2:8080", f.ops, "10.9.0.2:9081").Replace(string(text))
	f.http, f.ops = "10.9.0.2:8080", "10.9.0.2:9081"
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	// It waits for its end of the cable, and becomes sluice.
	f.cmd = exec.Command("sh", "-c", `until ip -4 addr show dev far 2>/dev/null | grep -q inet && ip route show default | grep -q via; do sleep 0.05; done; exec "$@"`, "sh",
		program(t, "sluice"), "serve", "--config", file)
	f.cmd.Env = append(os.Environ(), "SLUICE_ADMIN_TOKEN="+adminToken)
	f.cmd.Stderr = f.log
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.kill)
	ip(t, fmt.Sprintf("link set far netns %d", f.cmd.Process.Pid))
	f.ip("link set lo up")
	f.ip("link set far up")
	f.ip("addr add 10.9.0.2/24 dev far")
	f.ip("route add default via 10.9.0.1")
	until(t, time.Minute, "the far edge", func() error { return expectStatus("http://"+f.ops+"/readyz", 200) })
	return f
}

// ip runs ip(8) in this namespace.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v %s", args, err, out)
	}
}

// ip runs ip(8) at the far end.
func (f *far) ip(args string) {
	f.t.Helper()
	if out, err := f.inside("ip", strings.Fields(args)...); err != nil {
		f.t.Fatalf("ip %s at the far end: %v %s", args, err, out)
	}
}

// inside runs a program in the network of the far end.
func (f *far) inside(name string, args ...string) (string, error) {
	cmd := exec.Command("nsenter", append([]string{"-t", fmt.Sprint(f.cmd.Process.Pid), "-n", name}, args...)...)
	cmd.Env = append(os.Environ(), "SLUICE_SERVER=http://"+f.admin, "SLUICE_TOKEN="+adminToken)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// forward passes connections on to an address until the listener is closed.
func forward(ln net.Listener, to string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			d, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer func() { _ = d.Close() }()
			go func() { _, _ = io.Copy(d, c); _ = d.Close() }()
			_, _ = io.Copy(c, d)
		}()
	}
}

// listed is how nginx's configuration on disk lists an endpoint: "up", "down" or "nowhere".
func (m mirror) listed(address string) string {
	text, _ := os.ReadFile(filepath.Join(m.TreeDir, "current", "upstreams", "acme.api.conf")) // before the first rollout there is none
	switch {
	case strings.Contains(string(text), "server "+address+" down;"):
		return "down"
	case strings.Contains(string(text), "server "+address+";"):
		return "up"
	}
	return "nowhere"
}

func (m mirror) lists(t *testing.T, address, want string) time.Duration {
	t.Helper()
	return until(t, rollout, "nginx lists "+address+" as "+want, func() error {
		if got := m.listed(address); got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// One of three edges loses its path to an endpoint: only that edge leaves it out, shown as
// path-bad, and the fleet keeps it (S47). When the endpoint itself dies all leave it out, and
// nginx has it as down within the reload budget. What an edge says lapses when it is gone.
func TestOneEdgeLosesItsPath(t *testing.T) {
	if !inNamespace(t, "10.8.0.1", "10.8.0.2", "10.8.0.3") {
		return
	}
	etcd := storetest.StartCluster(t, storetest.Options{Members: 1}).Endpoints[0]
	cut, dying, third := backend(t, "cut", "10.8.0.1:8080"), "10.8.0.2:8080", backend(t, "third", "10.8.0.3:8080")
	dies := exec.Command(program(t, "backend"), "-listen", "dying="+dying)
	if err := dies.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dies.Process.Kill() }()
	one := configure(t, "").named("edge-1", etcd)
	one.start()
	if out, err := one.command("apply", "-f", objectFile(t, fmt.Sprintf(seen, cut, dying, third))); err != nil {
		t.Fatal(err, out)
	}
	two := configure(t, "").named("edge-2", etcd)
	two.start()
	three := farEdge(t, "edge-3", etcd)
	m := one.mirrorTo("n1")
	m.lists(t, cut, "up")
	asks := func(f *instance, n int) map[string]int {
		names := map[string]int{}
		for range n {
			name, status := f.answeredBy("shop.example.com")
			names[fmt.Sprint(name, " ", status)]++
		}
		return names
	}
	until(t, time.Minute, "all backends through the far edge", func() error {
		if got := asks(three.instance, 30); len(got) != 3 {
			return fmt.Errorf("answers: %v", got)
		}
		return nil
	})

	three.ip("route add unreachable " + strings.TrimSuffix(cut, ":8080"))
	took := one.sees(cut, "path_bad of 3: edge-1 healthy, edge-2 healthy, edge-3 down")
	fmt.Printf("figure path_bad_shown_s %.1f s goal 10\n", took.Seconds())
	two.sees(cut, "path_bad of 3: edge-1 healthy, edge-2 healthy, edge-3 down")
	if got := asks(three.instance, 60); got["cut 200"] > 0 || got["dying 200"]+got["third 200"] != 60 {
		t.Errorf("answers through the edge without a path: %v", got)
	}
	for _, near := range []*instance{one, two} {
		if got := asks(near, 60); got["cut 200"] == 0 || got["cut 200"]+got["dying 200"]+got["third 200"] != 60 {
			t.Errorf("answers through an edge with a path: %v", got)
		}
	}
	if out, err := one.command("health", "ls"); err != nil || !strings.Contains(out, "PATH BAD "+cut+" (edge-1 healthy, edge-2 healthy, edge-3 down)") {
		t.Errorf("sluice health ls: %v %s", err, out)
	}
	if out, err := three.inside(program(t, "sluice"), "health", "ls"); err != nil || !strings.Contains(out, "PATH BAD "+cut) {
		t.Errorf("sluice health ls at the far end: %v %s", err, out)
	}

	_ = dies.Process.Kill()
	_ = dies.Wait()
	begin := time.Now()
	m.lists(t, dying, "down")
	fmt.Printf("figure node_bad_in_nginx_s %.1f s goal 15\n", time.Since(begin).Seconds())
	one.sees(dying, "node_bad of 3: edge-1 down, edge-2 down, edge-3 down")
	if got := m.listed(cut); got != "up" {
		t.Errorf("the fleet lists the endpoint with one bad path as %s", got)
	}

	three.kill()
	took = one.sees(cut, "")
	fmt.Printf("figure verdicts_lapsed_s %.1f s goal 30\n", took.Seconds())
	one.sees(dying, "node_bad of 2: edge-1 down, edge-2 down")
}
