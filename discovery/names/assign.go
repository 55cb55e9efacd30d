package names

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Assignment is which service has which name.
type Assignment struct {
	Services map[string]Service // by host
	// Routes lead from the hosts to the services' upstreams, where the tenants own the hosts.
	// They are sorted, and nobody else has them.
	Routes []*gateway.Route
	// Problems are services without a name and names that are not served, sorted.
	Problems []gateway.Problem
}

// claim is a service that the rule gives a host.
type claim struct {
	Service
	host    string
	owned   bool  // by its tenant
	created int64 // when its upstream was
}

func (c claim) compare(o claim) int {
	first := func(c claim) int {
		if c.owned {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.host, o.host), first(c)-first(o), cmp.Compare(c.created, o.created), c.Service.compare(o.Service))
}

// Assign gives each host that the rule makes of the Kubernetes Services that upstreams follow
// to one of them: one whose tenant owns the host before others, and then the one whose
// upstream is the oldest. All processes that have the same snapshot come to the same.
func Assign(rule Rule, s *gateway.Snapshot) Assignment {
	a := Assignment{Services: map[string]Service{}}
	claims := a.claims(rule, s)
	slices.SortFunc(claims, claim.compare)
	for _, c := range claims {
		has, taken := a.Services[c.host]
		switch {
		case !taken:
			a.Services[c.host] = c.Service
			a.serve(c, s)
		case has.same(c.Service), has.Tenant == c.Tenant && has.Upstream == c.Upstream: // its requests get there
		default:
			a.problem(c.Service, "name_taken", "Service %s/%s of cluster %s gets no name: %s is that of service %s/%s of cluster %s. Put {{cluster}} or {{tenant}} into names.rule.",
				c.Namespace, c.Service.Service, c.Cluster, c.host, has.Namespace, has.Service, has.Cluster)
		}
	}
	slices.SortFunc(a.Problems, gateway.Problem.Compare)
	return a
}

func (a *Assignment) claims(rule Rule, s *gateway.Snapshot) []claim {
	var out []claim
	for _, u := range s.Upstreams {
		for _, d := range u.Discover {
			k := d.Kubernetes
			if k == nil {
				continue
			}
			c := claim{created: u.Created(), Service: Service{Cluster: cmp.Or(k.Cluster, "default"), Namespace: k.Namespace, Service: k.Service,
				Tenant: u.Key.Tenant, Upstream: u.Key.Name}}
			var err error
			if c.host, err = rule.Host(c.Service); err != nil {
				a.problem(c.Service, "name_invalid", "Service %s/%s of cluster %s gets no name: %v.", k.Namespace, k.Service, c.Cluster, err)
				continue
			}
			c.owned = ownerOf(s, c.host) == c.Tenant
			out = append(out, c)
		}
	}
	return out
}

// ownerOf is the tenant with the most specific claim that covers the host, or "".
func ownerOf(s *gateway.Snapshot, host string) string {
	if h := s.Lookup(host); h != nil {
		return h.Tenant
	}
	return ""
}

// serve makes the route for a name, if its tenant may have it.
func (a *Assignment) serve(c claim, s *gateway.Snapshot) {
	if !c.owned {
		whose := "nobody's"
		if owner := ownerOf(s, c.host); owner != "" {
			whose = fmt.Sprintf("that of tenant %q", owner)
		}
		a.problem(c.Service, "name_not_owned", "Requests for the name %s of service %s/%s do not get there: the host is %s. An administrator adds it to spec.hosts of tenant %q, or a wildcard that covers it.",
			c.host, c.Namespace, c.Service.Service, whose, c.Tenant)
		return
	}
	a.Routes = append(a.Routes, &gateway.Route{
		Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: c.Tenant, Name: c.host, Labels: map[string]string{
			"sluice.io/cluster": c.Cluster, "sluice.io/namespace": c.Namespace, "sluice.io/service": c.Service.Service}},
		Spec: gateway.RouteSpec{Hosts: []string{c.host}, To: []gateway.RouteTarget{{Upstream: c.Upstream}}},
	})
}

func (a *Assignment) problem(s Service, code, format string, args ...any) {
	a.Problems = append(a.Problems, gateway.Problem{Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: s.Tenant, Name: s.Upstream},
		Field: "spec.discover", Code: code, Source: "names", Message: fmt.Sprintf(format, args...)})
}
