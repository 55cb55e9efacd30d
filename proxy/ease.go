package proxy

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// leastShare of its turns an endpoint gets at the beginning of its slow start, in percent:
	// enough to fill its caches, and to show whether it works.
	leastShare = 10
	// quickTrials on probation are given trialGap apart, so that little traffic is no reason to
	// wait, and later ones slowTrialGap: an endpoint that hangs gets few requests.
	quickTrials  = 3
	trialGap     = int64(1e8)
	slowTrialGap = int64(1e9)
)

// ease keeps an endpoint from its whole share for a while. It stays the same from rotation to
// rotation.
type ease struct {
	trial  bool  // on probation; else slow start
	from   int64 // when slow start began
	length int64
	credit atomic.Int64 // of turns, in 1024ths
	given  atomic.Int64 // trials
	next   atomic.Int64 // when the next trial may be
}

// lets says whether a turn of the endpoint may be taken.
func (z *ease) lets(now int64) bool {
	if z == nil {
		return true
	}
	if z.trial {
		next, gap := z.next.Load(), trialGap
		if now < next {
			return false
		}
		if z.given.Load() >= quickTrials-1 {
			gap = slowTrialGap
		}
		if !z.next.CompareAndSwap(next, now+gap) {
			return false
		}
		z.given.Add(1)
		return true
	}
	share := z.share(now)
	credit := z.credit.Add(share)
	return credit>>10 != (credit-share)>>10
}

// share of its turns that the endpoint gets, in 1024ths.
func (z *ease) share(now int64) int64 {
	elapsed := min(max(now-z.from, 0), z.length)
	return 1024 * (leastShare + (100-leastShare)*elapsed/max(z.length, 1)) / 100
}

// over says whether slow start has ended.
func (z *ease) over(now int64) bool { return !z.trial && now-z.from >= z.length }

// easing decides how the endpoint at i of u comes into rotation: one on probation by trials,
// and one that is new beside others, or back, by a slow start. The first rotation of an
// upstream has none: everybody is new then.
func (e *endpoint) easing(now int64, u *gateway.EffectiveUpstream, i int, before *rotation) {
	is := &u.Endpoints[i]
	var was *gateway.Endpoint
	if before != nil && before.from != nil {
		if j, ok := slices.BinarySearchFunc(before.from.Endpoints, is.Address, func(o gateway.Endpoint, a string) int { return strings.Compare(o.Address, a) }); ok {
			was = &before.from.Endpoints[j]
		}
	}
	switch {
	case u.Panic || !is.InRotation:
		e.ease = nil
	case is.Verdict.State == gateway.StateProbation:
		if e.ease == nil || !e.ease.trial {
			e.ease = &ease{trial: true}
		}
	case before == nil || len(before.groups) == 0 || u.SlowStart <= 0:
		e.ease = nil
	case was == nil || !was.InRotation || was.Verdict.State == gateway.StateProbation:
		e.ease = &ease{from: now, length: int64(u.SlowStart)}
		e.ease.credit.Store(1<<10 - 1) // for the first turn, which shows whether it works
	case e.ease != nil && (e.ease.trial || e.ease.over(now)):
		e.ease = nil
	}
}

// settle drops slow starts where they would burden too few: when less than half of a group's
// weight is warm, the others would get more than twice their share, as at the end of a rolling
// restart. Trials need somebody else to serve, too.
func (g *group) settle(weights []int) {
	warm, all, eased := 0, 0, false
	for i, e := range g.endpoints {
		all += weights[i]
		if e.ease == nil {
			warm += weights[i]
		} else {
			eased = true
		}
	}
	if !eased || warm == 0 {
		return
	}
	g.eases = make([]*ease, len(g.endpoints))
	for i, e := range g.endpoints {
		if z := e.ease; z != nil && (z.trial || 2*warm >= all) {
			g.eases[i] = z
		}
	}
}

// lets says whether the i-th endpoint may take a turn. A request that was tried elsewhere is
// not for finding out whether an endpoint works again.
func (g *group) lets(i int, now int64, again bool) bool {
	z := g.eases[i]
	if again && z != nil && z.trial {
		return false
	}
	return z.lets(now)
}

// drained says that a person, or a source, lets the endpoint finish what it has.
func drained(e *gateway.Endpoint) bool {
	return e.Terminating || e.Pin != nil && e.Pin.State == gateway.PinDrained
}
