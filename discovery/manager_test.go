package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/sluice-gateway/sluice/gateway"
)

// stage is a running manager with two sources in a bubble, and what came out of it.
type stage struct {
	*Manager
	kube, etcd *puppet
	stop       func()

	mu       sync.Mutex
	sets     []string
	problems [][]gateway.Problem
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{kube: newPuppet(), etcd: newPuppet()}
	s.Manager = New(Config{
		Sources: map[string]Source{"kubernetes/default": s.kube, "etcd/default": s.etcd},
		Out: func(set gateway.EndpointSet) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sets = append(s.sets, describe(set))
		},
		Report: func(list []gateway.Problem) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.problems = append(s.problems, list)
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
	return s
}

// received empties the list of sets once every goroutine is at rest.
func (s *stage) received() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.sets
	s.sets = nil
	return list
}

func describe(set gateway.EndpointSet) string {
	text := set.Upstream.String() + " " + set.Place
	for _, e := range set.Endpoints {
		text += " " + e.Address
	}
	return text
}

// snapshot has upstreams acme/a, acme/b... each with one of the lists of places.
func snapshot(places ...[]gateway.Discover) *gateway.Snapshot {
	s := &gateway.Snapshot{}
	for i, list := range places {
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: upstream(i), Discover: list})
	}
	return s
}

func upstream(i int) gateway.UpstreamKey {
	return gateway.UpstreamKey{Tenant: "acme", Name: string(rune('a' + i))}
}

func kube(service string) gateway.Discover {
	return gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop", Service: service}}
}

func registry(name, prefix string) gateway.Discover {
	return gateway.Discover{Etcd: &gateway.EtcdDiscover{Registry: name, Prefix: prefix}}
}

func places(list ...gateway.Discover) []gateway.Discover { return list }

func set(i int, ref gateway.Discover, addresses ...string) gateway.EndpointSet {
	s := gateway.EndpointSet{SetKey: ref.SetKey(upstream(i))}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, gateway.SourceEndpoint{Address: a, Weight: 1})
	}
	return s
}

func keys(list []Want) string {
	var text []string
	for _, w := range list {
		text = append(text, w.Key.Upstream.String()+"="+w.Key.Place)
	}
	return strings.Join(text, " ")
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestEachSourceGetsItsSortedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(
			places(kube("web"), registry("", "/s/a/"), kube("api"), kube("api")),
			places(kube("api"))))
		expect(t, "kubernetes", keys(s.kube.take()),
			"acme/a=default/shop/api: acme/a=default/shop/web: acme/b=default/shop/api:")
		expect(t, "etcd", keys(s.etcd.take()), "acme/a=default:/s/a/")
	})
}

func TestNothingIsToldBeforeTheFirstSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		if s.kube.offered() {
			t.Error("a list was offered before the first snapshot")
		}
		s.Apply(snapshot())
		if !s.kube.offered() {
			t.Error("the first snapshot asks for nothing, which is news, and was not told")
		}
	})
}

func TestListsAreToldOnlyWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"), registry("", "/s/"))))
		s.kube.take()
		s.etcd.take()

		s.Apply(snapshot(places(kube("api"), registry("", "/s/")))) // equal, not identical
		s.Apply(snapshot(places(kube("api"), registry("", "/t/"))))
		if s.kube.offered() {
			t.Error("kubernetes was told a list that did not change")
		}
		expect(t, "etcd", keys(s.etcd.take()), "acme/a=default:/t/")

		s.Apply(snapshot(places(kube("x"))))
		s.Apply(snapshot(places(kube("y"))))
		synctest.Wait()
		expect(t, "a slow source sees the newest list only", keys(s.kube.take()), "acme/a=default/shop/y:")
		if s.kube.offered() {
			t.Error("a list that was overtaken was offered")
		}
	})
}

func TestSetsPassWhileTheyAreWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"))))
		s.kube.take()
		s.kube.send(set(0, kube("api"), "10.0.0.1:80", "10.0.0.2:80"))
		s.kube.send(set(0, kube("api")))
		s.kube.send(set(5, kube("other"), "10.0.0.9:80"))
		expect(t, "sets", s.received(), []string{
			"acme/a default/shop/api: 10.0.0.1:80 10.0.0.2:80",
			"acme/a default/shop/api:",
		})
	})
}

