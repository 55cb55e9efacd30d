package nginxconf

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// TestBalancingMethod has what goldens can not have yet: what is hashed.
func TestBalancingMethod(t *testing.T) {
	key := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	for _, c := range []struct {
		b    balancing
		want []string
		same bool // nginx does the same
	}{
		{balancing{policy: ""}, nil, true},
		{balancing{policy: "round_robin"}, nil, true},
		{balancing{policy: "hash"}, []string{"hash", "$uri", "consistent"}, true},
		{balancing{policy: "hash", on: "uri"}, []string{"hash", "$uri", "consistent"}, true},
		{balancing{policy: "hash", on: "ip"}, []string{"hash", "$remote_addr", "consistent"}, true},
		{balancing{policy: "hash", on: "ip", maxLoad: 125}, []string{"hash", "$remote_addr", "consistent"}, false},
		{balancing{policy: "hash", on: "header", name: "X-User"}, []string{"hash", "$sluice_key_acme_zapi", "consistent"}, true},
		{balancing{policy: "hash", on: "header", name: `x"; }`}, nil, false},
		{balancing{policy: "hash", on: "header"}, nil, false},
		{balancing{policy: "hash", on: "cookie", name: "sid"}, []string{"hash", "$sluice_key_acme_zapi", "consistent"}, true},
		{balancing{policy: "hash", on: "cookie", name: "s-id"}, nil, false},
		{balancing{policy: "p2c_ewma"}, []string{"random", "two", "least_conn"}, false},
		{balancing{policy: "new"}, nil, false},
	} {
		words, module, why := c.b.method(key)
		if !slices.Equal(words, c.want) || (why == "") != c.same || (words != nil) != (module != "") {
			t.Errorf("%+v: %q of %q, %q", c.b, words, module, why)
		}
	}
	for _, c := range []struct{ on, name, source, missing string }{
		{"header", "X-User", "$http_x_user", "$uri"},
		{"cookie", "SID", "$cookie_SID", "$remote_addr"},
	} {
		if source, missing := (balancing{on: c.on, name: c.name}).source(); source != c.source || missing != c.missing {
			t.Errorf("%s %s: %q, else %q", c.on, c.name, source, missing)
		}
	}
}
