package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// asksOnly sends requests through nginx and expects that the named backend answers none of them.
func (m mirror) asksOnly(without string, n int) error {
	for range n {
		if m.serves(without) == nil {
			return fmt.Errorf("%s was asked", without)
		}
	}
	return nil
}

// An nginx with the Lua module follows endpoints and verdicts without a reload: an endpoint that
// fails for its traffic is ejected, and returns, and its workers stay who they are.
func TestNginxLua(t *testing.T) {
	one, two, three := backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(tried, one, two, three))+"]\n")
	s.start()
	m := mirror{agenttest.New(t), "n1"}
	m.LoadLua(t, 2)
	m.Start(t)
	end := s.tend(m)
	defer func() { end(syscall.SIGTERM) }()
	var before gateway.Node
	s.eachNode("in step", []mirror{m}, func(_ mirror, n gateway.Node) error {
		before = n
		if n.Endpoints != gateway.EndpointsByLua {
			return fmt.Errorf("endpoints: %q", n.Endpoints)
		}
		return isInSync(n)
	})
	until(t, rollout, "all endpoints are asked", func() error { return m.serves("one") })
	workers := m.Workers()

	order(t, one, "status=502")
	took := until(t, rollout, "the endpoint that fails is left out", func() error {
		if bad := m.asks(40); bad > 0 {
			return fmt.Errorf("%d answers of 502", bad)
		}
		return nil
	})
	fmt.Printf("figure nginx_lua_evidence_down_s %.1f s goal 10\n", took.Seconds())
	s.ejectedByFleetOnly(m, one)
	order(t, one, "heal=1")
	until(t, rollout, "the endpoint returns", func() error { return m.serves("one") })

	if err := s.api("PUT", endpointsPath, endpoints(two, three), nil); err != nil {
		t.Fatal(err)
	}
	took = until(t, rollout, "the endpoint is gone", func() error { return m.asksOnly("one", 20) })
	fmt.Printf("figure nginx_lua_endpoints_ms %d ms goal 1000\n", took.Milliseconds())
	if took > 10*time.Second {
		t.Errorf("a change took %s", took)
	}
	s.eachNode("in step", []mirror{m}, func(_ mirror, n gateway.Node) error {
		if n.Reloads != before.Reloads || n.Running != before.Running {
			t.Errorf("nginx was reloaded: %+v, before %+v", n, before)
		}
		return isInSync(n)
	})
	if now := m.Workers(); !slices.Equal(now, workers) {
		t.Errorf("workers %v became %v", workers, now)
	}
}
