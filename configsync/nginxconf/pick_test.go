package nginxconf

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestPicksMany: what does not fit into one map goes on in the next one, and what fits nowhere is
// closed.
func TestPicksMany(t *testing.T) {
	many := func(n int) *gateway.Snapshot {
		s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme"}}}
		for i := range n {
			rule := routeTo("/")
			rule.Route.Name, rule.Route.Respond = fmt.Sprintf("r%04d", i), &gateway.Respond{Status: 200, Body: fmt.Sprint("rule ", i)}
			rule.Query = []gateway.QueryMatch{{Name: "n", Exact: fmt.Sprint(i)}}
			s.Hosts[0].Rules = append(s.Hosts[0].Rules, rule)
		}
		return s
	}
	const n = 200
	address, problems := nginxOf(t, many(n), "1.22.1", false)
	if len(problems) > 0 {
		t.Errorf("problems: %s", problemText(problems))
	}
	for i := range n + 1 {
		want := fmt.Sprint("200 rule ", i)
		if i == n {
			want = "404"
		}
		if got := raw(t, address, fmt.Sprint("GET /?n=", i)); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	_, problems = Render(many(maxGroups*maxGroupTests), "shared", gateway.NodeFacts{})
	if len(problems) > 0 {
		t.Errorf("the most that fit: %s", problemText(problems))
	}
	tree, problems := Render(many(maxGroups*maxGroupTests+2), "shared", gateway.NodeFacts{})
	if len(problems) != 1 || problems[0].Object.Name != "r3200" || !strings.Contains(tree.File("matches/acme.shop.test.conf").Data, "default @acme.r3200.closed;") {
		t.Errorf("too many: %s", problemText(problems))
	}
}

// TestPicksLongQuery: the expressions give up on no query that fits into a head.
func TestPicksLongQuery(t *testing.T) {
	rule := routeTo("/")
	rule.Route.Respond = &gateway.Respond{Status: 200, Body: "met"}
	rule.Query = []gateway.QueryMatch{{Name: "name", Exact: "value"}}
	s := &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{rule}}}}
	address, _ := nginxOf(t, s, "1.22.1", false)
	for _, part := range []string{"&", "a&", "nam&", "name1&", "%6e%61m&", "%&", "n=me&", strings.Repeat("n", 60000) + "&", strings.Repeat("%6e", 20000) + "&"} {
		query := strings.Repeat(part, 60000/len(part))
		for end, want := range map[string]string{"name=value": "200 met", "name=valu": "404", "name=valu&name=value": "404"} {
			if got := raw(t, address, "GET /?"+query+end); got != want {
				t.Errorf("many %.20q and %s: %s, want %s", part, end, got, want)
			}
		}
	}
}

func TestMoreThan(t *testing.T) {
	for _, n := range []int64{1, 9, 10, 99, 1000, 1 << 20, 10 << 20, 1999} {
		pattern := regexp.MustCompile(moreThan(n))
		for _, d := range []int64{-1000, -100, -10, -9, -1, 0, 1, 2, 9, 10, 90, 100, 1000, 1 << 40} {
			if v := n + d; v >= 0 && (pattern.MatchString(fmt.Sprint(v)) != (v > n) || pattern.MatchString(fmt.Sprint("00", v)) != (v > n)) {
				t.Errorf("%d of %d", v, n)
			}
		}
	}
	for text, want := range map[string]int64{"5": 5, "64k": 64 << 10, "10M": 10 << 20, "1g": 1 << 30, "0": 0} {
		if n, ok := nginxSize(text); n != want || !ok {
			t.Errorf("%s: %d %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "k", "-1", "1t", "x", "99999999999g", "1 k"} {
		if n, ok := nginxSize(text); ok {
			t.Errorf("%q is %d", text, n)
		}
	}
}
