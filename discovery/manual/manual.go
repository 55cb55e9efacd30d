package manual

import "github.com/sluice-gateway/sluice/gateway"

// Sets returns the set of every upstream, in the order given. An upstream without
// endpoints by hand has an empty set, which takes out the endpoints it had before.
func Sets(upstreams []*gateway.Upstream) []gateway.EndpointSet {
	sets := make([]gateway.EndpointSet, 0, len(upstreams))
	for _, u := range upstreams {
		set := gateway.EndpointSet{
			SetKey:    gateway.SetKey{Upstream: u.Key(), Source: gateway.SourceManual},
			Endpoints: make([]gateway.SourceEndpoint, 0, len(u.Spec.Endpoints)),
		}
		for _, e := range u.Spec.Endpoints {
			weight := 1
			if e.Weight != nil {
				weight = *e.Weight
			}
			set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{
				Address: e.Address, Weight: weight, Priority: e.Priority, Zone: e.Zone, Fails: e.Fails.Filled(),
			})
		}
		sets = append(sets, set)
	}
	return sets
}
