package proxy

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/proxyproto"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// upstream is what routes point at. It stays the same from snapshot to snapshot and its
// rotation is replaced, so that an endpoint change leaves the host tables alone.
type upstream struct {
	key    gateway.UpstreamKey
	live   atomic.Pointer[rotation]
	limit  *limiter // nil until the first limit; guarded by Proxy.apply
	budget retryBudget
}

// rotation is an upstream as compiled from one snapshot. It is only read.
type rotation struct {
	from *gateway.EffectiveUpstream
	// groups hold the endpoints in rotation by priority, the first one first.
	groups []group
	// past are those of earlier rotations whose endpoints are all out for now: their turns go on
	// when these come back.
	past     []group
	all      []*endpoint // in rotation or not
	leaving  []*endpoint // of earlier rotations, with something under way
	connect  time.Duration
	response int64 // nanoseconds, as the next two
	idle     int64
	attempts int
	choosing choosing
	http2    bool       // the endpoints speak HTTP/2
	scheme   string     // of requests over HTTP/2
	tls      *clientTLS // nil: connections are not encrypted
	retry    retryRules
	// proxyProtocol is the version of the header that connections begin with; 0: none.
	proxyProtocol proxyproto.Version
	limit         *limiter // nil: no limit
}

// group is the endpoints of one priority.
type group struct {
	priority  int
	endpoints []*endpoint
	weights   []int
	turns     *balance.RoundRobin
	eases     []*ease         // of those that get less than their share; nil: nobody does
	random    *balance.Random // nil unless the policy draws
	ring      *ring           // nil unless the policy hashes
}

// newRotation compiles u. Groups whose members and weights are those of before go on where
// they were.
func newRotation(u *gateway.EffectiveUpstream, before *rotation, endpoint func(gateway.EndpointKey) *endpoint) *rotation {
	r := &rotation{
		from:     u,
		connect:  orDefault(u.Timeouts.Connect, 2*time.Second),
		response: int64(orDefault(u.Timeouts.Response, 60*time.Second)),
		idle:     int64(orDefault(u.Timeouts.Idle, 30*time.Second)),
		attempts: max(u.Retry.Attempts, 1),
		retry:    newRetryRules(u.Retry),
		choosing: newChoosing(u.Balance),

		proxyProtocol: proxyVersion(u.ProxyProtocol),
		http2:         u.Protocol == "h2c" || u.Protocol == "h2",
		scheme:        map[bool]string{false: "http", true: "https"}[u.Protocol == "h2"],
	}
	if u.Retry.Attempts == 0 {
		r.attempts = 2
	}
	now := socket.Now()
	for i := range u.Endpoints {
		e := &u.Endpoints[i]
		state := endpoint(gateway.EndpointKey{Upstream: u.Key, Address: e.Address})
		r.all = append(r.all, state)
		state.easing(now, u, i, before)
		if !e.InRotation || e.Weight <= 0 {
			continue
		}
		g := r.group(e.Priority)
		g.endpoints = append(g.endpoints, state)
		g.weights = append(g.weights, e.Weight)
	}
	slices.SortFunc(r.groups, func(a, b group) int { return a.priority - b.priority })
	for i := range r.groups {
		g := &r.groups[i]
		g.turns = turns(g, before)
		g.settle(g.weights)
		g.prepare(r, before)
	}
	r.remember(before)
	r.release(before)
	return r
}

// remember keeps the turns of groups that have nobody in rotation now.
func (r *rotation) remember(before *rotation) {
	if before == nil {
		return
	}
	for _, b := range append(before.past[:len(before.past):len(before.past)], before.groups...) {
		is := func(g group) bool { return g.priority == b.priority }
		listed := slices.ContainsFunc(r.from.Endpoints, func(e gateway.Endpoint) bool { return e.Priority == b.priority })
		if listed && !slices.ContainsFunc(r.groups, is) {
			r.past = append(r.past, group{priority: b.priority, turns: b.turns})
		}
	}
}

func orDefault(d gateway.Duration, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d.Std()
}

func (r *rotation) group(priority int) *group {
	for i := range r.groups {
		if r.groups[i].priority == priority {
			return &r.groups[i]
		}
	}
	r.groups = append(r.groups, group{priority: priority})
	return &r.groups[len(r.groups)-1]
}

// turns goes on with the rotation of before where the group is the same, and from its place
// where it changed.
func turns(g *group, before *rotation) *balance.RoundRobin {
	var after *balance.RoundRobin
	if before != nil {
		for _, b := range append(before.past[:len(before.past):len(before.past)], before.groups...) {
			if b.priority == g.priority {
				if slices.Equal(b.endpoints, g.endpoints) && b.turns.Same(g.weights) {
					return b.turns
				}
				after = b.turns
			}
		}
	}
	return balance.New(g.weights, after)
}
