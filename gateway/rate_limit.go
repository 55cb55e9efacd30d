package gateway

import (
	"cmp"
	"fmt"
	"time"
)

// RateLimit bounds how many requests a route takes of one key. Every edge counts by itself.
type RateLimit struct {
	// Requests within Per, 1 to 1,000,000.
	Requests int `json:"requests"`
	// Per is 1s (default) to 1h.
	Per Duration `json:"per,omitempty"`
	// Burst is how many requests beyond the first may come at once after a silence, at most
	// 100,000. Default Requests - 1: those of one Per. 0 wants equal distances.
	Burst *int `json:"burst,omitempty"`
	// Key says whose requests are counted together. Default: those of one client.
	Key LimitKey `json:"key,omitzero"`
	// Status is the answer to what is too much: 429 (default) or 503.
	Status int `json:"status,omitempty"`
}

// The bounds of a RateLimit.
const (
	MaxRateRequests = 1_000_000
	MaxRateBurst    = 100_000
	maxRatePer      = Duration(time.Hour)
)

// Interval is the time between two requests at the limit's rate.
func (l *RateLimit) Interval() time.Duration {
	return max(1, l.Per.Std()/time.Duration(max(1, l.Requests)))
}

// rateLimit returns the usable limit of a route, with defaults, or nil.
func (b *builder) rateLimit(r *Route) *RateLimit {
	return filterOf(r, func(f *Filter) *RateLimit { return f.RateLimit },
		func(field string, l *RateLimit) *RateLimit { return b.usableRate(r, field+".rateLimit.", l) },
		onlyFirst[RateLimit](b, r, "rateLimit"))
}

// usableRate puts what is out of bounds to the nearest value that is not: a limit with a
// mistake is still a limit.
func (b *builder) usableRate(r *Route, field string, l *RateLimit) *RateLimit {
	c := limitChecker{b, r, field}
	out := &RateLimit{Requests: c.within("requests", l.Requests, 1, MaxRateRequests), Per: cmp.Or(l.Per, Duration(time.Second))}
	if per := min(max(out.Per, Duration(time.Second)), maxRatePer); per != out.Per {
		c.report("per", "%s is outside 1s to %s, so %s is in force.", out.Per, maxRatePer, per)
		out.Per = per
	}
	burst := min(out.Requests-1, MaxRateBurst)
	if l.Burst != nil {
		burst = c.within("burst", *l.Burst, 0, MaxRateBurst)
	}
	out.Burst = &burst
	out.Key, out.Status = c.key(l.Key), c.status(l.Status)
	return out
}

// limitChecker reports what is wrong with one limit of a route.
type limitChecker struct {
	b     *builder
	r     *Route
	field string
}

func (c limitChecker) report(at, format string, args ...any) {
	c.b.report(Problem{Object: c.r.Ref(), Field: c.field + at, Code: "limit_invalid", Message: fmt.Sprintf(format, args...)})
}

func (c limitChecker) within(at string, n, least, most int) int {
	used := min(max(n, least), most)
	if used != n {
		c.report(at, "%d is outside %d to %d, so %d is in force.", n, least, most, used)
	}
	return used
}

func (c limitChecker) status(status int) int {
	if status == 0 || status == 429 || status == 503 {
		return cmp.Or(status, 429)
	}
	c.report("status", "%d can't be answered, so 429 is: write 429 or 503.", status)
	return 429
}

func (c limitChecker) key(k LimitKey) LimitKey {
	used, err := k.usable()
	if err != nil {
		c.report("key", "%s Requests are counted by client.", sentence(err))
		return LimitKey{By: KeyClient}
	}
	return used
}
