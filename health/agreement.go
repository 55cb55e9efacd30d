package health

import (
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// sameAgreement compares all that a fleet or a person would be shown.
func sameAgreement(a, b *gateway.Agreement) bool {
	return slices.Equal(a.Observers, b.Observers) &&
		slices.EqualFunc(a.Endpoints, b.Endpoints, func(x, y gateway.Standing) bool {
			return x.EndpointKey == y.EndpointKey && x.Scope == y.Scope && x.Observers == y.Observers && x.Bad == y.Bad && x.Unknown == y.Unknown && slices.Equal(x.Sights, y.Sights)
		}) &&
		slices.EqualFunc(a.Services, b.Services, func(x, y gateway.ServiceStanding) bool {
			return x.Upstream == y.Upstream && x.Observers == y.Observers && slices.Equal(x.Bad, y.Bad)
		})
}

// Agreed is the verdict on an endpoint for somebody without eyes of its own: that of the
// majority. Where nobody finds it bad it is this node's, which may know that it is on
// probation, or that nobody has probed it yet.
func Agreed(a *gateway.Agreement, k gateway.UpstreamKey, e *gateway.Endpoint) gateway.Verdict {
	if e.Pin != nil {
		return e.Verdict
	}
	if s := a.Endpoint(gateway.EndpointKey{Upstream: k, Address: e.Address}); s != nil {
		return s.Verdict()
	}
	if s := sightOf(&e.Verdict); s.Bad() { // just now: what the others say to it comes
		v := e.Verdict
		v.State, v.Until, v.Reason = gateway.StateHealthy, time.Time{}, "not agreed yet: "+v.Reason
		return v
	}
	return e.Verdict
}
