package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// editAttempts is how often an edit of an upstream is repeated when somebody else was
// faster. Scripts of many machines edit one upstream, and each edit is quick.
const editAttempts = 20

// AddEndpoint adds an endpoint by hand, or changes the one with its address.
func (s *server) AddEndpoint(ctx context.Context, r api.AddEndpointRequestObject) (api.AddEndpointResponseObject, error) {
	if err := checkAddress("address", r.Body.Address); err != nil {
		return nil, err
	}
	return s.edit(ctx, upstreamRef(r.Tenant, r.Upstream), nil, r.Params.DryRun, func(u *gateway.Upstream) error {
		if i := slices.IndexFunc(u.Spec.Endpoints, sameAddress(r.Body.Address)); i >= 0 {
			u.Spec.Endpoints[i] = *r.Body
		} else {
			u.Spec.Endpoints = append(u.Spec.Endpoints, *r.Body)
		}
		return nil
	})
}

// RemoveEndpoint removes an endpoint that was given by hand.
func (s *server) RemoveEndpoint(ctx context.Context, r api.RemoveEndpointRequestObject) (api.RemoveEndpointResponseObject, error) {
	ref := upstreamRef(r.Tenant, r.Upstream)
	return s.edit(ctx, ref, nil, r.Params.DryRun, func(u *gateway.Upstream) error {
		i := slices.IndexFunc(u.Spec.Endpoints, sameAddress(r.Address))
		if i < 0 {
			return fmt.Errorf("%w: %s has no endpoint %s given by hand%s", gateway.ErrNotFound, ref, r.Address, s.discovered(u.Key(), r.Address))
		}
		u.Spec.Endpoints = slices.Delete(u.Spec.Endpoints, i, i+1)
		return nil
	})
}

// discovered completes a refusal when a source names the address: the caller may not know.
func (s *server) discovered(key gateway.UpstreamKey, address string) string {
	u := s.Control.Snapshot().Upstream(key)
	if u == nil {
		return ""
	}
	i := slices.IndexFunc(u.Endpoints, func(e gateway.Endpoint) bool { return e.Address == address })
	if i < 0 || len(u.Endpoints[i].Sources) == 0 {
		return ""
	}
	return fmt.Sprintf("; it comes from %s and has to be removed there", u.Endpoints[i].Sources[0])
}

// SyncEndpoints makes a list the whole list of endpoints given by hand.
func (s *server) SyncEndpoints(ctx context.Context, r api.SyncEndpointsRequestObject) (api.SyncEndpointsResponseObject, error) {
	seen := map[string]bool{}
	for i, e := range r.Body.Endpoints {
		field := fmt.Sprintf("endpoints[%d].address", i)
		if err := checkAddress(field, e.Address); err != nil {
			return nil, err
		}
		if a := canonical(e.Address); seen[a] {
			return nil, invalidField(field, fmt.Sprintf("%s is in the list twice", a))
		} else {
			seen[a] = true
		}
	}
	return s.edit(ctx, upstreamRef(r.Tenant, r.Upstream), r.Params.IfMatch, r.Params.DryRun, func(u *gateway.Upstream) error {
		if !slices.EqualFunc(sorted(u.Spec.Endpoints), sorted(r.Body.Endpoints), equalEndpoints) {
			u.Spec.Endpoints = r.Body.Endpoints
		}
		return nil
	})
}

// edit reads an upstream, changes it and writes it back if nobody else has meanwhile.
func (s *server) edit(ctx context.Context, ref gateway.Ref, ifMatch *string, dryRun *bool, change func(*gateway.Upstream) error) (*written, error) {
	var want *int64
	if ifMatch != nil {
		revision, err := s.match(ctx, ref, *ifMatch)
		if err != nil {
			return nil, err
		}
		want = &revision
	}
	for try := 1; ; try++ {
		u, err := get[*gateway.Upstream](ctx, s, ref)
		if err != nil {
			return nil, err
		}
		if u.DerivedFrom != nil {
			return nil, derivedError(&u.Meta)
		}
		c := gateway.Change{Ref: ref, Object: u, IfRevision: ownRevision(u)}
		if want != nil {
			c.IfRevision = want
		}
		if err := change(u); err != nil {
			return nil, err
		}
		w, err := s.write(ctx, []gateway.Change{c}, deref(dryRun))
		if want == nil && errors.Is(err, gateway.ErrConflict) && try < editAttempts {
			continue
		}
		return w, asPrecondition(err, want != nil)
	}
}

func upstreamRef(tenant, name string) gateway.Ref {
	return gateway.Ref{Kind: gateway.KindUpstream, Tenant: tenant, Name: name}
}

// checkAddress refuses at once what could never serve: the caller is still there to read it.
func checkAddress(field, address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || a.Port() == 0 {
		return invalidField(field, fmt.Sprintf("%q is not an address: write IP:port, such as 10.0.0.4:8080 or [2001:db8::4]:8080; names are resolved by discovery", address))
	}
	return nil
}

// canonical makes different spellings of one address equal.
func canonical(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

func sameAddress(address string) func(gateway.ManualEndpoint) bool {
	return func(e gateway.ManualEndpoint) bool { return canonical(e.Address) == canonical(address) }
}

func sorted(list []gateway.ManualEndpoint) []gateway.ManualEndpoint {
	return slices.SortedFunc(slices.Values(list), func(a, b gateway.ManualEndpoint) int {
		return cmp.Compare(canonical(a.Address), canonical(b.Address))
	})
}

func equalEndpoints(a, b gateway.ManualEndpoint) bool {
	return canonical(a.Address) == canonical(b.Address) && weight(a) == weight(b) && a.Priority == b.Priority && a.Zone == b.Zone && a.Fails.Filled() == b.Fails.Filled()
}

// weight fills in the default.
func weight(e gateway.ManualEndpoint) int {
	if e.Weight == nil {
		return 1
	}
	return *e.Weight
}
