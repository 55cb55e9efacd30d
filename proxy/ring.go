package proxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
)

// ring is where keys belong in a group. It has the endpoints that are out of rotation, too, so
// that only their own keys move while they are out, and come back to them.
type ring struct {
	*balance.Ring
	names   []string // addresses
	weights []int
	total   int64 // of the group's weights in rotation
	at      []int // where each name stands in the group; -1: it is out
}

// newRing makes the ring of g, or takes over the slots of before where nobody came or went.
func newRing(g *group, r, before *rotation) *ring {
	out := &ring{}
	for i := range r.from.Endpoints {
		e := &r.from.Endpoints[i]
		if e.Priority != g.priority || e.Weight <= 0 {
			continue
		}
		out.names, out.weights = append(out.names, e.Address), append(out.weights, e.Weight)
		out.at = append(out.at, slices.IndexFunc(g.endpoints, func(o *endpoint) bool { return o.key.Address == e.Address }))
	}
	for _, w := range g.weights {
		out.total += int64(w)
	}
	if before != nil {
		for i := range before.groups {
			b := before.groups[i].ring
			if b != nil && before.groups[i].priority == g.priority && slices.Equal(b.names, out.names) && slices.Equal(b.weights, out.weights) {
				out.Ring = b.Ring
				return out
			}
		}
	}
	out.Ring = balance.NewRing(out.names, out.weights)
	return out
}

// pick returns where in the group the one stands to whom the key belongs, or, if that one does
// not take it, the next one's place; -1: nobody takes it. With a bound on the load, endpoints
// that have more than so many percent of their share under way pass keys on.
func (r *ring) pick(g *group, maxLoad int64, key uint64, takes func(i int) bool) int {
	under := int64(0)
	if maxLoad > 0 {
		for _, e := range g.endpoints {
			under += e.inFlight.Load()
		}
	}
	k := r.Pick(key, func(m int) bool {
		i := r.at[m]
		if i < 0 {
			return false
		}
		if maxLoad > 0 && g.endpoints[i].inFlight.Load()*100*r.total >= (under+1)*maxLoad*int64(g.weights[i]) {
			return false
		}
		return takes(i)
	})
	if k < 0 {
		return g.turns.Pick(takes) // all who could take it are over the bound, or nobody can
	}
	return r.at[k]
}

// letsKey is lets where keys decide: slow start would send a key now here, now there.
func (g *group) letsKey(i int, now int64, again bool) bool {
	z := g.eases[i]
	return z == nil || !z.trial || g.lets(i, now, again)
}

// hashOn is what of a request is hashed.
type hashOn uint8

const (
	hashURI hashOn = iota
	hashIP
	hashHeader
	hashCookie
)

func hashOnOf(name string) hashOn {
	switch name {
	case gateway.HashIP:
		return hashIP
	case gateway.HashHeader:
		return hashHeader
	case gateway.HashCookie:
		return hashCookie
	}
	return hashURI
}
