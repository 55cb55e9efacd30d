package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// GetSession says who the caller is.
func (s *server) GetSession(ctx context.Context, _ api.GetSessionRequestObject) (api.GetSessionResponseObject, error) {
	who, _ := auth.From(ctx)
	return api.GetSession200JSONResponse{Name: who.Name, Role: api.SessionRole(who.Role)}, nil
}

// GetSnapshot gives everything that is served now.
func (s *server) GetSnapshot(context.Context, api.GetSnapshotRequestObject) (api.GetSnapshotResponseObject, error) {
	out := *s.Control.Snapshot()
	out.Tenants, out.Fleets, out.Hosts = full(out.Tenants), full(out.Fleets), full(out.Hosts)
	out.Problems = full(out.Problems)
	upstreams := make([]*gateway.EffectiveUpstream, len(out.Upstreams))
	for i, u := range out.Upstreams {
		upstreams[i] = shown(u)
	}
	out.Upstreams = upstreams
	return api.GetSnapshot200JSONResponse(out), nil
}

// ListUpstreams lists all upstreams as they are served now.
func (s *server) ListUpstreams(_ context.Context, r api.ListUpstreamsRequestObject) (api.ListUpstreamsResponseObject, error) {
	snap := s.Control.Snapshot()
	out := api.ListUpstreams200JSONResponse{Generation: snap.Generation, Items: []api.UpstreamView{}}
	problems, routes := problemsByRef(s.problems(snap)), routesByUpstream(snap)
	for _, u := range snap.Upstreams {
		if r.Params.Tenant == nil || *r.Params.Tenant == u.Key.Tenant {
			out.Items = append(out.Items, s.view(u, problems, routes))
		}
	}
	return out, nil
}

// GetEndpoints gives one upstream as it is served now.
func (s *server) GetEndpoints(_ context.Context, r api.GetEndpointsRequestObject) (api.GetEndpointsResponseObject, error) {
	snap := s.Control.Snapshot()
	u := snap.Upstream(gateway.UpstreamKey{Tenant: r.Tenant, Name: r.Upstream})
	if u == nil {
		return nil, fmt.Errorf("%w: upstream %s/%s is not in service; if it was just written, ask again in a moment, and see its problems", gateway.ErrNotFound, r.Tenant, r.Upstream)
	}
	return api.GetEndpoints200JSONResponse(s.view(u, problemsByRef(s.problems(snap)), routesByUpstream(snap))), nil
}

func (s *server) view(u *gateway.EffectiveUpstream, problems map[gateway.Ref][]gateway.Problem, routes map[gateway.UpstreamKey][]string) api.UpstreamView {
	ref := upstreamRef(u.Key.Tenant, u.Key.Name)
	return api.UpstreamView{
		Upstream:    *shown(u),
		Problems:    full(problems[ref]),
		Routes:      full(routes[u.Key]),
		DerivedFrom: s.derivedFrom(ref),
	}
}

// shown is the upstream with empty lists in place of nil ones, which JSON writes as null.
func shown(u *gateway.EffectiveUpstream) *gateway.EffectiveUpstream {
	c := *u
	c.Endpoints = slices.Clone(full(u.Endpoints))
	for i := range c.Endpoints {
		c.Endpoints[i].Sources = full(c.Endpoints[i].Sources)
	}
	return &c
}

func full[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func problemsByRef(list []gateway.Problem) map[gateway.Ref][]gateway.Problem {
	m := map[gateway.Ref][]gateway.Problem{}
	for _, p := range list {
		m[p.Object] = append(m[p.Object], p)
	}
	return m
}

// routesByUpstream names the routes that send requests, or copies of them, to each upstream, sorted.
func routesByUpstream(s *gateway.Snapshot) map[gateway.UpstreamKey][]string {
	sets := map[gateway.UpstreamKey]map[string]bool{}
	add := func(k gateway.UpstreamKey, route string) {
		if sets[k] == nil {
			sets[k] = map[string]bool{}
		}
		sets[k][route] = true
	}
	for _, h := range s.Hosts {
		for _, r := range h.Rules {
			for _, t := range r.Route.Targets {
				add(t.Upstream, r.Route.Name)
			}
			if m := r.Route.Mirror; m != nil {
				add(m.Upstream, r.Route.Name)
			}
		}
	}
	m := make(map[gateway.UpstreamKey][]string, len(sets))
	for k, set := range sets {
		m[k] = slices.Sorted(maps.Keys(set))
	}
	return m
}

// ListProblems lists what a person has to settle.
func (s *server) ListProblems(_ context.Context, r api.ListProblemsRequestObject) (api.ListProblemsResponseObject, error) {
	list := s.problems(s.Control.Snapshot())
	if r.Params.Tenant != nil {
		list = slices.DeleteFunc(list, func(p gateway.Problem) bool { return !concerns(p.Object, *r.Params.Tenant) })
	}
	return api.ListProblems200JSONResponse{Items: list}, nil
}

// problems are those of the snapshot and of the nodes, sorted, each once.
func (s *server) problems(snap *gateway.Snapshot) []gateway.Problem {
	list := slices.Concat(snap.Problems, s.Fleets.Problems())
	slices.SortFunc(list, gateway.Problem.Compare)
	return full(slices.Compact(list))
}

func concerns(r gateway.Ref, tenant string) bool {
	return r.Tenant == tenant || (r.Kind == gateway.KindTenant && r.Name == tenant)
}
