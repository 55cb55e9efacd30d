package health

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// phase is where an endpoint stands between ejection and trust.
type phase uint8

const (
	trusted phase = iota
	ejected
	probation
)

// passive is what real requests say about one endpoint.
type passive struct {
	phase     phase
	failing   bool      // the latest outcome was a gateway error
	byShare   bool      // the present ejections began by a share of errors: any 5xx fails a trial
	errors    int       // gateway errors in a row beside a sibling that was doing well
	row       int       // gateway errors in a row, whatever siblings did
	lastError time.Time // when the latest gateway error came; the next two say which it was
	status    int
	failure   gateway.Failure
	ejections int              // in a row, as of the last ejection; calm times pay them off
	calmSince time.Time        // start of the present trusted phase
	trials    int              // successes in a row on probation
	probes    int              // successful probes in a row on probation
	verdict   *gateway.Verdict // while it is not trusted
	shadow    *time.Time       // until then it would be ejected, were it not for shadow mode; nil: never was
}

// troubled says that the latest outcome was a gateway error, and not long ago.
func (p *passive) troubled(now time.Time) bool {
	return p.failing && now.Sub(p.lastError) < recently
}

// clear ends a row of errors.
func (p *passive) clear() { p.errors, p.row, p.failing = 0, 0, false }

// eject enters the ejected phase and returns when it ends. Jitter is in [0, 1).
func (p *passive) eject(now time.Time, base time.Duration, jitter float64) (until time.Time) {
	p.ejections = p.remaining(now, base) + 1
	p.phase = ejected
	p.clear()
	return now.Add(jittered(ejectionLength(base, p.ejections), jitter))
}

// pretend is what eject would do, in shadow mode: the endpoint stays trusted, and is not
// judged until that ejection would be over.
func (p *passive) pretend(now time.Time, base time.Duration, jitter float64) (until time.Time) {
	p.ejections = p.remaining(now, base) + 1
	until = now.Add(jittered(ejectionLength(base, p.ejections), jitter))
	p.shadow, p.calmSince, p.byShare = &until, until, false
	p.clear()
	return until
}

// shadowed says that the endpoint would be ejected, were it not for shadow mode.
func (p *passive) shadowed(now time.Time) bool { return p.shadow != nil && now.Before(*p.shadow) }

// jittered spreads a length by ten percent to either side.
func jittered(length time.Duration, jitter float64) time.Duration {
	return min(length+time.Duration(float64(length)*ejectionJitter*(2*jitter-1)), maxEjection)
}

// remaining is how many ejections still count at now: each time the endpoint was trusted
// for as long as its last ejection, one step is forgiven.
func (p *passive) remaining(now time.Time, base time.Duration) int {
	if p.phase != trusted {
		return p.ejections
	}
	n, calm := p.ejections, now.Sub(p.calmSince)
	for n > 0 && calm >= ejectionLength(base, n) {
		calm -= ejectionLength(base, n)
		n--
	}
	return n
}

// ejectionLength is how long the n-th ejection in a row lasts, before jitter.
func ejectionLength(base time.Duration, n int) time.Duration {
	if base >= maxEjection || n >= int(maxEjection/max(base, 1))+1 {
		return maxEjection
	}
	return min(base*time.Duration(n), maxEjection)
}

// enterProbation puts the endpoint back for trial requests.
func (p *passive) enterProbation() {
	p.phase, p.trials, p.probes = probation, 0, 0
	p.clear()
}

// trust ends probation.
func (p *passive) trust(now time.Time) {
	p.phase, p.calmSince, p.byShare = trusted, now, false
	p.clear()
}
