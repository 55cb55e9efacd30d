package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// patience is how long a test waits for what has to happen; other work may slow it down.
const patience = time.Minute

// TestAgainstARealAPIServer starts one API server for all that need it.
func TestAgainstARealAPIServer(t *testing.T) {
	cluster := kubetest.Start(t)
	for name, test := range map[string]func(*testing.T, *kubetest.Cluster, string){
		"slices come change and go":         slicesComeChangeAndGo,
		"wants come and go":                 wantsComeAndGo,
		"an old server gets list and watch": oldServer,
		"changes while the source was away": changesWhileAway,
		"a server that refuses":             serverThatRefuses,
		"latency":                           latency,
	} {
		t.Run(name, func(t *testing.T) {
			namespace := strings.ReplaceAll(name, " ", "-")
			cluster.CreateNamespace(namespace)
			test(t, cluster, namespace)
		})
	}
	t.Run("restart of the server", func(t *testing.T) {
		cluster.CreateNamespace("restart")
		restart(t, cluster, "restart")
	})
}

func slicesComeChangeAndGo(t *testing.T, c *kubetest.Cluster, ns string) {
	f := follow(t, c.Kubeconfig)
	f.want(ns + "/api:http")
	f.expect("api", `problem: cluster "default" has no EndpointSlice of Service `+ns+"/api...")
	c.CreateSlice(ready(ns, "api-1", "api", "10.0.0.1"))
	f.expect("api", "10.0.0.1:8080")
	c.CreateSlice(ready(ns, "api-2", "api", "10.0.0.2"))
	f.expect("api", "10.0.0.1:8080, 10.0.0.2:8080")

	leaving := ready(ns, "api-1", "api", "10.0.0.1", "10.0.0.3")
	no, yes := false, true
	leaving.Endpoints[0].Conditions = discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}
	c.UpdateSlice(leaving)
	f.expect("api", "10.0.0.1:8080 terminating, 10.0.0.2:8080, 10.0.0.3:8080")

	c.CreateSlice(ready(ns, "other-1", "other", "10.0.0.9"))
	annotated := ready(ns, "api-2", "api", "10.0.0.2")
	annotated.Annotations = map[string]string{"touched": "yes"}
	c.UpdateSlice(annotated)
	f.quiet() // neither changes the set

	c.DeleteSlice(ns, "api-1")
	f.expect("api", "10.0.0.2:8080")
	c.UpdateSlice(ready(ns, "api-2", "api"))
	f.expect("api", "")
	if s := f.Status(); !up(s) || s.LastEvent.IsZero() || s.Wants != 1 || s.Name != "kubernetes/default" {
		t.Errorf("status %+v", s)
	}
}

func wantsComeAndGo(t *testing.T, c *kubetest.Cluster, ns string) {
	c.CreateSlice(ready(ns, "a-1", "a", "10.0.0.1"))
	c.CreateSlice(ready(ns, "b-1", "b", "10.0.0.2"))
	f := follow(t, c.Kubeconfig)
	f.want(ns + "/a:http")
	f.expect("a", "10.0.0.1:8080")
	f.want(ns+"/a:http", ns+"/b:8080")
	f.expect("b", "10.0.0.2:8080")
	f.want(ns + "/b:8080")
	c.UpdateSlice(ready(ns, "a-1", "a", "10.0.0.3"))
	f.quiet()
	f.want(ns+"/a:http", ns+"/b:8080")
	f.expect("a", "10.0.0.3:8080")
	if n := len(f.seen["b"]); n != 1 {
		t.Errorf("b did not change and has had %d sets: %q", n, f.seen["b"])
	}
}

// Servers that do not know watch-lists answer 422 to them.
func oldServer(t *testing.T, c *kubetest.Cluster, ns string) {
	c.CreateSlice(ready(ns, "api-1", "api", "10.0.0.1"))
	g := newGate(t, c.Kubeconfig)
	g.old.Store(true)
	f := follow(t, g.kubeconfig)
	f.want(ns + "/api:http")
	f.expect("api", "10.0.0.1:8080")
	c.UpdateSlice(ready(ns, "api-1", "api", "10.0.0.2"))
	f.expect("api", "10.0.0.2:8080")
	if g.refused.Load() == 0 {
		t.Error("no watch-list was asked for, so none was refused")
	}
}

