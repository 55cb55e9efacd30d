package health

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// wall is a board in memory, with a count of what was written.
type wall struct {
	mu       sync.Mutex
	all      map[string][]byte
	writes   int
	watchers map[int]func(map[string][]byte)
}

func newWall() *wall {
	return &wall{all: map[string][]byte{}, watchers: map[int]func(map[string][]byte){}}
}

func (w *wall) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	for _, tell := range w.watchers {
		tell(maps.Clone(w.all))
	}
}

func (w *wall) Post(ctx context.Context, key string, values <-chan []byte) error {
	defer w.change(func() { delete(w.all, key) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-values:
			w.change(func() { w.all[key] = v; w.writes++ })
		}
	}
}

func (w *wall) Watch(ctx context.Context, handle func(map[string][]byte)) error {
	w.mu.Lock()
	id := len(w.watchers)
	w.watchers[id] = handle
	handle(maps.Clone(w.all))
	w.mu.Unlock()
	<-ctx.Done()
	return nil
}

// seat is one observer with its health.
type seat struct {
	*Observers
	health *Health
	stop   func()
}

var seen = gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Address: "10.0.0.1:80"}

// sit begins an observer on the wall. The others in the upstream of seen do well.
func sit(ctx context.Context, w *wall, name string) *seat {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := &seat{}
	s.health = New(Config{Node: name, Report: func(vs []gateway.Verdict) { s.SetVerdicts(vs) }, Log: log})
	s.Observers = NewObservers(ObserversConfig{Node: name, Health: s.health, Log: log})
	u := &gateway.EffectiveUpstream{Key: seen.Upstream, Health: gateway.EffectiveCheck{Passive: &gateway.PassiveCheck{BaseEjection: gateway.Duration(2 * time.Minute)}}}
	for _, a := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: a, Weight: 1})
	}
	s.health.Apply(&gateway.Snapshot{Upstreams: []*gateway.EffectiveUpstream{u}})
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.health.Run(ctx) })
	wg.Go(func() { _ = s.Run(ctx) })
	wg.Go(func() { _ = s.Share(ctx, w) })
	s.stop = func() { cancel(); wg.Wait() }
	return s
}

// answers makes an endpoint answer n times.
func (s *seat) answers(address string, status, n int) {
	for range n {
		s.health.Observe(gateway.Outcome{EndpointKey: gateway.EndpointKey{Upstream: seen.Upstream, Address: address}, Status: status})
	}
}

// says is how this observer sees the endpoint of seen: "path_bad: e1 ejected, e2 healthy".
func (s *seat) says() string {
	time.Sleep(3 * time.Second)
	synctest.Wait()
	a := s.Agreement()
	st := a.Endpoint(seen)
	if st == nil {
		return "nothing of " + fmt.Sprint(len(a.Observers))
	}
	var parts []string
	for _, sight := range st.Sights {
		parts = append(parts, sight.Observer+" "+string(sight.State))
	}
	return fmt.Sprintf("%s of %d: %s", st.Scope, st.Observers, strings.Join(parts, ", "))
}

// Observers see each other's verdicts while they live, and take none as their own.
func TestObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall()
		var seats []*seat
		for _, name := range []string{"e1", "e2", "e3"} {
			s := sit(t.Context(), w, name)
			defer s.stop()
			seats = append(seats, s)
		}
		expect := func(what, want string) {
			t.Helper()
			for _, s := range seats {
				if got := s.says(); got != want {
					t.Fatalf("%s: %s sees %q, want %q", what, s.cfg.Node, got, want)
				}
			}
		}
		expect("at first", "nothing of 3")
		seats[0].answers("10.0.0.2:80", 200, 1)
		seats[0].answers(seen.Address, 502, 5)
		expect("nobody else knows the endpoint", "node_bad of 3: e1 ejected, e2 unknown, e3 unknown")
		seats[1].answers(seen.Address, 200, 1)
		seats[2].answers(seen.Address, 200, 1)
		expect("it answers the others", "path_bad of 3: e1 ejected, e2 healthy, e3 healthy")
		for _, s := range seats[1:] {
			if v, _ := s.health.Verdict(seen); v.State != gateway.StateHealthy {
				t.Errorf("%s took the verdict of another for its own: %+v", s.cfg.Node, v)
			}
		}
		seats[1].answers("10.0.0.2:80", 200, 1)
		seats[1].answers(seen.Address, 502, 5)
		expect("two of three", "node_bad of 3: e1 ejected, e2 ejected, e3 healthy")

		w.mu.Lock()
		before := w.writes
		w.mu.Unlock()
		time.Sleep(10 * time.Second)
		if w.mu.Lock(); w.writes != before {
			t.Errorf("%d notices were written while nothing changed", w.writes-before)
		}
		w.mu.Unlock()

		seats[1].stop()
		seats = slices.Delete(seats, 1, 2)
		expect("one has gone", "path_bad of 2: e1 ejected, e3 healthy")
		seats[0].heard(nil)
		if got, want := seats[0].says(), "path_bad of 2: e1 ejected"; got != want {
			t.Errorf("cut off from the board it sees %q, want %q", got, want)
		}
		time.Sleep(5 * time.Minute) // the ejections end
		expect("they are over", "nothing of 2")
	})
}

// However much changes, a node writes about once a second, and no more than a bounded size.
func TestNoticesAreFewAndShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall()
		s := sit(t.Context(), w, "e1")
		defer s.stop()
		for i := range 2000 {
			k := seen
			k.Address = fmt.Sprintf("10.1.%d.%d:80", i/250, i%250)
			s.SetVerdicts([]gateway.Verdict{{EndpointKey: k, State: gateway.StateDown, Since: time.Now(), Rule: RuleActiveFall, Reason: strings.Repeat("x", 5000)}})
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.writes < 5 || w.writes > 13 {
			t.Errorf("%d notices in 10 seconds", w.writes)
		}
		for _, text := range w.all {
			if len(text) > 400*maxSights || !strings.Contains(string(text), `"left":1500`) {
				t.Errorf("a notice of %d bytes: ...%s", len(text), text[len(text)-100:])
			}
		}
	})
}

// A fleet follows the majority; until that is known it does not follow this edge alone.
func TestAgreed(t *testing.T) {
	sights := func(states ...gateway.HealthState) (out []gateway.Notice) {
		for i, s := range states {
			out = append(out, gateway.Notice{Observer: fmt.Sprint("e", i), Sights: []gateway.Sight{{EndpointKey: seen, State: s}}})
		}
		return out
	}
	const healthy, ejected, down, probation = gateway.StateHealthy, gateway.StateEjected, gateway.StateDown, gateway.StateProbation
	for _, c := range []struct {
		name   string
		own    gateway.Verdict
		others []gateway.Notice
		want   gateway.HealthState
	}{
		{"nobody finds it bad", gateway.Verdict{State: probation}, sights(healthy, healthy), probation},
		{"the majority finds it bad", gateway.Verdict{State: healthy}, sights(ejected, ejected, healthy), ejected},
		{"only this edge finds it bad", gateway.Verdict{State: ejected}, sights(ejected, healthy, healthy), healthy},
		{"this edge found it bad just now", gateway.Verdict{State: down, Rule: RuleActiveFall}, nil, healthy},
		{"nobody has probed it yet", gateway.Verdict{State: down, Rule: RuleInitial}, nil, down},
	} {
		a := gateway.Agree(c.others)
		if got := Agreed(&a, seen.Upstream, &gateway.Endpoint{Address: seen.Address, Verdict: c.own}); got.State != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.State, c.want)
		}
	}
}
