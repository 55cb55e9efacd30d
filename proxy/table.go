package proxy

import (
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/certs"
	"github.com/sluice-gateway/sluice/proxy/match"
)

// table is a compiled snapshot. It is only read.
type table struct {
	generation uint64
	from       []*gateway.Host
	upstreams  []*gateway.EffectiveUpstream
	hosts      *match.Hosts[*host]
	byName     map[string]*host
	// certs are those of certFrom.
	certs    *certs.Table
	certFrom []*gateway.EffectiveCertificate
}

// host is one host's paths.
type host struct {
	from  *gateway.Host
	paths match.Paths[*rule]
}

// route is what a request needs to know of its route.
type route struct {
	from    *gateway.EffectiveRoute
	targets []*target
	turns   *balance.RoundRobin // nil: there is no choice
	timeout int64               // nanoseconds; 0: none
	maxBody int64
	respond *fixed  // nil: requests go to a target
	access  *access // nil: everybody may ask
	limited bool    // by one of the limits below
	rate    *rateLimit
	conns   *connectionLimit
	mirror  *mirror // nil: nothing is copied
	refused *target // without an upstream: the counters of those who may not
	// request and response change heads; nil: as they come.
	request, response *edits
	rewrite           replacement
	host              []byte    // that endpoints are asked for; empty: the client's
	redirect          *redirect // nil: nobody is sent elsewhere
}

// target is one upstream of a route, with the counters of the pair.
type target struct {
	upstream *upstream
	stats    *stats
}

// target chooses an upstream by weight; nil when there is none.
func (r *route) target() *target {
	switch len(r.targets) {
	case 0:
		return nil
	case 1:
		return r.targets[0]
	}
	return r.targets[r.turns.Pick(func(int) bool { return true })]
}

// registry holds what outlives a table. It is owned by the holder of Proxy.apply.
type registry struct {
	maxIdle   int
	upstreams map[gateway.UpstreamKey]*upstream
	endpoints map[gateway.EndpointKey]*endpoint
	stats     map[statsKey]*stats
	limits    map[statsKey]*routeLimits
	// pointed, counted and limited are what the hosts of the last table point at.
	pointed map[gateway.UpstreamKey]bool
	counted map[statsKey]bool
	limited map[statsKey]bool

	// What release has to do: upstreams and endpoints that the last table does not have, and
	// whether its hosts are others than those of the one before.
	gone  []*upstream
	left  []*endpoint
	moved bool
}

func newRegistry(maxIdle int) *registry {
	return &registry{
		maxIdle:   maxIdle,
		upstreams: map[gateway.UpstreamKey]*upstream{},
		endpoints: map[gateway.EndpointKey]*endpoint{},
		stats:     map[statsKey]*stats{},
		limits:    map[statsKey]*routeLimits{},
	}
}

// compile makes the table of s. Upstreams that changed get their new rotation here, a
// moment before the table is published: a request that is on its way reads it at most once.
func (r *registry) compile(s *gateway.Snapshot, before *table) *table {
	if before == nil {
		before = &table{hosts: &match.Hosts[*host]{}}
	}
	for was, is := range gateway.Differing(before.upstreams, s.Upstreams, gateway.CompareUpstreams) {
		if is == nil {
			r.gone = append(r.gone, r.upstreams[was.Key])
		} else {
			r.update(is, s)
		}
	}
	if !slices.Equal(before.certFrom, s.Certificates) {
		for _, u := range s.Upstreams {
			if u.TLS != nil && u.TLS.Certificate != "" {
				r.update(u, s) // what it shows to its endpoints may be another one
			}
		}
	}
	t := &table{generation: s.Generation, from: s.Hosts, upstreams: s.Upstreams}
	t.compileCerts(s, before)
	if slices.Equal(before.from, s.Hosts) {
		t.hosts, t.byName = before.hosts, before.byName
		return t
	}
	r.mention(s)
	r.moved = true
	t.hosts, t.byName = &match.Hosts[*host]{}, make(map[string]*host, len(s.Hosts))
	for _, h := range s.Hosts {
		compiled := before.byName[h.Name]
		if compiled == nil || compiled.from != h {
			compiled = r.host(h)
		}
		t.byName[h.Name] = compiled
		t.hosts.Add(h.Name, compiled)
	}
	return t
}

// mention notes what the hosts of s point at.
func (r *registry) mention(s *gateway.Snapshot) {
	r.pointed = make(map[gateway.UpstreamKey]bool, len(s.Upstreams))
	r.counted = make(map[statsKey]bool, len(s.Hosts))
	r.limited = map[statsKey]bool{}
	for _, h := range s.Hosts {
		for i := range h.Rules {
			rt := h.Rules[i].Route
			if rt.Respond != nil || rt.Redirect != nil || rt.IPAccess != nil || r.limitsOf(rt) != nil {
				r.counted[routeKey(rt)] = true
			}
			if r.limitsOf(rt) != nil {
				r.limited[routeKey(rt)] = true
			}
			if rt.Mirror != nil {
				r.pointed[rt.Mirror.Upstream] = true
			}
			for _, t := range rt.Targets {
				r.pointed[t.Upstream] = true
				r.counted[statsKey{rt.Tenant, rt.Name, t.Upstream}] = true
			}
		}
	}
}

// upstream returns the upstream of that key. One that no snapshot holds (yet) has no
// endpoints.
func (r *registry) upstream(k gateway.UpstreamKey) *upstream {
	up := r.upstreams[k]
	if up == nil {
		up = &upstream{key: k}
		up.live.Store(&rotation{})
		r.upstreams[k] = up
	}
	return up
}

