package gateway_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestDiffering(t *testing.T) {
	hosts := map[string]*gateway.Host{}
	list := func(text string) (out []*gateway.Host) {
		for _, name := range strings.Fields(text) { // "a2" is another host of name "a"
			if hosts[name] == nil {
				hosts[name] = &gateway.Host{Name: name[:1], Tenant: name}
			}
			out = append(out, hosts[name])
		}
		return out
	}
	for _, c := range []struct{ before, after, want string }{
		{"", "", ""},
		{"a b c", "a b c", ""},
		{"", "a b", "+a +b"},
		{"a b", "", "-a -b"},
		{"a b c", "a b2 c", "b>b2"},
		{"a c", "a b c d", "+b +d"},
		{"a b c d", "b d", "-a -c"},
		{"a b c", "a2 c2 d", "a>a2 -b c>c2 +d"},
	} {
		var got []string
		for old, is := range gateway.Differing(list(c.before), list(c.after), func(a, b *gateway.Host) int { return cmp.Compare(a.Name, b.Name) }) {
			switch {
			case old == nil:
				got = append(got, "+"+is.Tenant)
			case is == nil:
				got = append(got, "-"+old.Tenant)
			default:
				got = append(got, fmt.Sprint(old.Tenant, ">", is.Tenant))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q to %q: %q, want %q", c.before, c.after, s, c.want)
		}
	}
}
