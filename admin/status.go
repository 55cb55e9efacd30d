package admin

import (
	"context"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// GetStatus says how this process is doing.
func (s *server) GetStatus(ctx context.Context, _ api.GetStatusRequestObject) (api.GetStatusResponseObject, error) {
	snap := s.Control.Snapshot()
	var names *api.NameStatus
	if s.Names != nil {
		names = s.Names()
	}
	var check *api.FleetCheckStatus
	if s.FleetCheck != nil {
		check = s.FleetCheck()
	}
	return api.GetStatus200JSONResponse{
		FleetCheck:    check,
		Version:       s.Version,
		Node:          s.Node,
		StartedAt:     s.StartedAt,
		Generation:    snap.Generation,
		Digest:        snap.Digest,
		VerdictDigest: snap.VerdictDigest,
		Problems:      len(s.problems(snap)),
		Counts:        s.counts(snap),
		Sources:       full(s.Sources()),
		Store:         s.StoreStatus(ctx),
		Listeners:     full(s.Listeners()),
		Names:         names,
	}, nil
}

// ListNames lists the names that are announced.
func (s *server) ListNames(_ context.Context, r api.ListNamesRequestObject) (api.ListNamesResponseObject, error) {
	var out api.NameList
	if s.NameList != nil {
		out = s.NameList()
	}
	if r.Params.Tenant != nil {
		out.Items = slices.DeleteFunc(out.Items, func(n api.ServiceName) bool { return n.Tenant != *r.Params.Tenant })
	}
	out.Items = full(out.Items)
	return api.ListNames200JSONResponse(out), nil
}

func (s *server) counts(snap *gateway.Snapshot) api.Counts {
	c := api.Counts{
		Tenants: len(snap.Tenants), Hosts: len(snap.Hosts), Upstreams: len(snap.Upstreams), Fleets: len(snap.Fleets),
		Nodes: map[string]int{},
	}
	routes := map[gateway.Ref]bool{}
	for _, h := range snap.Hosts {
		for _, r := range h.Rules {
			routes[gateway.Ref{Tenant: r.Route.Tenant, Name: r.Route.Name}] = true
		}
	}
	c.Routes = len(routes)
	for _, u := range snap.Upstreams {
		c.Endpoints += len(u.Endpoints)
		for _, e := range u.Endpoints {
			if e.InRotation {
				c.EndpointsInRotation++
			}
		}
	}
	for _, n := range s.nodes(snap) {
		c.Nodes[string(n.State)]++
	}
	return c
}

// nodes are those of every fleet. A fleet that the controller does not know yet has none.
func (s *server) nodes(snap *gateway.Snapshot) []gateway.Node {
	var all []gateway.Node
	for _, f := range snap.Fleets {
		nodes, err := s.Fleets.Nodes(f.Name)
		if err != nil {
			s.Log.Debug("admin: the nodes of a fleet cannot be listed", "fleet", f.Name, "error", err)
			continue
		}
		all = append(all, nodes...)
	}
	return all
}