// A source that never saw a want go owes no first set for it, so the manager sends the
// last one again; one that did see it go sends its own.
func TestAWantThatComesBackHasASetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"))))
		s.kube.take()
		s.kube.send(set(0, kube("api"), "10.0.0.1:80"))
		s.received()

		s.Apply(snapshot(nil))
		s.kube.send(set(0, kube("api"), "10.0.0.2:80")) // still followed: not yet told otherwise
		s.Apply(snapshot(places(kube("api"))))
		got := s.received()
		expect(t, "last set after coming back unseen", got[len(got)-1], "acme/a default/shop/api: 10.0.0.2:80")
		s.kube.take()

		s.Apply(snapshot(nil))
		s.kube.take()
		s.Apply(snapshot(places(kube("api"))))
		expect(t, "sets of a want that the source saw go", len(s.received()), 0)
	})
}

func TestAFailedSourceIsStartedAgainAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"))))
		s.kube.take()
		s.kube.send(set(0, kube("api"), "10.0.0.1:80"))
		s.received()

		s.kube.fail(errors.New("no route to cluster"))
		synctest.Wait()
		status := s.Status()[1]
		expect(t, "status", status, SourceStatus{
			Name: "kubernetes/default", LastEvent: time.Unix(1000, 0), Error: "no route to cluster", Wants: 1,
		})
		expect(t, "list after the restart", keys(s.kube.take()), "acme/a=default/shop/api:")
		expect(t, "sets while it failed", len(s.received()), 0)
		if status := s.Status()[1]; !status.Up || status.Error != "" {
			t.Errorf("after the restart: %+v", status)
		}
	})
}

func TestPausesGrowAndShrinkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		for i := range 12 {
			s.kube.fail(fmt.Errorf("failure %d", i))
		}
		time.Sleep(2 * time.Minute) // and steady meanwhile
		s.kube.fail(errors.New("after a steady run"))
		s.kube.offered() // once it runs again
		pauses := s.kube.pauses()
		for i, limit := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000} {
			limit *= time.Millisecond
			if pauses[i] < limit/2 || pauses[i] >= limit {
				t.Errorf("pause %d is %v, want %v to %v", i, pauses[i], limit/2, limit)
			}
		}
		if last := pauses[len(pauses)-1] - 2*time.Minute; last >= time.Minute {
			t.Errorf("pause after a steady run is %v", last)
		}
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"))))
		s.kube.panic("nil map")
		synctest.Wait()
		if status := s.Status()[1]; status.Up || !strings.HasPrefix(status.Error, "panic: nil map") {
			t.Errorf("status %+v", status)
		}
		s.kube.take() // started again
	})
}

func TestUnknownPlacesAreProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		east := gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Cluster: "east", Namespace: "n", Service: "s"}}
		s.Apply(snapshot(places(kube("api"), east)))
		want := []gateway.Problem{{
			Object:  gateway.Ref{Kind: gateway.KindUpstream, Tenant: "acme", Name: "a"},
			Field:   "spec.discover[1].kubernetes.cluster",
			Code:    "unknown_source",
			Message: `Kubernetes cluster "east" is not configured: use one of "default", or add it to "kubernetes" in sluice.yaml`,
			Source:  "discovery",
		}}
		expect(t, "problems", s.Problems(), want)
		expect(t, "the known place", keys(s.kube.take()), "acme/a=default/shop/api:")
		s.Apply(snapshot(places(kube("web"), east)))
		s.Apply(snapshot(places(kube("api"))))
		expect(t, "reports", s.problems, [][]gateway.Problem{want, nil})
	})
}

func TestUnknownPlaceWithNothingConfigured(t *testing.T) {
	m := New(Config{Out: func(gateway.EndpointSet) {}})
	m.Apply(snapshot(places(registry("r", "/s/"))))
	expect(t, "message", m.Problems()[0].Message,
		`etcd registry "r" is not configured, nor is any other: add it to "etcd" in sluice.yaml`)
}

