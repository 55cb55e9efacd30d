package manual_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/discovery/manual"
	"github.com/sluice-gateway/sluice/gateway"
)

func upstream(name string, endpoints ...gateway.ManualEndpoint) *gateway.Upstream {
	return &gateway.Upstream{
		Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: name},
		Spec: gateway.UpstreamSpec{Endpoints: endpoints},
	}
}

func key(name string) gateway.SetKey {
	return gateway.SetKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: name}, Source: gateway.SourceManual}
}

func TestSets(t *testing.T) {
	zero, five := 0, 5
	got := manual.Sets([]*gateway.Upstream{
		upstream("api",
			gateway.ManualEndpoint{Address: "10.0.0.4:8080"},
			gateway.ManualEndpoint{Address: "10.0.0.5:8080", Weight: &five, Priority: 1, Zone: "a"},
			gateway.ManualEndpoint{Address: "[2001:db8::1]:80", Weight: &zero}),
		upstream("none"),
	})
	want := []gateway.EndpointSet{
		{SetKey: key("api"), Endpoints: []gateway.SourceEndpoint{
			{Address: "10.0.0.4:8080", Weight: 1},
			{Address: "10.0.0.5:8080", Weight: 5, Priority: 1, Zone: "a"},
			{Address: "[2001:db8::1]:80"},
		}},
		{SetKey: key("none"), Endpoints: []gateway.SourceEndpoint{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("sets (-want +got):\n" + diff)
	}
}

func TestSetsOfNothing(t *testing.T) {
	if got := manual.Sets(nil); len(got) != 0 {
		t.Errorf("got %v, want no sets", got)
	}
}

func ExampleSets() {
	for _, set := range manual.Sets([]*gateway.Upstream{upstream("api", gateway.ManualEndpoint{Address: "10.0.0.4:8080"})}) {
		fmt.Println(set.Upstream, set.Endpoints[0].Address, "weight", set.Endpoints[0].Weight)
	}
	// Output: acme/api 10.0.0.4:8080 weight 1
}
