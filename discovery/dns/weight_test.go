package dns

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// Weights as the package comment has them; a record is its weight, and the number of addresses
// of its target.
func TestShares(t *testing.T) {
	type record struct{ weight, addresses int }
	for _, c := range []struct {
		name    string
		records []record
		want    []int
	}{
		{"small ones stay", []record{{1, 1}, {2, 1}, {1000, 1}}, []int{1, 2, 1000}},
		{"large ones are brought down", []record{{65535, 1}, {6554, 1}, {1, 1}}, []int{1000, 100, 1}},
		{"all are 0", []record{{0, 1}, {0, 1}}, []int{1, 1}},
		{"0 beside others is almost never", []record{{0, 1}, {10, 1}, {5, 1}}, []int{1, 1000, 500}},
		{"both families for each", []record{{10, 2}, {30, 2}}, []int{10, 30}},
		{"a target with two addresses gets its part", []record{{10, 2}, {10, 1}}, []int{10, 20}},
		{"all are 0, and one has three addresses", []record{{0, 3}, {0, 1}}, []int{1, 3}},
		{"a target without addresses changes nothing", []record{{10, 0}, {10, 1}}, []int{10, 10}},
	} {
		var group []*dns.SRV
		hosts := map[string]hosted{}
		for i, r := range c.records {
			name := string(rune('a'+i)) + ".test."
			group = append(group, &dns.SRV{Weight: uint16(r.weight), Target: name}) //nolint:gosec // of the table above
			h := hosted{}
			for range r.addresses {
				h.addrs = append(h.addrs, netip.MustParseAddr("10.0.0.1"))
			}
			hosts[name] = h
		}
		if got := shares(group, hosts); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSearchNames(t *testing.T) {
	search := []string{"A.test", "b.test."}
	for _, c := range []struct {
		name  string
		ndots int
		want  []string
	}{
		{"web", 1, []string{"web.a.test.", "web.b.test.", "web."}},
		{"web.shop", 1, []string{"web.shop.", "web.shop.a.test.", "web.shop.b.test."}},
		{"web.shop", 2, []string{"web.shop.a.test.", "web.shop.b.test.", "web.shop."}},
		{"web.", 5, []string{"web."}},
	} {
		if got := (question{name: c.name}).names(search, c.ndots); !slices.Equal(got, c.want) {
			t.Errorf("%s with ndots:%d: %v, want %v", c.name, c.ndots, got, c.want)
		}
	}
	if got := (question{name: "web"}).names(nil, 0); !slices.Equal(got, []string{"web."}) {
		t.Errorf("without a search list: %v", got)
	}
}
