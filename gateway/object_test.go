package gateway_test

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Every kind has its object, and only those that belong to a tenant are owned.
func TestKinds(t *testing.T) {
	var owned []gateway.Kind
	for _, k := range gateway.Kinds {
		o, err := gateway.NewObject(k)
		if err != nil || o.Head().Kind != k {
			t.Errorf("%s: %+v, %v", k, o, err)
		}
		if k.Owned() {
			owned = append(owned, k)
		}
	}
	if want := []gateway.Kind{"Certificate", "Upstream", "Route", "Stream", "Override", "Pin"}; !slices.Equal(owned, want) {
		t.Errorf("owned are %v, want %v", owned, want)
	}
	o, err := gateway.NewObject("Vhost")
	if want := `unknown kind "Vhost": known kinds are [Tenant Fleet Policy Certificate Upstream Route Stream Override Pin Allowance]`; o != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, %v, want %s", o, err, want)
	}
}

func TestRefs(t *testing.T) {
	sorted := []gateway.Ref{
		{Kind: "Route", Tenant: "acme", Name: "b"}, {Kind: "Route", Tenant: "other", Name: "a"}, {Kind: "Tenant", Name: "acme"}, {Kind: "Tenant", Name: "b"},
	}
	for i, x := range sorted {
		for j, y := range sorted {
			if got := x.Compare(y); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s compared with %s is %d", x, y, got)
			}
		}
	}
	if got := sorted[0].String() + ", " + sorted[2].String(); got != "Route acme/b, Tenant acme" {
		t.Error(got)
	}
}
