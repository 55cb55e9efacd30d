package gateway_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestIPAccess(t *testing.T) {
	nobody := &gateway.IPAccess{Deny: []string{"0.0.0.0/0", "::/0"}}
	access := func(allow, deny []string) gateway.Filter {
		return gateway.Filter{IPAccess: &gateway.IPAccess{Allow: allow, Deny: deny}}
	}
	var many []string
	for i := range 1001 {
		many = append(many, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	for name, c := range map[string]struct {
		filters  []gateway.Filter
		want     *gateway.IPAccess
		problems []string
	}{
		"none":         {},
		"canonical":    {filters: []gateway.Filter{access([]string{"10.1.2.3/8", "10.0.0.4", "::ffff:10.0.0.4", "2001:DB8::1/32"}, []string{"10.2.0.0/16"})}, want: &gateway.IPAccess{Allow: []string{"10.0.0.0/8", "10.0.0.4/32", "2001:db8::/32"}, Deny: []string{"10.2.0.0/16"}}},
		"empty":        {filters: []gateway.Filter{access(nil, nil)}, want: nobody, problems: []string{"spec.filters[0].ipAccess network_missing"}},
		"typing error": {filters: []gateway.Filter{access([]string{"10.0.0.0/8"}, []string{"10.0.0.0/33"})}, want: nobody, problems: []string{"spec.filters[0].ipAccess.deny[0] network_invalid"}},
		"a name":       {filters: []gateway.Filter{access([]string{"10.0.0.0/8", "office"}, nil)}, want: nobody, problems: []string{"spec.filters[0].ipAccess.allow[1] network_invalid"}},
		"half of v6":   {filters: []gateway.Filter{access([]string{"::ffff:0.0.0.0/90"}, nil)}, want: nobody, problems: []string{"spec.filters[0].ipAccess.allow[0] network_invalid"}},
		"too many":     {filters: []gateway.Filter{access(many, nil)}, want: nobody, problems: []string{"spec.filters[0].ipAccess networks_too_many"}},
		"twice":        {filters: []gateway.Filter{access([]string{"10.0.0.0/8"}, nil), access([]string{"11.0.0.0/8"}, nil)}, want: nobody, problems: []string{"spec.filters[1] filter_twice"}},
		"two in one": {filters: []gateway.Filter{{IPAccess: &gateway.IPAccess{Allow: []string{"10.0.0.0/8"}}, Respond: &gateway.Respond{Status: 200}}},
			want: &gateway.IPAccess{Allow: []string{"10.0.0.0/8"}}, problems: []string{"spec.filters[0] filter_invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: c.filters})
			got := fieldCodes(s)
			got = slices.DeleteFunc(got, func(s string) bool { return s == "spec.to target_unused" })
			if !slices.Equal(got, c.problems) {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if diff := cmp.Diff(c.want, s.Hosts[0].Rules[0].Route.IPAccess); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNetworksOrder(t *testing.T) {
	a := &gateway.IPAccess{Allow: []string{"10.1.0.0/16", "10.1.2.0/24"}, Deny: []string{"10.0.0.0/8", "10.1.2.0/24", "nonsense"}}
	var got []string
	for _, n := range a.Networks() {
		got = append(got, fmt.Sprint(n.Network, n.Allowed))
	}
	if want := []string{"10.1.2.0/24 false", "10.1.2.0/24 true", "10.1.0.0/16 true", "10.0.0.0/8 false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
