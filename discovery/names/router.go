package names

import (
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/gateway"
)

// Router makes a route for each name, so that the services get the requests that their names
// bring. It needs no store, and every process has one.
type Router struct {
	rule Rule
	set  func([]gateway.Object)

	mu       sync.Mutex // guards what follows
	seen     view
	problems []gateway.Problem
}

// NewRouter returns a router that hands a whole set of routes to set whenever they may have
// changed, and those of the first snapshot in any case.
func NewRouter(rule Rule, set func([]gateway.Object)) *Router { return &Router{rule: rule, set: set} }

// Apply takes the services and the hosts' owners from a snapshot.
func (r *Router) Apply(s *gateway.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.seen.takes(s) {
		return
	}
	a := Assign(r.rule, s)
	r.problems = a.Problems
	objects := make([]gateway.Object, len(a.Routes))
	for i, route := range a.Routes {
		objects[i] = route
	}
	r.set(objects)
}

// Applied says whether the routes of a snapshot were handed over.
func (r *Router) Applied() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.once
}

// Problems are services without a name and names that are not served.
func (r *Router) Problems() []gateway.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.problems)
}

// view is what was seen of the last snapshot. Most snapshots differ in endpoints only, and are
// not worth an assignment.
type view struct {
	once      bool
	tenants   []*gateway.Tenant
	upstreams []*gateway.EffectiveUpstream
}

// takes remembers a snapshot, and says whether names may come out otherwise than with the one
// before.
func (v *view) takes(s *gateway.Snapshot) bool {
	same := v.once && slices.Equal(v.tenants, s.Tenants) && slices.EqualFunc(v.upstreams, s.Upstreams, func(a, b *gateway.EffectiveUpstream) bool {
		return a == b || a.Key == b.Key && a.Created() == b.Created() && slices.EqualFunc(a.Discover, b.Discover, sameService)
	})
	v.once, v.tenants, v.upstreams = true, s.Tenants, s.Upstreams
	return !same
}

func sameService(a, b gateway.Discover) bool {
	x, y := a.Kubernetes, b.Kubernetes
	return x == y || x != nil && y != nil && *x == *y
}
