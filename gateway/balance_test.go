package gateway_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// What can't be used of a balance is told, and something near is in force.
func TestBalance(t *testing.T) {
	for name, c := range map[string]struct {
		written, want gateway.Balance
		code, says    string
	}{
		"nothing":       {want: gateway.Balance{Policy: "round_robin"}},
		"least request": {written: gateway.Balance{Policy: "least_request"}, want: gateway.Balance{Policy: "least_request"}},
		"by latency":    {written: gateway.Balance{Policy: "p2c_ewma"}, want: gateway.Balance{Policy: "p2c_ewma"}},
		"by chance":     {written: gateway.Balance{Policy: "random"}, want: gateway.Balance{Policy: "random"}},
		"hash":          {written: gateway.Balance{Policy: "hash"}, want: gateway.Balance{Policy: "hash", On: "uri"}},
		"hash of an address": {written: gateway.Balance{Policy: "hash", On: "ip", MaxLoadPercent: 125},
			want: gateway.Balance{Policy: "hash", On: "ip", MaxLoadPercent: 125}},
		"hash of a header": {written: gateway.Balance{Policy: "hash", On: "header", Name: "X-Hash-Key"}, want: gateway.Balance{Policy: "hash", On: "header", Name: "X-Hash-Key"}},
		"hash of a cookie": {written: gateway.Balance{Policy: "hash", On: "cookie", Name: "sid"}, want: gateway.Balance{Policy: "hash", On: "cookie", Name: "sid"}},
		"no such policy":   {written: gateway.Balance{Policy: "luck"}, want: gateway.Balance{Policy: "round_robin"}, code: "policy_unknown", says: "least_request, p2c_ewma"},
		"a key without hash": {written: gateway.Balance{Policy: "random", On: "ip"}, want: gateway.Balance{Policy: "random"},
			code: "balance_unused", says: "random does not look at them"},
		"no such key":         {written: gateway.Balance{Policy: "hash", On: "query"}, want: gateway.Balance{Policy: "hash", On: "uri"}, code: "balance_invalid", says: `"query" is not known`},
		"a header of no name": {written: gateway.Balance{Policy: "hash", On: "header"}, want: gateway.Balance{Policy: "hash", On: "uri"}, code: "balance_invalid", says: "not the name of a header"},
		"a name that is none": {written: gateway.Balance{Policy: "hash", On: "cookie", Name: "a b"}, want: gateway.Balance{Policy: "hash", On: "uri"}, code: "balance_invalid", says: "not the name of a cookie"},
		"a name for nothing":  {written: gateway.Balance{Policy: "hash", On: "ip", Name: "sid"}, want: gateway.Balance{Policy: "hash", On: "ip"}, code: "balance_unused", says: "ip has none"},
		"no room":             {written: gateway.Balance{Policy: "hash", MaxLoadPercent: 100}, want: gateway.Balance{Policy: "hash", On: "uri"}, code: "number_invalid", says: "101 to 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			u := upstream("acme", "api")
			u.Spec.Balance = c.written
			s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}}, 1)
			if got := s.Upstreams[0].Balance; got != c.want {
				t.Errorf("in force is %+v, want %+v", got, c.want)
			}
			switch {
			case c.code == "" && len(s.Problems) > 0:
				t.Error(problemLines(s))
			case c.code != "" && (len(s.Problems) != 1 || s.Problems[0].Code != c.code || !strings.Contains(s.Problems[0].Message, c.says)):
				t.Errorf("%v, want %s: %s", s.Problems, c.code, c.says)
			}
		})
	}
}
