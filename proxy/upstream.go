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
	groups   []group
	all      []*endpoint // in rotation or not
	leaving  []*endpoint // of earlier rotations, with something under way
	connect  time.Duration
	response int64 // nanoseconds, as the next two
	idle     int64
	attempts int
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
	turns     *balance.RoundRobin
	eases     []*ease // of those that get less than their share; nil: nobody does
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

		proxyProtocol: proxyVersion(u.ProxyProtocol),
		http2:         u.Protocol == "h2c" || u.Protocol == "h2",
		scheme:        map[bool]string{false: "http", true: "https"}[u.Protocol == "h2"],
	}
	if u.Retry.Attempts == 0 {
		r.attempts = 2
	}
	weights, now := map[int][]int{}, socket.Now()
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
		weights[e.Priority] = append(weights[e.Priority], e.Weight)
	}
	slices.SortFunc(r.groups, func(a, b group) int { return a.priority - b.priority })
	for i := range r.groups {
		g := &r.groups[i]
		g.turns = turns(g, weights[g.priority], before)
		g.settle(weights[g.priority])
	}
	r.release(before)
	return r
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
func turns(g *group, weights []int, before *rotation) *balance.RoundRobin {
	var after *balance.RoundRobin
	if before != nil {
		for i := range before.groups {
			if b := &before.groups[i]; b.priority == g.priority {
				if slices.Equal(b.endpoints, g.endpoints) && b.turns.Same(weights) {
					return b.turns
				}
				after = b.turns
			}
		}
	}
	return balance.New(weights, after)
}

// pick chooses an endpoint that is not among tried: of the first group that has one which
// takes connections, else any that was not tried. nil: there is none. A request that has been
// tried before is not the one to find out whether an endpoint takes connections again: it may
// have no further try.
func (r *rotation) pick(now int64, tried []*endpoint) *endpoint {
	for i := range r.groups {
		g := &r.groups[i]
		if k := g.turns.Pick(func(i int) bool {
			e := g.endpoints[i]
			// Usable is asked last, since it uses up the request that may find out whether a
			// connection opens: one that slow start then sends elsewhere would cost a second.
			return !slices.Contains(tried, e) && e.due(now, len(tried) > 0) && (g.eases == nil || g.lets(i, now, len(tried) > 0)) && e.usable(now)
		}); k >= 0 {
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