func (r *registry) update(u *gateway.EffectiveUpstream, s *gateway.Snapshot) {
	up := r.upstream(u.Key)
	before := up.live.Load()
	var own *gateway.EffectiveCertificate
	if u.TLS != nil && u.TLS.Certificate != "" {
		own = s.Certificate(gateway.CertificateKey{Tenant: u.Key.Tenant, Name: u.TLS.Certificate})
	}
	if before.from == u && (before.tls == nil || before.tls.own == own) {
		return
	}
	next := newRotation(u, before, r.endpoint)
	next.tls = newClientTLS(u, next.all, own, before.tls)
	next.limit = up.limited(u.Limits)
	r.replace(up, next)
}

// replace puts next into service and notes the endpoints that it does not have.
func (r *registry) replace(up *upstream, next *rotation) {
	stays := make(map[*endpoint]bool, len(next.all))
	for _, e := range next.all {
		stays[e] = true
	}
	for _, e := range up.live.Load().all {
		if !stays[e] {
			up.budget.departed.Add(e.total())
			r.left = append(r.left, e)
		}
	}
	up.live.Store(next)
}

// compileCerts makes the table's certificates, or takes them over when they are the same.
func (t *table) compileCerts(s *gateway.Snapshot, before *table) {
	t.certFrom = s.Certificates
	if t.certs = before.certs; t.certs == nil || !slices.Equal(before.certFrom, s.Certificates) {
		t.certs = certs.Compile(s.Certificates, before.certs)
	}
}

func (r *registry) endpoint(k gateway.EndpointKey) *endpoint {
	e := r.endpoints[k]
	if e == nil {
		e = newEndpoint(k, r.maxIdle)
		r.endpoints[k] = e
	}
	return e
}

func (r *registry) host(h *gateway.Host) *host {
	out := &host{from: h}
	routes := map[*gateway.EffectiveRoute]*route{}
	for _, place := range h.Places() {
		var first *rule
		for _, from := range slices.Backward(place.Rules) {
			compiled := routes[from.Route]
			if compiled == nil {
				compiled = r.route(from.Route)
				routes[from.Route] = compiled
			}
			here := newRule(from, compiled)
			here.next, first = first, here
		}
		if place.Path.Exact != "" {
			out.paths.AddExact(place.Path.Exact, first)
		} else {
			out.paths.AddPrefix(place.Path.Prefix, first)
		}
	}
	return out
}

func (r *registry) route(e *gateway.EffectiveRoute) *route {
	out := &route{from: e, timeout: int64(e.Timeout), maxBody: int64(e.MaxBodySize), request: newEdits(e.RequestHeaders), response: newEdits(e.ResponseHeaders)}
	if e.Respond != nil {
		out.respond = newFixed(e.Respond, r.counters(statsKey{tenant: e.Tenant, route: e.Name}))
		out.respond.fields = out.response.own(out.respond.fields, 0)
	}
	if e.Rewrite != nil {
		out.rewrite, out.host = newReplacement(e.Rewrite.Path, e.Rewrite.Prefix), []byte(e.Rewrite.Host)
	}
	if e.Redirect != nil {
		out.redirect = newRedirect(e.Redirect, r.counters(statsKey{tenant: e.Tenant, route: e.Name}))
		out.redirect.fields = out.response.own(out.redirect.fields, 0)
	}
	if out.access = newAccess(e.IPAccess); out.access != nil {
		out.refused = &target{stats: r.counters(statsKey{tenant: e.Tenant, route: e.Name})}
	}
	r.limit(out, e)
	var weights []int
	for _, t := range e.Targets {
		if t.Weight <= 0 {
			continue
		}
		out.targets = append(out.targets, &target{r.upstream(t.Upstream), r.counters(statsKey{e.Tenant, e.Name, t.Upstream})})
		weights = append(weights, t.Weight)
	}
	if len(out.targets) > 1 {
		out.turns = balance.New(weights, nil)
	}
	return out
}

// counters returns those of that key.
func (r *registry) counters(k statsKey) *stats {
	if r.stats[k] == nil {
		r.stats[k] = newStats(k)
	}
	return r.stats[k]
}

// release lets go of what the table that is in service now does not have. Requests that are
// under way finish; their connections are closed when they come back.
func (r *registry) release() {
	for _, up := range r.gone {
		r.replace(up, &rotation{})
		r.forget(up)
	}
	for _, e := range r.left {
		delete(r.endpoints, e.key)
		e.close()
	}
	if r.moved {
		for _, up := range r.upstreams {
			r.forget(up)
		}
		maps.DeleteFunc(r.stats, func(k statsKey, _ *stats) bool { return !r.counted[k] })
		maps.DeleteFunc(r.limits, func(k statsKey, _ *routeLimits) bool { return !r.limited[k] })
	}
	r.gone, r.left, r.moved = r.gone[:0], r.left[:0], false
	clear(r.gone[:cap(r.gone)])
	clear(r.left[:cap(r.left)])
}

// forget drops an upstream that is in no snapshot and that no host points at.
func (r *registry) forget(up *upstream) {
	if up.live.Load().from == nil && !r.pointed[up.key] {
		delete(r.upstreams, up.key)
	}
}

// sweep drops connections that have waited too long.
func (r *registry) sweep(now int64) {
	for _, up := range r.upstreams {
		up.budget.tick(up.exchanges())
		rot := up.live.Load()
		for _, e := range rot.all {
			e.pool.Sweep(now, rot.idle)
		}
	}
}

func (r *registry) closeAll() {
	for _, e := range r.endpoints {
		e.close()
	}
}
