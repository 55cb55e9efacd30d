package gateway_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestTakes(t *testing.T) {
	for _, c := range []struct {
		entry, host string
		want        bool
	}{
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "A.Example.COM", true},
		{"*.example.com", "a.example.com.", true},
		{"*.example.com", "a.b.example.com", false},
		{"*.example.com", "a.b.example.com.", false},
		{"*.example.com", "a.b.c.example.com", false},
		{"*.b.example.com", "a.b.example.com", true},
		{"a.b.example.com", "a.b.example.com", true},
		{"*", "a.b.example.com", true},
		{"*", "", true},
	} {
		if got := (&gateway.EffectiveRoute{SingleLabel: true}).Takes(c.entry, []byte(c.host)); got != c.want {
			t.Errorf("%s under %s: %v", c.host, c.entry, got)
		}
		if !(&gateway.EffectiveRoute{}).Takes(c.entry, []byte(c.host)) {
			t.Errorf("%s under %s: not taken by a route for any number of labels", c.host, c.entry)
		}
	}
}

// The field reaches the snapshot, and changes the digest.
func TestSingleLabelIsDecided(t *testing.T) {
	in := gateway.Inputs{
		Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "t"}, Spec: gateway.TenantSpec{Hosts: []string{"*.example.com"}}}},
		Routes: []*gateway.Route{{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "t", Name: "r"}, Spec: gateway.RouteSpec{
			Hosts: []string{"*.example.com"}, Filters: []gateway.Filter{{Respond: &gateway.Respond{Status: 200}}}}}},
	}
	before := gateway.Build(in, 1)
	route := *in.Routes[0]
	route.Spec.SingleLabel = true
	in.Routes, in.Before = []*gateway.Route{&route}, before // what came out alike may be taken from there
	after := gateway.Build(in, 1)
	if before.Hosts[0].Rules[0].Route.SingleLabel || !after.Hosts[0].Rules[0].Route.SingleLabel || before.Digest == after.Digest {
		t.Errorf("%+v, then %+v; digests %s, %s", before.Hosts[0].Rules[0].Route, after.Hosts[0].Rules[0].Route, before.Digest, after.Digest)
	}
}
