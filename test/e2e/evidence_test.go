package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// tried is the shop on an nginx fleet, whose endpoints are judged by real requests and by
// probes, which they always pass.
const tried = `
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
  health:
    active: {type: http, path: /healthz, interval: 500ms, timeout: 5s}
    passive: {baseEjection: 5s}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

// asks sends requests through nginx until stopped, and says how many were answered 502.
func (m mirror) asks(n int) (bad int) {
	for range n {
		req, err := http.NewRequest(http.MethodGet, "http://"+m.Address+"/", nil)
		if err != nil {
			return n
		}
		req.Host = "shop.example.com"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue // nginx reloads
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusBadGateway {
			bad++
		}
	}
	return bad
}

// listsUnderLoad sends requests through nginx until it lists the endpoint so.
func (m mirror) listsUnderLoad(t *testing.T, address, want string) time.Duration {
	t.Helper()
	return until(t, rollout, "nginx lists "+address+" as "+want, func() error {
		m.asks(20)
		if got := m.listed(address); got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

func order(t *testing.T, backend, query string) {
	t.Helper()
	resp, err := http.Post("http://"+backend+"/_control?"+query, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("order %s: %s", query, resp.Status)
	}
}

// An endpoint that fails only for nginx's traffic is ejected from nginx's evidence (S33), from
// the fleet alone, and returns. So it is by the socket, after a restart of the agent, by a file,
// and whether nginx.conf has logs of its own or none.
func TestNginxEvidence(t *testing.T) {
	one, two, three := backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(tried, one, two, three))+"]\n")
	s.start()
	m := mirror{agenttest.New(t), "n1"}
	m.Start(t)
	end := s.tend(m)
	m.listsUnderLoad(t, one, "up")
	order(t, one, "status=502")
	took := m.listsUnderLoad(t, one, "down")
	fmt.Printf("figure nginx_evidence_down_s %.1f s goal 10\n", took.Seconds())
	s.ejectedByFleetOnly(m, one)
	order(t, one, "heal=1")
	took = m.listsUnderLoad(t, one, "up")
	fmt.Printf("figure nginx_evidence_returned_s %.1f s goal 30\n", took.Seconds())

	t.Log("nginx finds the socket of the next agent")
	end(syscall.SIGKILL)
	m.asks(50)
	if errors, err := os.ReadFile(m.Dir + "/error.log"); err != nil || strings.Contains(string(errors), "connect() failed (") || strings.Contains(string(errors), "send() failed (") {
		t.Errorf("nginx complains about outcomes that nobody takes: %v\n%s", err, errors)
	}
	end = s.tend(m)
	s.eachNode("in step", []mirror{m}, func(_ mirror, n gateway.Node) error { return isInSync(n) })
	order(t, two, "status=503")
	m.listsUnderLoad(t, two, "down")
	order(t, two, "heal=1")
	m.listsUnderLoad(t, two, "up")

	t.Log("a file, beside a log of nginx.conf's own")
	end(syscall.SIGTERM)
	conf, err := os.ReadFile(m.Conf)
	if err == nil {
		err = os.WriteFile(m.Conf, []byte(strings.Replace(string(conf), "access_log off;", "access_log "+m.Dir+"/own.log;", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	end = s.tend(m, "--outcomes", "file")
	defer func() { end(syscall.SIGTERM) }()
	s.eachNode("in step", []mirror{m}, func(_ mirror, n gateway.Node) error {
		if !strings.HasSuffix(n.Facts.Outcomes, "/outcomes.log") {
			return fmt.Errorf("outcomes go to %q", n.Facts.Outcomes)
		}
		return isInSync(n)
	})
	order(t, three, "status=502")
	m.listsUnderLoad(t, three, "down")
	if own, err := os.ReadFile(m.Dir + "/own.log"); err != nil || !strings.Contains(string(own), `"GET / HTTP/1.1" 502`) {
		t.Errorf("nginx.conf's own log: %d bytes, %v", len(own), err)
	}
	// The last field is the name of nginx's server, which is the configuration's and not the client's.
	if left, err := os.ReadFile(m.TreeDir + "/log/outcomes.log"); err != nil || strings.Contains(strings.ReplaceAll(string(left), "|shop.example.com\n", ""), "shop.example.com") || strings.Contains(string(left), "GET /") || strings.Contains(string(left), "127.0.0.1 ") {
		t.Errorf("the outcome log: %d bytes, %v", len(left), err)
	}
}

func isInSync(n gateway.Node) error {
	if n.State != gateway.NodeInSync {
		return fmt.Errorf("%s: %+v", n.State, n.Failed)
	}
	return nil
}

// ejectedByFleetOnly expects that the edge goes on with an endpoint that the fleet has ejected,
// and that people are told so. An ejection ends after a while, and the next one needs requests.
func (s *instance) ejectedByFleetOnly(m mirror, address string) {
	t := s.t
	t.Helper()
	var h gateway.UpstreamHealth
	until(t, rollout, "an ejection by the fleet", func() error {
		m.asks(20)
		if err := s.api(http.MethodGet, "/tenants/acme/upstreams/api/health", nil, &h); err != nil {
			return err
		}
		if len(h.Fleets) != 1 || h.Fleets[0].Fleet != "shared" || len(h.Fleets[0].Verdicts) != 1 || h.Fleets[0].Verdicts[0].Address != address {
			return fmt.Errorf("health: %+v", h)
		}
		out, err := s.command("health", "ls")
		if err != nil || !strings.Contains(out, "for fleet shared: "+address) {
			return fmt.Errorf("sluice health ls: %w %s", err, out)
		}
		return nil
	})
	if len(h.Standings) != 0 || h.Ejected != 0 {
		t.Errorf("the edge has a part in it: %+v", h)
	}
	for _, v := range h.Verdicts {
		if v.Address == address && v.State != gateway.StateHealthy {
			t.Errorf("the edge, which has sent it no request, says %+v", v)
		}
	}
	var view upstreamView
	if err := s.api(http.MethodGet, endpointsPath, nil, &view); err != nil {
		t.Fatal(err)
	}
	for _, e := range view.Upstream.Endpoints {
		if !e.InRotation {
			t.Errorf("the edge has taken out %+v", e)
		}
	}
	if out, err := s.command("health", "log", "api", "-o", "json"); err != nil || !strings.Contains(out, `"observer": "fleet shared"`) || !strings.Contains(out, `"kind": "ejected"`) {
		t.Errorf("sluice health log: %v %s", err, out)
	}
}
