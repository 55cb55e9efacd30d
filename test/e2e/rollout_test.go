package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// waved is a shop on a fleet that gets changes by waves. One of its upstreams fails.
const waved = `
kind: Fleet
name: shared
spec: {reloadBudget: {every: 1s}, waves: [1, 100%%], bake: %s, gates: {minRequests: 20}}
---
kind: Tenant
name: acme
spec: {hosts: [shop.example.com], fleets: [shared]}
---
kind: Upstream
name: api
tenant: acme
spec: {endpoints: [{address: %q}]}
---
kind: Upstream
name: broken
tenant: acme
spec: {endpoints: [{address: %q}]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

const routePath = "/tenants/acme/routes/all"

// send points the route at an upstream.
func (s *instance) send(upstream string) {
	s.t.Helper()
	route := gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: "all"},
		Spec: gateway.RouteSpec{Hosts: []string{"shop.example.com"}, To: []gateway.RouteTarget{{Upstream: upstream}}}}
	if err := s.api(http.MethodPut, routePath, route, nil); err != nil {
		s.t.Fatal(err)
	}
}

// reaches waits until the last rollout of the fleet is in a state.
func (s *instance) reaches(states ...gateway.RolloutState) (r gateway.Rollout) {
	s.t.Helper()
	until(s.t, rollout, fmt.Sprintf("a rollout that is %v", states), func() error {
		if err := s.api(http.MethodGet, "/fleets/shared/rollouts/current", nil, &r); err != nil {
			return err
		}
		for _, state := range states {
			if r.State == state {
				return nil
			}
		}
		return fmt.Errorf("revision %d is %s in wave %d: %s", r.Revision, r.State, r.Wave, r.Reason)
	})
	return r
}

// hadTrees are the bundles that a node has on disk, of which the last five are kept.
func (m mirror) hadTrees(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(m.TreeDir + "/trees/*")
	if err != nil || len(all) == 0 {
		t.Fatalf("%s has no trees: %v", m.name, err)
	}
	return all
}

// A change that passes nginx -t and answers 5xx halts on the first node and is taken back; the
// others never saw it. Endpoints that change meanwhile reach all nodes.
func TestRolloutHalts(t *testing.T) {
	one, two, broken := backend(t, "one", ""), backend(t, "two", ""), backend(t, "broken", "")
	order(t, broken, "status=500")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(waved, "20s", one, broken))+"]\n")
	s.start()
	var members []mirror
	for _, name := range []string{"n1", "n2", "n3", "n4"} {
		members = append(members, s.mirrorTo(name))
	}
	s.eachNode("first revision", members, numbered("one"))
	before := map[string]int{}
	for _, m := range members {
		before[m.name] = len(m.hadTrees(t))
	}
	load := loadNodes("shop.example.com", members, 5*time.Millisecond)
	defer load.stop()
	until(t, rollout, "requests", func() error {
		if asked, _, _ := load.total(); asked < 1000 {
			return errors.New("few")
		}
		return nil
	})

	begin := time.Now()
	s.send("broken")
	r := s.reaches(gateway.RolloutFailed)
	fmt.Printf("figure fleet_rollout_halt_s %.1f s goal 30\n", time.Since(begin).Seconds())
	t.Logf("halted: %s", r.Reason)
	if !strings.Contains(r.Reason, "5xx") || !strings.Contains(r.Reason, "on 1 node with the change") || r.Wave != 1 || len(r.Waves[0].Nodes) != 1 || r.Waves[0].Nodes[0] != "n1" {
		t.Errorf("%+v", r)
	}
	s.eachNode("back", members, inSync("one"))
	load.stop()
	for _, m := range members[1:] {
		c := load.counts[m.name]
		if _, saw := c.by.Load("broken"); saw || c.failed.Load() > 0 {
			t.Errorf("clients of %s saw the change: %d of %d requests failed, first %v", m.name, c.failed.Load(), c.asked.Load(), c.first.Load())
		}
		if n := len(m.hadTrees(t)); n != before[m.name] {
			t.Errorf("%s has %d trees, before the change %d", m.name, n, before[m.name])
		}
	}
	if _, saw := load.counts["n1"].by.Load("broken"); !saw {
		t.Error("no client of n1 saw the change, so nothing was tried")
	}
	s.tellsOfFailure()

	t.Log("an endpoint that changes while a change waits to be corrected reaches all nodes")
	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	s.eachNode("endpoints", members, inSync("two"))
	t.Log("what was wanted before is wanted again: nothing is left to tell")
	s.send("api")
	until(t, rollout, "no alert", func() error {
		if out, err := s.command("alerts", "ls"); err != nil || strings.Contains(out, "took a change back") {
			return fmt.Errorf("%s %w", out, err)
		}
		return nil
	})
}

// tellsOfFailure looks at problems, alerts, history and metrics.
func (s *instance) tellsOfFailure() {
	s.t.Helper()
	until(s.t, rollout, "alert", func() error {
		if out, err := s.command("alerts", "ls"); err != nil || !strings.Contains(out, "fleet shared took a change back") {
			return fmt.Errorf("%s %w", out, err)
		}
		return nil
	})
	for _, c := range []struct{ want, command string }{
		{"failed", "fleet rollout ls shared"},
		{"Route acme/all", "fleet rollout status shared"},
		{"admin", "fleet rollout ls shared"},
	} {
		if out, err := s.command(strings.Fields(c.command)...); err != nil || !strings.Contains(out, c.want) {
			s.t.Errorf("sluice %s says nothing of %q: %s %v", c.command, c.want, out, err)
		}
	}
	resp, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	text := string(b)
	if !strings.Contains(text, `sluice_fleet_rollout{fleet="shared",state="failed"} 1`) || !strings.Contains(text, `sluice_fleet_revision{fleet="shared"} 3`) {
		s.t.Error("the metrics do not tell that a rollout has failed")
	}
}

// The control plane is killed during a rollout. After its start the rollout goes on where it
// was: the first node keeps the change, the others wait, endpoints reach both, and a person may
// end the bake, with the progress on the command line.
func TestRolloutSurvivesRestart(t *testing.T) {
	one, two, three := backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")
	s := configure(t, "")
	s.launch()
	t.Cleanup(func() { s.kill() })
	s.must("apply", "-f", objectFile(t, fmt.Sprintf(waved, "10m", one, three)))
	members := []mirror{s.mirrorTo("n1"), s.mirrorTo("n2"), s.mirrorTo("n3")}
	s.eachNode("first revision", members, numbered("one"))
	s.eachNode("a while later", members, func(m mirror, n gateway.Node) error {
		// A node that has just come may still tell new facts of itself; the first files for those are the newest.
		if since := time.Since(n.RunningSince); since < 3*time.Second {
			return fmt.Errorf("%s runs its files since %s", m.name, since)
		}
		return inSync("one")(m, n)
	})
	s.send("broken") // which works
	r := s.reaches(gateway.RolloutBaking)
	s.kill()
	s.launch()
	if again := s.reaches(gateway.RolloutBaking, gateway.RolloutRolling); again.Revision != r.Revision || again.Wave != 1 {
		t.Errorf("after the restart: %+v", again)
	}
	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	by := map[string]string{"n1": "three", "n2": "two", "n3": "two"}
	s.eachNode("each at its revision", members, func(m mirror, n gateway.Node) error {
		want := r.From
		if by[m.name] == "three" {
			want = r.Revision
		}
		if n.Revision != want {
			return fmt.Errorf("%s is told revision %d, want %d", m.name, n.Revision, want)
		}
		return inSync(by[m.name])(m, n)
	})
	s.reaches(gateway.RolloutBaking)
	s.must("fleet", "rollout", "pause", "shared")
	if out, err := s.command("fleet", "rollout", "promote", "shared"); err != nil {
		t.Errorf("promote while paused: %s %v", out, err)
	}
	s.must("fleet", "rollout", "resume", "shared")
	watched := make(chan string, 1)
	go func() {
		out, err := s.command("fleet", "rollout", "status", "shared", "--watch", "--every", "50ms")
		watched <- fmt.Sprintf("%s%v", out, err)
	}()
	until(t, rollout, "second wave", func() error {
		if err := s.api(http.MethodGet, "/fleets/shared/rollouts/current", nil, &r); err != nil || r.Wave != 2 || r.State != gateway.RolloutBaking {
			return fmt.Errorf("%s wave %d %w", r.State, r.Wave, err)
		}
		return nil
	})
	s.must("fleet", "rollout", "promote", "shared")
	if r = s.reaches(gateway.RolloutDone); r.Reason != "All nodes run the change." {
		t.Errorf("%+v", r)
	}
	if out := <-watched; !strings.Contains(out, "baking, wave 2 of 2, 3 of 3 nodes have it") || !strings.HasSuffix(out, "<nil>") {
		t.Errorf("watched: %s", out)
	}
	s.eachNode("the change", members, inSync("three"))
}

// numbered is inSync, and content once the fleet has its first revision: what is changed before is a
// part of that, and no rollout.
func numbered(backend string) func(mirror, gateway.Node) error {
	return func(m mirror, n gateway.Node) error {
		if n.Revision == 0 {
			return errors.New("the fleet has no revision yet")
		}
		return inSync(backend)(m, n)
	}
}

// A node is drained before its change: its health address answers 503 for as long as the fleet
// says, before anything changes, and 200 again afterwards. Endpoints do not wait for that.
func TestRolloutDrains(t *testing.T) {
	one, two, three := backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")
	objects := strings.Replace(fmt.Sprintf(waved, "0s", one, three), "bake: 0s", "bake: 0s, drain: 3s", 1)
	s := configure(t, "objects: ["+objectFile(t, objects)+"]\n")
	s.start()
	m := s.mirrorTo("n1")
	s.eachNode("first revision", []mirror{m}, numbered("one"))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	health := func() int {
		status, _, err := askNode(&client, m, "sluice-health")
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	// drained is how long the node can have been drained before the change, or 0 when nobody saw
	// it drained: from the last look that found it healthy to the first one at the change.
	drained := func() (most time.Duration) {
		healthy, changed := time.Now(), time.Time{}
		seen := false
		until(t, rollout, "the change", func() error {
			time.Sleep(10 * time.Millisecond)
			began := time.Now()
			status := health()
			_, by, err := askNode(&client, m, "shop.example.com")
			if err != nil {
				t.Fatal(err)
			}
			if by != "one" && changed.IsZero() {
				changed = time.Now()
			}
			switch {
			case status == http.StatusServiceUnavailable && changed.IsZero():
				seen = true
			case status == http.StatusOK && !changed.IsZero():
				return nil
			case status == http.StatusOK && !seen:
				healthy = began
			}
			return errors.New("not yet")
		})
		if !seen {
			return 0
		}
		return changed.Sub(healthy)
	}
	if health() != http.StatusOK {
		t.Error("the node is not healthy")
	}
	s.send("broken") // which works
	if took := drained(); took < 3*time.Second {
		t.Errorf("it was drained for %s before its change", took)
	}
	s.reaches(gateway.RolloutDone)
	s.send("api")
	s.reaches(gateway.RolloutDone)
	s.eachNode("back", []mirror{m}, inSync("one"))
	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	if took := drained(); took != 0 {
		t.Errorf("it was drained for %s before an endpoint changed", took)
	}
}
