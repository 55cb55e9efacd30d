package control

import (
	"maps"
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Apply forgets places that no upstream follows any more, and lets go of what is kept for them:
// compared with what a place held long ago, anything would be a loss.
func (g *Guard) Apply(s *gateway.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	same := slices.EqualFunc(g.followed, s.Upstreams, samePlaces)
	g.followed = s.Upstreams
	if same {
		return
	}
	follows := map[gateway.SetKey]bool{}
	for _, u := range s.Upstreams {
		for _, d := range u.Discover {
			follows[d.SetKey(u.Key)] = true
		}
	}
	for k, h := range g.holds {
		if !follows[k] {
			g.drop(k, h, endedUnfollowed)
		}
	}
	unfollowed := func(k gateway.SetKey, _ gateway.EndpointSet) bool { return !follows[k] }
	maps.DeleteFunc(g.said, unfollowed)
	maps.DeleteFunc(g.copied, unfollowed)
	maps.DeleteFunc(g.ill, func(e gateway.EndpointKey, _ bool) bool { return s.Upstream(e.Upstream) == nil })
}

// samePlaces says whether both are one upstream that follows the same places. Most snapshots
// share all but a few of the upstreams.
func samePlaces(a, b *gateway.EffectiveUpstream) bool {
	return a == b || a.Key == b.Key && (len(a.Discover)+len(b.Discover) == 0 || reflect.DeepEqual(a.Discover, b.Discover))
}
