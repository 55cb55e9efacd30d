package health

import (
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// phase is where an endpoint stands between ejection and trust.
type phase int

const (
	trusted phase = iota
	ejected
	probation
)

// passive is what real requests say about one endpoint.
type passive struct {
	phase     phase
	errors    int       // gateway errors in a row beside a sibling that was doing well
	failing   bool      // the latest outcome was a gateway error
	lastError time.Time // when the latest gateway error came; the next two say which it was
	status    int
	failure   gateway.Failure
	ejections int              // in a row, as of the last ejection; calm times pay them off
	calmSince time.Time        // start of the present trusted phase
	trials    int              // successes in a row on probation
	probes    int              // successful probes in a row on probation
	verdict   *gateway.Verdict // while it is not trusted
}

// wantsEjection says that the endpoint's own record suffices; siblings are asked next.
func (p *passive) wantsEjection(c *gateway.PassiveCheck) bool {
	switch p.phase {
	case trusted:
		return p.errors >= c.ConsecutiveGatewayErrors
	case probation:
		return p.errors > 0
	}
	return false
}

// troubled says that the latest outcome was a gateway error, and not long ago.
func (p *passive) troubled(now time.Time) bool {
	return p.failing && now.Sub(p.lastError) < recently
}

// clear ends a row of errors.
func (p *passive) clear() { p.errors, p.failing = 0, false }

// eject enters the ejected phase and returns when it ends. Jitter is in [0, 1).
func (p *passive) eject(now time.Time, base time.Duration, jitter float64) (until time.Time) {
	p.ejections = p.remaining(now, base) + 1
	length := ejectionLength(base, p.ejections)
	length += time.Duration(float64(length) * ejectionJitter * (2*jitter - 1))
	p.phase = ejected
	p.clear()
	return now.Add(min(length, maxEjection))
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
	p.phase, p.calmSince = trusted, now
	p.clear()
}
