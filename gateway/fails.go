package gateway

import (
	"cmp"
	"time"
)

// FailCheck takes an endpoint out by a plain count of its failures, as max_fails and
// fail_timeout of nginx and Slardar do: whatever its siblings do, but never the last one that
// is well. It stands beside the passive check, which compares siblings; disable that one where
// a count is all that is wanted.
type FailCheck struct {
	// Max failures within Timeout take an endpoint out for Timeout; it comes back by itself, at
	// once and whole. No answer (no connection, timeout, reset, malformed) is a failure, and a
	// status of Statuses. Successes in between do not matter. 0: only endpoints that have a
	// limit of their own are judged.
	Max int `json:"max,omitempty"`
	// Timeout is the time in which failures are counted, from the first one, and for which an
	// endpoint is out. Default 10s.
	Timeout Duration `json:"timeout,omitempty"`
	// Statuses and ranges of them that are failures. Default 502, 503 and 504.
	Statuses []string `json:"statuses,omitempty"`
}

// FailLimit is an endpoint's own limit.
type FailLimit struct {
	// Max as in FailCheck; 0: this endpoint is not judged so.
	Max int `json:"max"`
	// Timeout as in FailCheck.
	Timeout Duration `json:"timeout,omitempty"`
}

const defaultFailTimeout = Duration(10 * time.Second)

// Filled is the limit with its default, so that it differs from the zero value, which is none.
func (l *FailLimit) Filled() FailLimit {
	if l == nil {
		return FailLimit{}
	}
	return FailLimit{Max: l.Max, Timeout: cmp.Or(l.Timeout, defaultFailTimeout)}
}

// fails fills in the count of failures. It is there when the spec or an endpoint has a limit.
func (c *upstreamChecker) fails(f *FailCheck) {
	own := false
	for i := range c.out.Endpoints {
		e := &c.out.Endpoints[i]
		if e.Fails.Max < 0 {
			c.problem("spec.endpoints", "number_invalid", "Endpoint %s may fail %d times, so its failures are not counted: write 0 or more.", e.Address, e.Fails.Max)
			e.Fails.Max = 0
		}
		own = own || e.Fails.Max > 0
	}
	if f == nil && !own {
		return
	}
	out := FailCheck{Timeout: defaultFailTimeout}
	if f != nil {
		out.Max = c.positive("spec.health.fails.max", f.Max, 0)
		out.Timeout = cmp.Or(f.Timeout, defaultFailTimeout)
		out.Statuses = c.expect("spec.health.fails.statuses", f.Statuses)
	}
	if out.Statuses == nil {
		out.Statuses = []string{"502-504"}
	}
	c.out.Health.Fails = &out
}

// defaultPanicPercent is the share of endpoints in rotation below which ejections are ignored.
const defaultPanicPercent = 50

// panicPercent keeps a share that can be used; nil is the default.
func (c *upstreamChecker) panicPercent(p *int) {
	if p != nil && (*p < 0 || *p > 100) {
		c.problem("spec.health.panicPercent", "number_invalid", "%d is outside 0 to 100, so the default %d is in force.", *p, defaultPanicPercent)
		return
	}
	c.out.Health.PanicPercent = p
}

// panics says whether so few of the usable endpoints are healthy that ejections are ignored.
func (c EffectiveCheck) panics(healthy, usable int) bool {
	percent := defaultPanicPercent
	if c.PanicPercent != nil {
		percent = *c.PanicPercent
	}
	return !c.NoPanic && usable > 0 && (healthy == 0 || healthy*100 < usable*percent)
}
