package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// ShrinkGuard keeps endpoints that a source has lost all at once.
type ShrinkGuard interface {
	// Accept lets go of those of an upstream, and Extend keeps them until then. Both say how
	// many there are.
	Accept(u gateway.UpstreamKey) int
	Extend(u gateway.UpstreamKey, until time.Time) int
	// Shrinks are the losses for which something is kept now, sorted.
	Shrinks() []gateway.Shrink
}

// How long endpoints are held when a person wants it.
const (
	usualHold   = time.Hour
	longestHold = 24 * time.Hour
)

// ListShrinks lists what is kept.
func (s *server) ListShrinks(_ context.Context, r api.ListShrinksRequestObject) (api.ListShrinksResponseObject, error) {
	list := s.Shrink.Shrinks()
	if r.Params.Tenant != nil {
		list = slices.DeleteFunc(list, func(o gateway.Shrink) bool { return o.Upstream.Tenant != *r.Params.Tenant })
	}
	return api.ListShrinks200JSONResponse{Items: full(list)}, nil
}

// SettleShrink accepts the loss of endpoints, or holds on to them.
func (s *server) SettleShrink(_ context.Context, r api.SettleShrinkRequestObject) (api.SettleShrinkResponseObject, error) {
	key := gateway.UpstreamKey{Tenant: r.Tenant, Name: r.Upstream}
	n := 0
	switch now := time.Now(); {
	case r.Body.Action == api.Accept && r.Body.Until != nil:
		return nil, fmt.Errorf("%w: until: what is accepted is gone at once: leave it out, or hold", gateway.ErrInvalid)
	case r.Body.Action == api.Accept:
		n = s.Shrink.Accept(key)
	default:
		until := now.Add(usualHold)
		if r.Body.Until != nil {
			until = *r.Body.Until
		}
		if until.Before(now) || until.After(now.Add(longestHold)) {
			return nil, fmt.Errorf("%w: until: %s is not within a day from now", gateway.ErrInvalid, until.Format(time.RFC3339))
		}
		n = s.Shrink.Extend(key, until)
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: no endpoints of upstream %s are kept that their source has lost", gateway.ErrNotFound, key)
	}
	s.Log.Info("lost endpoints settled by hand", "upstream", key.String(), "action", r.Body.Action, "endpoints", n)
	return api.SettleShrink200JSONResponse{Endpoints: n}, nil
}
