package nginximport

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// balance reads how an upstream block chooses.
func (m *importer) balance(d *drafted, s *statement) {
	b := &d.Spec.Balance
	switch args := s.Args(); s.Name() {
	case "least_conn":
		b.Policy = gateway.BalanceLeastRequest
	case "least_time":
		b.Policy = gateway.BalanceLeastRequest
		m.differs(s, "it becomes least_request, since no nginx without a licence goes by time", "Set policy p2c_ewma if the Go edge serves the routes")
	case "random":
		b.Policy = gateway.BalanceRandom
		if len(args) > 0 && args[0] == "two" {
			b.Policy = gateway.BalanceLeastRequest
			m.differs(s, "it becomes least_request, which asks all endpoints instead of two", "Set policy p2c_ewma if the Go edge serves the routes")
		}
	case "ip_hash":
		b.Policy, b.On = gateway.BalanceHash, gateway.HashIP
		m.differs(s, "nginx goes by the first three bytes of an IPv4 address, and Sluice by all of it, so most clients get another endpoint once", "")
	case "hash":
		if !m.hash(b, s.arg(0)) {
			m.refuse(s, "it hashes what spec.balance can't name", "Use the path, the client's address, a header or a cookie")
			return
		}
		if !slices.Contains(args, "consistent") {
			m.differs(s, "Sluice's hash is consistent, so keys get other endpoints once", "")
		}
	}
	say(s)
}

// hash finds what is hashed, through the map that Sluice itself writes for headers and cookies.
func (m *importer) hash(b *gateway.Balance, key string) bool {
	b.Policy = gateway.BalanceHash
	if s := m.variables["map "+key]; s != nil && len(s.kids) == 2 && s.kids[1].Name() == "default" && s.kids[1].arg(0) == s.arg(0) {
		key = s.arg(0)
	}
	name, isHeader := strings.CutPrefix(key, "$http_")
	cookie, isCookie := strings.CutPrefix(key, "$cookie_")
	switch {
	case key == "$uri":
	case key == "$request_uri":
		b.On = gateway.HashURI
	case key == "$remote_addr", key == "$binary_remote_addr":
		b.On = gateway.HashIP
	case isHeader && plainWord(name):
		b.On, b.Name = gateway.HashHeader, strings.ReplaceAll(name, "_", "-")
	case isCookie && plainWord(cookie):
		b.On, b.Name = gateway.HashCookie, cookie
	default:
		*b = gateway.Balance{}
		return false
	}
	return true
}

func plainWord(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
