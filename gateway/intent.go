package gateway

import "slices"

// IntentOf is the digest of what people want of a fleet: hosts with their effective routes, and
// the upstreams of the tenants that it mirrors without their endpoints. Two snapshots in which
// it is equal differ for the fleet in endpoints and verdicts only.
func (s *Snapshot) IntentOf(fleet string) string {
	type intent struct {
		Tenants    []string
		Hosts      []*Host
		Upstreams  []EffectiveUpstream
		Directives []string
	}
	in := intent{Hosts: s.Hosts, Directives: s.NginxDirectives}
	mirrored := map[string]bool{}
	for _, t := range s.Tenants {
		if slices.Contains(t.Spec.Fleets, fleet) {
			mirrored[t.Name] = true
			in.Tenants = append(in.Tenants, t.Name)
		}
	}
	for _, u := range s.Upstreams {
		if mirrored[u.Key.Tenant] {
			bare := *u
			bare.Endpoints, bare.Panic = nil, false
			in.Upstreams = append(in.Upstreams, bare)
		}
	}
	return digestOf(in).String()
}