// Places in DNS are told apart, and named in problems, like those of the other kinds.
func TestNamesInDNS(t *testing.T) {
	name := func(resolver, name string) gateway.Discover {
		return gateway.Discover{DNS: &gateway.DNSDiscover{Resolver: resolver, Name: name, Port: 80}}
	}
	m := New(Config{Out: func(gateway.EndpointSet) {}})
	m.Apply(snapshot(places(name("office", "a.test"))))
	expect(t, "message", m.Problems()[0].Message,
		`DNS resolver "office" is not configured, nor is any other: add it to "dns" in sluice.yaml`)
	expect(t, "field", m.Problems()[0].Field, "spec.discover[0].dns.resolver")
	expect(t, "same", samePlace(name("", "a.test"), name("", "a.test")), true)
	expect(t, "another name", samePlace(name("", "a.test"), name("", "b.test")), false)
	expect(t, "source", sourceName(name("", "a.test")), "dns/default")
}

func TestPendingCountsWantsWithoutASet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.Apply(snapshot(places(kube("api"), kube("web"))))
		s.kube.take()
		expect(t, "before", s.Status()[1].Pending, 2)
		s.kube.send(set(0, kube("web")))
		s.received()
		expect(t, "after one set", s.Status()[1].Pending, 1)
	})
}

// What is in use of a source that is not up is as old as its loss, or as the copy while it has
// said nothing.
func TestStaleSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.stop()
		s.cfg.Copied = time.Unix(500, 0)
		is := func() string {
			time.Sleep(2 * lookEvery)
			st := s.All()[2]
			if st.Name != "kubernetes/default" {
				t.Fatalf("the others stand in the way: %+v", s.All())
			}
			if st.StaleSince.IsZero() {
				return "current"
			}
			return fmt.Sprintf("%v copied %t", st.StaleSince.After(time.Unix(500, 0)), st.Copied)
		}
		s.cfg.Others = func() []SourceStatus { return []SourceStatus{{Name: "kubernetes"}} }
		s.kube.lose(true)
		expect(t, "nobody follows it", is(), "current")
		s.Apply(snapshot(places(kube("api"))))
		s.kube.take()
		expect(t, "it has said nothing", is(), "false copied true")
		s.cfg.Copied = time.Time{}
		expect(t, "it has said nothing, and there is no copy", is(), "current")
		s.kube.lose(false)
		s.kube.send(set(0, kube("api")))
		s.received()
		expect(t, "it is up", is(), "current")
		s.kube.lose(true)
		before := time.Now()
		expect(t, "it is lost", is(), "true copied false")
		if since := s.Status()[1].StaleSince; since.Before(before) || since.Sub(before) > lookEvery {
			t.Errorf("lost at %v and stale since %v", before, since)
		}
		s.kube.lose(false)
		expect(t, "it is found again", is(), "current")
	})
}

func TestMetrics(t *testing.T) {
	m := New(Config{Sources: map[string]Source{"etcd/default": newPuppet()}, Others: func() []SourceStatus {
		return []SourceStatus{{Name: "kubernetes/default/ingress", StaleSince: time.Unix(2000, 0)}}
	}})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	want := `
# HELP sluice_source_last_event_seconds When the source last reported something, in seconds since 1970. Absent before the first time.
# TYPE sluice_source_last_event_seconds gauge
sluice_source_last_event_seconds{source="etcd/default"} 1000
# HELP sluice_source_stale_since_seconds Since when what is in use of a source that is not up may be out of date, in seconds since 1970: when it was lost, or when the local copy was written where it has said nothing since the start. Absent while it is up.
# TYPE sluice_source_stale_since_seconds gauge
sluice_source_stale_since_seconds{source="kubernetes/default/ingress"} 2000
# HELP sluice_source_up Whether the source can be reached and follows changes (1) or not (0).
# TYPE sluice_source_up gauge
sluice_source_up{source="etcd/default"} 1
sluice_source_up{source="kubernetes/default/ingress"} 0
`
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := new(strings.Builder)
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(got, f); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "metrics", got.String(), want[1:])
}

func BenchmarkApplyUnchanged(b *testing.B) {
	m := New(Config{Sources: map[string]Source{"kubernetes/default": newPuppet()}})
	lists := make([][]gateway.Discover, 10000)
	for i := range lists {
		lists[i] = places(kube("api"))
	}
	s := snapshot(lists...)
	for b.Loop() {
		m.Apply(s)
	}
}