// What happened while the connection was down is sent when it is back: also that a whole
// slice is gone, which no event tells.
func changesWhileAway(t *testing.T, c *kubetest.Cluster, ns string) {
	for _, name := range []string{"stays", "changes", "loses", "goes"} {
		c.CreateSlice(ready(ns, name+"-1", name, "10.0.0.1"))
	}
	c.CreateSlice(ready(ns, "loses-2", "loses", "10.0.0.2"))
	g := newGate(t, c.Kubeconfig)
	f := follow(t, g.kubeconfig)
	f.want(ns+"/stays:http", ns+"/changes:http", ns+"/loses:http", ns+"/goes:http")
	for _, name := range []string{"stays", "changes", "goes"} {
		f.expect(name, "10.0.0.1:8080")
	}
	f.expect("loses", "10.0.0.1:8080, 10.0.0.2:8080")

	g.shut()
	f.until("down", down)
	c.UpdateSlice(ready(ns, "changes-1", "changes", "10.0.0.7"))
	c.DeleteSlice(ns, "loses-2")
	c.DeleteSlice(ns, "goes-1")
	f.quiet()
	g.open()
	f.expect("changes", "10.0.0.7:8080")
	f.expect("loses", "10.0.0.1:8080")
	f.expect("goes", "problem: ...")
	f.until("up", up)
	for name, want := range map[string]int{"stays": 1, "changes": 2, "loses": 2, "goes": 2} {
		if got := len(f.seen[name]); got != want {
			t.Errorf("%s has had %d sets, want %d: %q", name, got, want, f.seen[name])
		}
	}
}

func serverThatRefuses(t *testing.T, c *kubetest.Cluster, ns string) {
	g := newGate(t, c.Kubeconfig)
	g.token.Store("nobody")
	f := follow(t, g.kubeconfig)
	f.want(ns + "/api:http")
	f.until("refused", func(s discovery.SourceStatus) bool { return down(s) && strings.Contains(s.Error, "Unauthorized") })
	f.quiet()
	g.token.Store("")
	f.expect("api", "problem: ...")
	f.until("up", up)
}

// A restart of the API server sends no set at all, as nothing has changed, and the source
// follows changes again afterwards.
func restart(t *testing.T, c *kubetest.Cluster, ns string) {
	c.CreateSlice(ready(ns, "api-1", "api", "10.0.0.1"))
	f := follow(t, c.Kubeconfig)
	f.want(ns + "/api:http")
	f.expect("api", "10.0.0.1:8080")
	c.StopAPI()
	f.until("down", down)
	c.StartAPI()
	f.until("up", up)
	c.UpdateSlice(ready(ns, "api-1", "api", "10.0.0.1", "10.0.0.2"))
	f.expect("api", "10.0.0.1:8080, 10.0.0.2:8080")
	if want := []string{"10.0.0.1:8080", "10.0.0.1:8080, 10.0.0.2:8080"}; !slices.Equal(f.seen["api"], want) {
		t.Errorf("sets were %q, want %q", f.seen["api"], want)
	}
}

// The time from the moment the writer's update has returned to the set being there. The
// set is often first, which counts as 0; the time from the call says how long all of it,
// the server's part included, has taken.
func latency(t *testing.T, c *kubetest.Cluster, ns string) {
	addresses := make([]string, 100)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("10.0.0.%d", i)
	}
	c.CreateSlice(ready(ns, "api-1", "api", addresses...))
	f := follow(t, c.Kubeconfig)
	f.want(ns + "/api:http")
	f.expect("api", "10.0.0.0:8080...")
	const rounds = 50
	arrived := make(chan time.Time, rounds)
	go func() {
		for range rounds {
			select {
			case <-f.sets:
				arrived <- time.Now()
			case <-t.Context().Done():
				return
			}
		}
	}()
	var took, whole []time.Duration
	for i := range rounds {
		addresses[0] = fmt.Sprintf("10.1.0.%d", i)
		called := time.Now()
		c.UpdateSlice(ready(ns, "api-1", "api", addresses...))
		returned := time.Now()
		select {
		case at := <-arrived:
			took, whole = append(took, max(0, at.Sub(returned))), append(whole, at.Sub(called))
		case <-time.After(patience):
			t.Fatalf("update %d did not arrive", i)
		}
	}
	median := medianOf(took)
	fmt.Printf("figure kubernetes_event_ms %.3f ms goal 100\n", median.Seconds()*1000)
	fmt.Printf("figure kubernetes_write_to_set_ms %.3f ms goal 100\n", medianOf(whole).Seconds()*1000)
	if median > time.Second {
		t.Errorf("median %v from the update's return to the set, want at most 100 ms (10x allowed here)", median)
	}
}

func medianOf(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// An API server that is not there: the source says so, sends nothing, and stops at once.
func TestUnreachable(t *testing.T) {
	g := newGate(t, writeKubeconfig(t, "http://127.0.0.1:1"))
	g.shut()
	f := follow(t, g.kubeconfig)
	f.want("shop/api:http")
	f.until("down", down)
	if s := f.Status(); !strings.Contains(s.Error, g.address) {
		t.Errorf("the error does not name %s: %s", g.address, s.Error)
	}
	f.quiet()
	started := time.Now()
	f.stop()
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("Run took %v to return", took)
	}
}
