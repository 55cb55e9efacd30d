package gateway

import (
	"cmp"
	"slices"
	"strings"
)

// Balance chooses among the endpoints in rotation.
type Balance struct {
	// Policy is one of BalancePolicies. Default BalanceRoundRobin.
	Policy string `json:"policy,omitempty"`
	// On is what of a request BalanceHash goes by, one of HashedBy. Default HashURI.
	On string `json:"on,omitempty"`
	// Name of the header or of the cookie that is hashed.
	Name string `json:"name,omitempty"`
	// MaxLoadPercent makes an endpoint with so many percent of its share of the requests under
	// way pass keys on to the next one, so that one popular key does not bring it down: 125 is
	// a value to begin with. From 101. Default 0: no bound, a key keeps its endpoint. Only with
	// BalanceHash.
	MaxLoadPercent int `json:"maxLoadPercent,omitempty"`
}

// The policies. All of them share by weight, and leave out what is out of rotation.
const (
	BalanceRoundRobin   = "round_robin"   // smooth turns
	BalanceLeastRequest = "least_request" // who has the fewest requests under way
	BalanceLatency      = "p2c_ewma"      // who was faster lately, times its requests under way, of two that are drawn
	BalanceRandom       = "random"        // by chance: no two nodes move in step
	BalanceHash         = "hash"          // the same endpoint for the same key, as long as it is in rotation
)

// BalancePolicies lists them.
var BalancePolicies = []string{BalanceRoundRobin, BalanceLeastRequest, BalanceLatency, BalanceRandom, BalanceHash}

// What BalanceHash may go by.
const (
	HashURI    = "uri"    // the path, without the query
	HashIP     = "ip"     // the client's address
	HashHeader = "header" // a header; the path where it is missing
	HashCookie = "cookie" // a cookie; the client's address where it is missing
)

// HashedBy lists them.
var HashedBy = []string{HashURI, HashIP, HashHeader, HashCookie}

// Somebody has to have room, so the bound is above 100.
const leastLoadPercent, mostLoadPercent = 101, 10000

// balance fills in the policy. What can't be used is reported, and something near is in force.
func (c *upstreamChecker) balance(b Balance) {
	out := &c.out.Balance
	*out = Balance{Policy: cmp.Or(b.Policy, BalanceRoundRobin)}
	if !slices.Contains(BalancePolicies, out.Policy) {
		c.problem("spec.balance.policy", "policy_unknown", "Policy %q is not known, so round_robin is in force: this version has %s.", b.Policy, strings.Join(BalancePolicies, ", "))
		out.Policy = BalanceRoundRobin
	}
	if out.Policy != BalanceHash {
		if b.On != "" || b.Name != "" || b.MaxLoadPercent != 0 {
			c.problem("spec.balance", "balance_unused", "On, name and maxLoadPercent are for policy hash, and %s does not look at them: leave them out.", out.Policy)
		}
		return
	}
	out.On, out.MaxLoadPercent = cmp.Or(b.On, HashURI), b.MaxLoadPercent
	if !slices.Contains(HashedBy, out.On) {
		c.problem("spec.balance.on", "balance_invalid", "%q is not known, so uri is hashed: write %s.", b.On, strings.Join(HashedBy, ", "))
		out.On = HashURI
	}
	c.hashed(b)
	if l := b.MaxLoadPercent; l != 0 && (l < leastLoadPercent || l > mostLoadPercent) {
		c.problem("spec.balance.maxLoadPercent", "number_invalid", "%d is outside %d to %d, so there is no bound.", l, leastLoadPercent, mostLoadPercent)
		out.MaxLoadPercent = 0
	}
}

// hashed checks the name of what is hashed.
func (c *upstreamChecker) hashed(b Balance) {
	out := &c.out.Balance
	named := out.On == HashHeader || out.On == HashCookie
	switch {
	case !named && b.Name != "":
		c.problem("spec.balance.name", "balance_unused", "A name is for a header or a cookie, and %s has none: leave it out.", out.On)
	case named && !token(b.Name):
		c.problem("spec.balance.name", "balance_invalid", "%q is not the name of a %s, so uri is hashed: write the name of one.", b.Name, out.On)
		out.On = HashURI
	case named:
		out.Name = b.Name
	}
}
