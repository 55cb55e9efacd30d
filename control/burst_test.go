package control_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
)

func objects() []gateway.Object {
	return []gateway.Object{
		&gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "t"}, Spec: gateway.TenantSpec{Hosts: []string{"h.example"}}},
		&gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "t", Name: "u"},
			Spec: gateway.UpstreamSpec{Discover: []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/u/"}}}}},
		&gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "t", Name: "r"},
			Spec: gateway.RouteSpec{Hosts: []string{"h.example"}, To: []gateway.RouteTarget{{Upstream: "u"}}}},
	}
}

func set(n int) gateway.EndpointSet {
	k := gateway.UpstreamKey{Tenant: "t", Name: "u"}
	return gateway.EndpointSet{SetKey: gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/u/"}}.SetKey(k),
		Endpoints: []gateway.SourceEndpoint{{Address: fmt.Sprintf("10.0.%d.%d:80", n/250, 1+n%250), Weight: 1}}}
}

// start runs a loop in the bubble until the test ends.
func start(t *testing.T) *control.Loop {
	t.Helper()
	l := control.New(control.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { _ = l.Run(ctx) }()
	return l
}

// A lone change is applied without delay; a burst makes a snapshot every 20 ms at most, and
// its last state always arrives.
func TestQuietAndBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		l.SetEndpoints(set(0))
		synctest.Wait()
		if g := l.Snapshot().Generation; g != 0 {
			t.Fatalf("generation %d before any object is known", g)
		}
		begin := time.Now()
		l.SetObjects(objects())
		synctest.Wait()
		if g := l.Snapshot().Generation; g != 1 || time.Since(begin) != 0 {
			t.Fatalf("generation %d after %v", g, time.Since(begin))
		}
		time.Sleep(time.Second)
		for i := range 100 { // one change each millisecond
			l.SetEndpoints(set(i + 1))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		s := l.Snapshot()
		if s.Generation < 6 || s.Generation > 8 {
			t.Errorf("100 changes in 100 ms made %d snapshots", s.Generation-1)
		}
		if a := s.Upstreams[0].Endpoints[0].Address; a != set(100).Endpoints[0].Address {
			t.Errorf("the last change is lost: %s", a)
		}
		before := s.Generation
		l.SetEndpoints(set(100))
		time.Sleep(time.Second)
		if g := l.Snapshot().Generation; g != before {
			t.Errorf("an equal set made generation %d", g)
		}
	})
}

// A consumer that is slow sees the newest snapshot next, not the ones between.
func TestSlowConsumerGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		snapshots, cancel := l.Subscribe()
		defer cancel()
		l.SetObjects(objects())
		for i := range 10 {
			time.Sleep(time.Second)
			l.SetEndpoints(set(i))
		}
		synctest.Wait()
		if s := <-snapshots; s != l.Snapshot() {
			t.Errorf("got generation %d, the newest is %d", s.Generation, l.Snapshot().Generation)
		}
		select {
		case s := <-snapshots:
			t.Errorf("an older snapshot follows: %d", s.Generation)
		default:
		}
	})
}

// An override ends by itself at its time, and a dry run publishes nothing.
func TestExpiryAndDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		size := gateway.Size(1)
		o := &gateway.Override{Meta: gateway.Meta{Kind: gateway.KindOverride, Tenant: "t", Name: "o"},
			Spec: gateway.OverrideSpec{Route: "r", Set: gateway.OverrideSet{MaxBodySize: &size}, Expires: time.Now().Add(time.Minute)}}
		bodySize := func(s *gateway.Snapshot) gateway.Size { return s.Host("h.example").Rules[0].Route.MaxBodySize }
		l.SetObjects(objects())
		synctest.Wait()
		dry, err := l.DryRun(context.Background(), []gateway.Change{{Ref: o.Ref(), Object: o}})
		if err != nil || bodySize(dry) != 1 || bodySize(l.Snapshot()) == 1 {
			t.Errorf("dry run: %v, %v in it, %v live", err, bodySize(dry), bodySize(l.Snapshot()))
		}
		l.Change([]gateway.Change{{Ref: o.Ref(), Object: o}})
		time.Sleep(59 * time.Second)
		if bodySize(l.Snapshot()) != 1 {
			t.Error("the override is not in force")
		}
		time.Sleep(2 * time.Second)
		if bodySize(l.Snapshot()) != gateway.DefaultMaxBodySize {
			t.Error("the override outlived its time")
		}
		l.Change([]gateway.Change{{Ref: gateway.Ref{Kind: gateway.KindRoute, Tenant: "t", Name: "r"}}})
		time.Sleep(time.Second)
		if n := len(l.Snapshot().Host("h.example").Rules); n != 0 {
			t.Errorf("%d rules after the route was deleted", n)
		}
	})
}
