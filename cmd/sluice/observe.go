package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/health"
	"github.com/sluice-gateway/sluice/store"
)

// shareSights shows the other edges of the store what this one sees, and learns what they see.
func (a *App) shareSights(ctx context.Context) error {
	err := a.observe.Share(ctx, a.store.Notices("verdicts"))
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// agreed is told what the observers together see. It changes nothing on this edge: the fleets
// follow it.
func (a *App) agreed(gateway.Agreement) { a.fleets.Refresh() }

// fleetView is the snapshot as a fleet sees it: with the verdicts of the majority of edges, and
// what the logs of its own nodes say.
func (a *App) fleetView(f *gateway.Fleet, s *gateway.Snapshot) *gateway.Snapshot {
	agreement, logged := a.observe.Agreement(), a.logged.verdicts(f.Name)
	return s.Judged(func(k gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict {
		v := health.Agreed(&agreement, k, e)
		own, ok := logged[gateway.EndpointKey{Upstream: k, Address: e.Address}]
		if ok && e.Pin == nil && v.State != gateway.StateDown && v.State != gateway.StateEjected {
			return own
		}
		return v
	})
}

// observed is the health of this node, with what others see.
type observed struct{ *App }

// Upstreams implements [admin.Health].
func (o observed) Upstreams() []gateway.UpstreamHealth {
	all := o.health.Upstreams()
	agreement := o.observe.Agreement()
	for i := range all {
		o.stand(&all[i], &agreement)
	}
	return all
}

// Upstream implements [admin.Health].
func (o observed) Upstream(k gateway.UpstreamKey) (gateway.UpstreamHealth, bool) {
	u, ok := o.health.Upstream(k)
	agreement := o.observe.Agreement()
	o.stand(&u, &agreement)
	return u, ok
}

// History implements [admin.Health].
func (o observed) History(q gateway.HealthQuery) []gateway.HealthEvent {
	all := o.health.History(q)
	more := o.logged.history(q)
	if len(more) == 0 {
		return all
	}
	all = append(all, more...)
	slices.SortStableFunc(all, func(x, y gateway.HealthEvent) int { return y.At.Compare(x.At) })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}
	return all
}

// stand adds what others see of an upstream.
func (o observed) stand(u *gateway.UpstreamHealth, a *gateway.Agreement) {
	u.Standings, u.ServiceStanding, u.Fleets = a.Of(u.Upstream), a.Service(u.Upstream), o.logged.health(u.Upstream)
}

// standingNotes are what the observers together see of an upstream: whose fault it is, and who
// sees what.
func standingNotes(u gateway.UpstreamHealth) []string {
	var notes []string
	if s := u.ServiceStanding; s != nil && s.Observers > 1 {
		notes = append(notes, fmt.Sprintf("service bad for %d of %d (%s)", len(s.Bad), s.Observers, strings.Join(s.Bad, ", ")))
	}
	for _, s := range u.Standings {
		words := map[gateway.Scope]string{gateway.ScopeNode: "node bad", gateway.ScopePath: "PATH BAD", gateway.ScopeService: "service bad"}
		var sights []string
		for _, sight := range s.Sights {
			sights = append(sights, sight.Observer+" "+string(sight.State))
		}
		if silent := s.Observers - len(s.Sights); silent > 0 {
			sights = append(sights, fmt.Sprintf("%d silent", silent))
		}
		notes = append(notes, fmt.Sprintf("%s %s (%s)", words[s.Scope], s.Address, strings.Join(sights, ", ")))
	}
	for _, f := range u.Fleets {
		if f.Service.Bad {
			notes = append(notes, "service bad for fleet "+f.Fleet+": "+f.Service.Reason)
		}
		for _, v := range f.Verdicts {
			notes = append(notes, fmt.Sprintf("%s for fleet %s: %s (%s)", v.State, f.Fleet, v.Address, v.Reason))
		}
	}
	return notes
}
