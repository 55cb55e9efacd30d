package admin

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// Health is what this node says about endpoints, and why.
type Health interface {
	// Upstreams sums up every upstream, by tenant and name; Upstream one of them.
	Upstreams() []gateway.UpstreamHealth
	Upstream(k gateway.UpstreamKey) (gateway.UpstreamHealth, bool)
	// History is what has happened, newest first.
	History(q gateway.HealthQuery) []gateway.HealthEvent
}

// ListUpstreamHealth sums up every upstream.
func (s *server) ListUpstreamHealth(_ context.Context, r api.ListUpstreamHealthRequestObject) (api.ListUpstreamHealthResponseObject, error) {
	items := []gateway.UpstreamHealth{}
	for _, u := range s.Health.Upstreams() {
		if tenant := deref(r.Params.Tenant); tenant == "" || tenant == u.Upstream.Tenant {
			u.Verdicts = full(u.Verdicts)
			items = append(items, u)
		}
	}
	return api.ListUpstreamHealth200JSONResponse{Items: items}, nil
}

// GetUpstreamHealth sums up one upstream.
func (s *server) GetUpstreamHealth(_ context.Context, r api.GetUpstreamHealthRequestObject) (api.GetUpstreamHealthResponseObject, error) {
	u, ok := s.Health.Upstream(gateway.UpstreamKey{Tenant: r.Tenant, Name: r.Upstream})
	if !ok {
		return nil, fmt.Errorf("%w: upstream %s/%s is not in service; if it was just written, ask again in a moment, and see its problems", gateway.ErrNotFound, r.Tenant, r.Upstream)
	}
	u.Verdicts = full(u.Verdicts)
	return api.GetUpstreamHealth200JSONResponse(u), nil
}

// ListHealthEvents reads the evidence ledger.
func (s *server) ListHealthEvents(_ context.Context, r api.ListHealthEventsRequestObject) (api.ListHealthEventsResponseObject, error) {
	q := gateway.HealthQuery{Tenant: deref(r.Params.Tenant), Upstream: deref(r.Params.Upstream), Address: canonical(deref(r.Params.Endpoint)),
		Since: deref(r.Params.Since), Until: deref(r.Params.Until), Limit: cmp.Or(deref(r.Params.Limit), defaultLimit)}
	return api.ListHealthEvents200JSONResponse{Items: full(s.Health.History(q))}, nil
}

// PinEndpoint writes what the caller says about an endpoint, over what stands there.
func (s *server) PinEndpoint(ctx context.Context, r api.PinEndpointRequestObject) (api.PinEndpointResponseObject, error) {
	if err := checkAddress("address", r.Address); err != nil {
		return nil, err
	}
	expires, err := expiry(r.Body, time.Now())
	if err != nil {
		return nil, err
	}
	pins, err := s.pinsOf(ctx, r.Tenant, r.Upstream, r.Address)
	if err != nil {
		return nil, err
	}
	u := s.Control.Snapshot().Upstream(gateway.UpstreamKey{Tenant: r.Tenant, Name: r.Upstream})
	switch {
	case len(pins) > 0: // it may have gone since
	case u == nil:
		return nil, fmt.Errorf("%w: there is no upstream %s/%s", gateway.ErrNotFound, r.Tenant, r.Upstream)
	case !hasAddress(u, r.Address):
		return nil, fmt.Errorf("%w: upstream %s/%s has no endpoint %s", gateway.ErrNotFound, r.Tenant, r.Upstream, r.Address)
	}
	p := &gateway.Pin{Meta: gateway.Meta{Kind: gateway.KindPin, Tenant: r.Tenant, Name: gateway.PinName(r.Upstream, canonical(r.Address))}}
	if len(pins) > 0 {
		p.Name, p.Labels = pins[0].Name, pins[0].Labels
	}
	p.Spec = gateway.PinSpec{Upstream: r.Upstream, Address: canonical(r.Address), State: r.Body.State, Expires: expires, Reason: deref(r.Body.Reason)}
	changes := []gateway.Change{{Ref: p.Ref(), Object: p}}
	for _, other := range pins[min(1, len(pins)):] {
		changes = append(changes, gateway.Change{Ref: other.Ref()})
	}
	return s.write(ctx, changes, deref(r.Params.DryRun))
}

// UnpinEndpoint deletes whatever people have said about an endpoint.
func (s *server) UnpinEndpoint(ctx context.Context, r api.UnpinEndpointRequestObject) (api.UnpinEndpointResponseObject, error) {
	pins, err := s.pinsOf(ctx, r.Tenant, r.Upstream, r.Address)
	if err != nil {
		return nil, err
	}
	if len(pins) == 0 {
		return nil, fmt.Errorf("%w: nobody has said anything about endpoint %s of upstream %s/%s", gateway.ErrNotFound, r.Address, r.Tenant, r.Upstream)
	}
	var changes []gateway.Change
	for _, p := range pins {
		changes = append(changes, gateway.Change{Ref: p.Ref()})
	}
	return s.write(ctx, changes, deref(r.Params.DryRun))
}

// pinsOf are the pins of an endpoint, expired ones too. There is one, unless somebody has
// applied others by hand.
func (s *server) pinsOf(ctx context.Context, tenant, upstream, address string) (out []*gateway.Pin, err error) {
	objects, err := s.Store.List(ctx, gateway.KindPin, tenant)
	for _, o := range objects {
		if p, ok := o.(*gateway.Pin); ok && p.Spec.Upstream == upstream && canonical(p.Spec.Address) == canonical(address) {
			out = append(out, p)
		}
	}
	return out, err
}

func hasAddress(u *gateway.EffectiveUpstream, address string) bool {
	for i := range u.Endpoints {
		if u.Endpoints[i].Address == canonical(address) {
			return true
		}
	}
	return false
}

// expiry is when a pin ends; zero: when it is taken back.
func expiry(b *api.PinRequest, now time.Time) (time.Time, error) {
	switch {
	case b.Expires != nil && b.For != nil:
		return time.Time{}, invalidField("for", "expires says when it ends: leave out one of them")
	case b.For != nil && *b.For == 0:
		return time.Time{}, invalidField("for", "0s would end at once: leave it out for no end")
	case b.For != nil:
		return now.Add(b.For.Std()).UTC().Truncate(time.Second), nil
	case b.Expires != nil && !b.Expires.After(now):
		return time.Time{}, invalidField("expires", fmt.Sprintf("%s is over", b.Expires.Format(time.RFC3339)))
	case b.Expires != nil:
		return *b.Expires, nil
	}
	return time.Time{}, nil
}
