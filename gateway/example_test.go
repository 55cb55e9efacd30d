package gateway_test

import (
	"fmt"

	"github.com/sluice-gateway/sluice/gateway"
)

// One route is fine and goes live, another asks for a host of somebody else and becomes a
// Problem on its owner's object.
func ExampleBuild() {
	api := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api"}}
	route := func(name, host string) *gateway.Route {
		return &gateway.Route{
			Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: name},
			Spec: gateway.RouteSpec{Hosts: []string{host}, To: []gateway.RouteTarget{{Upstream: "api"}}},
		}
	}
	s := gateway.Build(gateway.Inputs{
		Tenants: []*gateway.Tenant{{
			Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"},
			Spec: gateway.TenantSpec{Hosts: []string{"*.acme.test"}},
		}},
		Upstreams: []*gateway.Upstream{api},
		Routes:    []*gateway.Route{route("shop", "shop.acme.test"), route("bank", "bank.test")},
		Sets: []gateway.EndpointSet{{
			SetKey:    gateway.SetKey{Upstream: api.Key(), Source: gateway.SourceManual},
			Endpoints: []gateway.SourceEndpoint{{Address: "10.0.0.4:8080", Weight: 1}},
		}},
	}, 1)

	rule := s.Lookup("shop.acme.test").Rules[0]
	target := s.Upstream(rule.Route.Targets[0].Upstream)
	fmt.Println(rule.Path, "goes to", target.Key, "at", target.Endpoints[0].Address)
	for _, p := range s.Problems {
		fmt.Printf("%s, %s: %s\n", p.Object, p.Field, p.Message)
	}
	// Output:
	// prefix "/" goes to acme/api at 10.0.0.4:8080
	// Route acme/bank, spec.hosts[0]: Host "bank.test" is not among the hosts of tenant "acme": an administrator adds it to the Tenant's spec.hosts.
}
