package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/health"
)

// fleetEvidence judges endpoints by what the nginx nodes of each fleet log, with the rules of
// the edges. Its verdicts count for that fleet alone.
type fleetEvidence struct {
	refresh func() // verdicts have changed
	log     *slog.Logger
	running sync.WaitGroup

	mu     sync.Mutex
	judges map[string]*fleetJudge // guarded by mu; by fleet
	ended  bool                   // guarded by mu
}

// fleetJudge is the health of one fleet.
type fleetJudge struct {
	health *health.Health
	stop   context.CancelFunc
	out    map[gateway.EndpointKey]gateway.Verdict // guarded by the evidence's mu; neither healthy nor unknown
}

func newFleetEvidence(refresh func(), log *slog.Logger) *fleetEvidence {
	return &fleetEvidence{refresh: refresh, log: log, judges: map[string]*fleetJudge{}}
}

// Run judges until ctx ends.
func (f *fleetEvidence) Run(ctx context.Context) error {
	<-ctx.Done()
	f.mu.Lock()
	f.ended = true
	for _, j := range f.judges {
		j.stop()
	}
	f.mu.Unlock()
	f.running.Wait()
	return nil
}

// Apply takes the fleets of a snapshot, and the upstreams of the tenants that they mirror.
func (f *fleetEvidence) Apply(s *gateway.Snapshot) {
	f.mu.Lock()
	for name, j := range f.judges {
		if !slices.ContainsFunc(s.Fleets, func(o *gateway.Fleet) bool { return o.Name == name }) {
			j.stop()
			delete(f.judges, name)
		}
	}
	for _, o := range s.Fleets {
		if f.judges[o.Name] == nil && !f.ended {
			f.judges[o.Name] = f.begin(o.Name)
		}
	}
	judges := maps.Clone(f.judges)
	f.mu.Unlock()
	for name, j := range judges { // without the lock, which transitions take
		j.health.Apply(mirroredBy(name, s))
	}
}

// begin makes the judge of a fleet; the caller holds mu.
func (f *fleetEvidence) begin(fleet string) *fleetJudge {
	ctx, stop := context.WithCancel(context.Background())
	j := &fleetJudge{stop: stop, out: map[gateway.EndpointKey]gateway.Verdict{}}
	report := func(verdicts []gateway.Verdict) { f.judged(j, verdicts) }
	j.health = health.New(health.Config{Node: "fleet " + fleet, PassiveOnly: true, Report: report, Log: f.log.With("fleet", fleet)})
	f.running.Go(func() { _ = j.health.Run(ctx) }) // its only end is ctx's
	return j
}

// judged takes transitions of a fleet.
func (f *fleetEvidence) judged(j *fleetJudge, verdicts []gateway.Verdict) {
	f.mu.Lock()
	before := len(j.out)
	for _, v := range verdicts {
		switch v.State {
		case gateway.StateEjected, gateway.StateProbation:
			j.out[v.EndpointKey] = v
		default:
			delete(j.out, v.EndpointKey)
		}
	}
	changed := before > 0 || len(j.out) > 0
	f.mu.Unlock()
	if changed {
		f.refresh()
	}
}

// Observe takes in how an exchange of a node of a fleet ended.
func (f *fleetEvidence) Observe(fleet string, o gateway.Outcome) {
	f.mu.Lock()
	j := f.judges[fleet]
	f.mu.Unlock()
	if j != nil {
		j.health.Observe(o)
	}
}

// verdicts are those of a fleet that are neither healthy nor unknown.
func (f *fleetEvidence) verdicts(fleet string) map[gateway.EndpointKey]gateway.Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.judges[fleet]
	if j == nil {
		return nil
	}
	return maps.Clone(j.out)
}

// health is what the fleets say against an upstream or its endpoints, by fleet.
func (f *fleetEvidence) health(k gateway.UpstreamKey) (all []gateway.FleetHealth) {
	f.mu.Lock()
	judges := maps.Clone(f.judges)
	f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(judges)) {
		u, ok := judges[name].health.Upstream(k)
		if !ok {
			continue
		}
		h := gateway.FleetHealth{Fleet: name, Service: u.Service, Verdicts: []gateway.Verdict{}}
		for _, v := range u.Verdicts {
			if v.State == gateway.StateEjected || v.State == gateway.StateProbation {
				h.Verdicts = append(h.Verdicts, v)
			}
		}
		if h.Service.Bad || len(h.Verdicts) > 0 {
			all = append(all, h)
		}
	}
	return all
}

// history are the events of all fleets.
func (f *fleetEvidence) history(q gateway.HealthQuery) (all []gateway.HealthEvent) {
	f.mu.Lock()
	judges := maps.Clone(f.judges)
	f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(judges)) {
		for _, e := range judges[name].health.History(q) {
			switch e.Kind {
			case gateway.EventPinned, gateway.EventUnpinned, gateway.EventPanic, gateway.EventCalm: // the edge has told
			default:
				all = append(all, e)
			}
		}
	}
	return all
}

// mirroredBy is the part of a snapshot that a fleet mirrors, as far as health looks at it.
func mirroredBy(fleet string, s *gateway.Snapshot) *gateway.Snapshot {
	tenants := map[string]bool{}
	for _, t := range s.Tenants {
		tenants[t.Name] = slices.Contains(t.Spec.Fleets, fleet)
	}
	part := &gateway.Snapshot{}
	for _, u := range s.Upstreams {
		if tenants[u.Key.Tenant] {
			part.Upstreams = append(part.Upstreams, u)
		}
	}
	return part
}
