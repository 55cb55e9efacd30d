package main

import (
	"context"
	"errors"
	"fmt"
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

// fleetView is the snapshot as a fleet sees it.
func (a *App) fleetView(_ *gateway.Fleet, s *gateway.Snapshot) *gateway.Snapshot {
	agreement := a.observe.Agreement()
	return s.Judged(func(k gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict {
		return health.Agreed(&agreement, k, e)
	})
}

// observed is the health of this node, with what others see.
type observed struct{ *App }

// Upstreams implements [admin.Health].
func (o observed) Upstreams() []gateway.UpstreamHealth {
	all := o.health.Upstreams()
	agreement := o.observe.Agreement()
	for i := range all {
		stand(&all[i], &agreement)
	}
	return all
}

// Upstream implements [admin.Health].
func (o observed) Upstream(k gateway.UpstreamKey) (gateway.UpstreamHealth, bool) {
	u, ok := o.health.Upstream(k)
	agreement := o.observe.Agreement()
	stand(&u, &agreement)
	return u, ok
}

// History implements [admin.Health].
func (o observed) History(q gateway.HealthQuery) []gateway.HealthEvent { return o.health.History(q) }

func stand(u *gateway.UpstreamHealth, a *gateway.Agreement) {
	u.Standings, u.ServiceStanding = a.Of(u.Upstream), a.Service(u.Upstream)
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
	return notes
}
