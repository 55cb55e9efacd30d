package proxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
)

// policy is how an endpoint is chosen among those of a group.
type policy uint8

const (
	byTurns policy = iota
	byLoad
	byLatency
	byChance
	byHash
)

// choosing is an upstream's balance, compiled.
type choosing struct {
	policy  policy
	on      hashOn
	name    []byte // of the header or cookie that is hashed
	maxLoad int64  // percent of an endpoint's share; 0: no bound
}

func newChoosing(b gateway.Balance) choosing {
	c := choosing{on: hashOnOf(b.On), name: []byte(b.Name), maxLoad: int64(b.MaxLoadPercent)}
	switch b.Policy {
	case gateway.BalanceLeastRequest:
		c.policy = byLoad
	case gateway.BalanceLatency:
		c.policy = byLatency
	case gateway.BalanceRandom:
		c.policy = byChance
	case gateway.BalanceHash:
		c.policy = byHash
	}
	return c
}

// prepare makes what the policy needs beside the turns.
func (g *group) prepare(r, before *rotation) {
	switch r.choosing.policy {
	case byLatency, byChance:
		g.random = balance.NewRandom(g.weights)
	case byLoad:
		if len(g.endpoints) > lookAtAll {
			g.random = balance.NewRandom(g.weights)
		}
	case byHash:
		g.ring = newRing(g, r, before)
	}
}

// pick chooses an endpoint that is not among tried: of the first group that has one which
// takes connections, else any that was not tried. nil: there is none. A request that has been
// tried before is not the one to find out whether an endpoint takes connections again: it may
// have no further try. The key is what the policy hashes, if it does.
func (r *rotation) pick(now int64, tried []*endpoint, key uint64) *endpoint {
	for i := range r.groups {
		g := &r.groups[i]
		var k int
		if r.choosing.policy == byTurns { // most are: no more than this is to be done for them
			k = g.turns.Pick(func(i int) bool {
				e := g.endpoints[i]
				return !slices.Contains(tried, e) && e.due(now, len(tried) > 0) && (g.eases == nil || g.lets(i, now, len(tried) > 0)) && e.usable(now)
			})
		} else {
			k = g.choose(&r.choosing, now, tried, key)
		}
		if k >= 0 {
			return g.endpoints[k]
		}
	}
	for i := range r.groups {
		g := &r.groups[i]
		if k := g.turns.Pick(func(i int) bool { return !slices.Contains(tried, g.endpoints[i]) }); k >= 0 {
			return g.endpoints[k]
		}
	}
	return nil
}

// choose is pick within a group by a policy that is not by turns, or -1.
func (g *group) choose(c *choosing, now int64, tried []*endpoint, key uint64) int {
	again := len(tried) > 0
	could := func(i int) bool {
		e := g.endpoints[i]
		return !slices.Contains(tried, e) && e.due(now, again)
	}
	// Usable is asked last, since it uses up the request that may find out whether a
	// connection opens: one that slow start then sends elsewhere would cost a second.
	takes := func(i int) bool {
		return could(i) && (g.eases == nil || g.lets(i, now, again)) && g.endpoints[i].usable(now)
	}
	if c.policy == byHash {
		return g.ring.pick(g, c.maxLoad, key, func(i int) bool {
			return could(i) && (g.eases == nil || g.letsKey(i, now, again)) && g.endpoints[i].usable(now)
		})
	}
	if k := g.least(c.policy, now, could); k >= 0 && takes(k) {
		return k
	}
	return g.turns.Pick(takes)
}

// lookAtAll is up to how many endpoints least_request compares all: with more, the better one
// of two that are drawn is nearly as good, and costs the same however many there are.
const lookAtAll = 16

// least chooses by load, by latency, or by chance alone; -1: see who takes it by turns.
func (g *group) least(p policy, now int64, could func(i int) bool) int {
	if g.random == nil {
		return g.leastOfAll(could)
	}
	a := g.draw(could)
	if p == byChance || a < 0 {
		return a
	}
	b := g.draw(could)
	switch {
	case b < 0 || a == b:
		return a
	case p == byLatency:
		if g.cost(b, now) < g.cost(a, now) {
			return b
		}
		return a
	case g.lessLoaded(b, a):
		return b
	}
	return a
}

// cost of one more request to i, by what it took lately. Draws are by weight already, so that
// only what is under way is measured by it.
func (g *group) cost(i int, now int64) float64 {
	e := g.endpoints[i]
	return e.latency.Cost(now, float64(e.inFlight.Load())/float64(g.weights[i]))
}

// leastOfAll goes through the endpoints from the one whose turn it is, which is chosen among
// equals.
func (g *group) leastOfAll(could func(i int) bool) int {
	best, n := -1, len(g.endpoints)
	for k, i := 0, g.turns.Next(); k < n; k++ {
		if could(i) && (best < 0 || g.lessLoaded(i, best)) {
			best = i
		}
		if i++; i == n {
			i = 0
		}
	}
	return best
}

// lessLoaded compares the requests under way to a and b for each unit of their weights.
func (g *group) lessLoaded(a, b int) bool {
	return g.endpoints[a].inFlight.Load()*int64(g.weights[b]) < g.endpoints[b].inFlight.Load()*int64(g.weights[a])
}

// draw draws one that could be chosen. After some failures it gives up: -1.
func (g *group) draw(could func(i int) bool) int {
	for range 4 {
		if i := g.random.Pick(); could(i) {
			return i
		}
	}
	return -1
}

// failed makes an endpoint weaker for some turns.
func (r *rotation) failed(e *endpoint) {
	for i := range r.groups {
		g := &r.groups[i]
		if k := slices.Index(g.endpoints, e); k >= 0 {
			g.turns.Fail(k)
			return
		}
	}
}

// leastFailure is what a failure counts as at least where latencies decide, in nanoseconds: an
// endpoint that fails at once must not look like a fast one.
const leastFailure = int64(1e9)

// judge lets the next choices know how an exchange with e went.
func (r *rotation) judge(e *endpoint, now, latency int64, failed bool) {
	if failed {
		r.failed(e)
		latency = max(latency, leastFailure)
	}
	if r.choosing.policy == byLatency {
		e.latency.Observe(now, latency)
	}
}
