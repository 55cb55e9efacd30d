package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// largeNodes and largeUpstreams are the fleet of one machine.
const (
	largeNodes     = 20
	largeUpstreams = 500
)

// large is a shop with many upstreams on a fleet that gets changes by waves, each with a host of
// its own.
func large(address string) string {
	var b strings.Builder
	b.WriteString(`
kind: Fleet
name: shared
spec: {reloadBudget: {every: 1s}, waves: [1, 100%], bake: 1s}
---
kind: Tenant
name: acme
spec: {hosts: ["shop.example.com", "*.shop.example.com"], fleets: [shared]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`)
	for i := range largeUpstreams {
		name := fmt.Sprintf("api%d", i)
		if i == 0 {
			name = "api"
		}
		fmt.Fprintf(&b, "---\nkind: Upstream\nname: %s\ntenant: acme\nspec: {endpoints: [{address: %q}]}\n", name, address)
		if i > 0 {
			fmt.Fprintf(&b, "---\nkind: Route\nname: r%d\ntenant: acme\nspec: {hosts: [h%d.shop.example.com], to: [{upstream: %s}]}\n", i, i, name)
		}
	}
	return b.String()
}

// running waits until every node runs what it should and a request through it is answered by the
// named backend. It leaves the machine to the nodes between two looks.
func (s *instance) running(what string, members []mirror, by string) time.Duration {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	return until(s.t, 5*time.Minute, what, func() error {
		time.Sleep(50 * time.Millisecond)
		var list struct{ Items []gateway.Node }
		if err := s.api(http.MethodGet, "/fleets/shared/nodes", nil, &list); err != nil {
			return err
		}
		if len(list.Items) != len(members) {
			return fmt.Errorf("%d nodes", len(list.Items))
		}
		var errs []error
		for i, n := range list.Items {
			if n.State != gateway.NodeInSync || n.Running == "" {
				errs = append(errs, fmt.Errorf("%s is %s: desired %.8s, running %.8s, %+v", n.Node, n.State, n.Desired, n.Running, n.Failed))
				continue
			}
			m := members[i]
			if status, got, err := askNode(&client, m, "shop.example.com"); err != nil || status != http.StatusOK || got != by {
				errs = append(errs, fmt.Errorf("%s: status %d by %q: %w", m.name, status, got, err))
			}
		}
		return errors.Join(errs...)
	})
}

// 20 nginx and 20 agents on one machine, with 500 upstreams: one endpoint that changes runs on
// all of them within the reload budget and 3 s. Then 100 changes of
// endpoints and routes reach them under load, and no request fails.
func TestTwentyNodes(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, large(one))+"]\n")
	s.start()
	var members []mirror
	for i := range largeNodes {
		members = append(members, s.mirrorTo(fmt.Sprintf("n%02d", i+1)))
	}
	s.running("first revision", members, "one")

	const goal = 1 + 3.0 // the reload budget, and 3 s
	change := func(to, by string) time.Duration {
		t.Helper()
		if err := s.api(http.MethodPut, endpointsPath, endpoints(to), nil); err != nil {
			t.Fatal(err)
		}
		return s.running("one endpoint", members, by)
	}
	took := change(two, "two")
	fmt.Printf("figure fleet_20_endpoint_change %.2f s goal %.0f\n", took.Seconds(), goal)
	if took.Seconds() > 10*goal {
		t.Errorf("one endpoint took %s to reach %d nodes", took, largeNodes)
	}
	s.manyChanges(members, one, two)
}

// manyChanges makes 100 changes under load: of endpoints, and, each tenth, of a route's timeout,
// which goes by waves.
func (s *instance) manyChanges(members []mirror, one, two string) {
	t := s.t
	t.Helper()
	load := loadNodes("shop.example.com", members, 20*time.Millisecond)
	begin := time.Now()
	for i := range 100 {
		var err error
		if i%10 == 9 {
			route := gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: "all"}, Spec: gateway.RouteSpec{Hosts: []string{"shop.example.com"},
				To: []gateway.RouteTarget{{Upstream: "api"}}, Timeout: gateway.Duration(time.Duration(60+i) * time.Second)}}
			err = s.api(http.MethodPut, routePath, route, nil)
		} else {
			err = s.api(http.MethodPut, endpointsPath, endpoints([]string{one, two}[i%2]), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	s.reaches(gateway.RolloutDone)
	s.running("the last change", members, "two")
	load.stop()
	asked, failed, first := load.total()
	fmt.Printf("figure fleet_100_changes_failed %d requests goal 0\n", failed)
	t.Logf("%d requests through %d nodes while 100 changes took %s; %d failed", asked, len(members), time.Since(begin).Round(time.Millisecond), failed)
	if failed > 0 || asked < 1000 {
		t.Errorf("%d of %d requests failed: %s", failed, asked, strings.Join(first, "\n"))
	}
}
