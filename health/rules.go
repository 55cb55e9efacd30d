package health

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The rules that decide verdicts, as they stand in Verdict.Rule.
const (
	RuleAdded             = "added"                      // new in the upstream: unknown
	RuleInitial           = "initial"                    // new, and not used before a probe succeeds: down
	RuleRemoved           = "removed"                    // gone from the upstream: forgotten
	RuleCheckChanged      = "check_changed"              // what took it out is no longer asked
	RuleFirstSuccess      = "first_success"              // unknown until now, now healthy
	RuleActiveFall        = "active_fall"                // Fall probes in a row failed: down
	RuleActiveRise        = "active_rise"                // Rise probes in a row succeeded: back
	RuleConsecutiveErrors = "consecutive_gateway_errors" // too many in a row: ejected
	RuleErrorRatio        = "error_ratio"                // too large a share of 5xx in the window: ejected
	RuleSlowErrors        = "slow_errors"                // too many gateway errors in 5 minutes: ejected
	RuleLatency           = "latency"                    // far slower than siblings: ejected
	RuleMaxFails          = "max_fails"                  // so many failures within a time: ejected
	RuleFailTimeout       = "fail_timeout"               // that time is over: healthy
	RuleProbationFailed   = "probation_failed"           // a trial request failed: ejected again
	RuleEjectionExpired   = "ejection_expired"           // its time is over: probation
	RuleProbationPassed   = "probation_passed"           // enough successes: healthy
	RuleLastEndpoint      = "last_endpoint"              // nothing else is left: probation early
	RuleByHand            = gateway.RuleByHand           // a person says so
	RuleByHandEnded       = "by_hand_ended"              // and does not say so any more

	// Of the upstream as a whole.
	RuleAllFailing       = "all_failing"       // rows of gateway errors everywhere: service bad
	RuleServiceRatio     = "service_ratio"     // too large a share of errors overall: service bad
	RuleAllOut           = "all_out"           // no endpoint is in rotation: service bad
	RuleServiceRecovered = "service_recovered" // service good
	RulePanic            = "panic"             // less than half would be in rotation
	RuleCalm             = "calm"              // and no more
)

const (
	// maxEjection bounds one ejection, however many came before.
	maxEjection = 300 * time.Second
	// ejectionJitter spreads the returns of endpoints that were ejected together.
	ejectionJitter = 0.1
	// trialSuccesses in a row on probation make an endpoint healthy.
	trialSuccesses = 3
	// recently is how long a gateway error tells about the present: for this long an
	// endpoint with an error as its latest outcome is not a sibling that is doing well.
	recently = 10 * time.Second
)

// filled returns the check with our defaults where a number is missing. Build has filled
// them in already; this keeps a zero from becoming a busy loop or a division by zero.
func filled(c gateway.EffectiveCheck) gateway.EffectiveCheck {
	if c.Active != nil {
		a := *c.Active
		a.Type = cmp.Or(a.Type, "http")
		a.Path = cmp.Or(a.Path, "/")
		if len(a.Expect) == 0 && len(a.ExpectNot) == 0 {
			a.Expect = []string{"200-399"}
		}
		a.Interval = cmp.Or(a.Interval, gateway.Duration(5*time.Second))
		a.Timeout = cmp.Or(a.Timeout, gateway.Duration(2*time.Second))
		a.Rise = cmp.Or(a.Rise, 2)
		a.Fall = cmp.Or(a.Fall, 3)
		c.Active = &a
	}
	if c.Passive != nil && c.Passive.Disabled {
		c.Passive = nil
	}
	if c.Passive != nil {
		p := *c.Passive
		p.ConsecutiveGatewayErrors = cmp.Or(p.ConsecutiveGatewayErrors, 5)
		p.BaseEjection = cmp.Or(p.BaseEjection, gateway.Duration(30*time.Second))
		p.MaxEjectedPercent = cmp.Or(p.MaxEjectedPercent, 30)
		p.Window = cmp.Or(p.Window, gateway.Duration(30*time.Second))
		p.MinRequests = cmp.Or(p.MinRequests, 20)
		p.MaxErrorRatio = cmp.Or(p.MaxErrorRatio, 0.5)
		p.SlowMinRequests = cmp.Or(p.SlowMinRequests, 50)
		p.SlowMaxErrorRatio = cmp.Or(p.SlowMaxErrorRatio, 0.2)
		if p != *c.Passive { // else one that thousands of upstreams share
			c.Passive = &p
		}
	}
	return c
}

// isGatewayError says whether the outcome speaks against the endpoint. A 500 does not: it
// is an answer of the application, and often the request's own fault.
func isGatewayError(o *gateway.Outcome) bool {
	return o.Failure != "" || o.Status >= 502 && o.Status <= 504
}

// isServerError says whether the outcome counts for the share of errors: any 5xx but 501 and
// 505, which say what the request wanted, and not how the endpoint is.
func isServerError(o *gateway.Outcome) bool {
	return o.Failure != "" || o.Status >= 500 && o.Status != 501 && o.Status != 505
}

// failureText is how a gateway error reads after "last: ".
func failureText(status int, failure gateway.Failure) string {
	switch failure {
	case "":
		return strconv.Itoa(status)
	case gateway.FailureConnect:
		return "no connection"
	case gateway.FailureTimeout:
		return "timeout"
	case gateway.FailureReset:
		return "connection closed before the answer was complete"
	case gateway.FailureMalformed:
		return "malformed answer"
	}
	return string(failure)
}

// inARow is "1 probe" or "3 probes in a row".
func inARow(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss in a row", n, thing)
}

// failureDetail is the failure with its reason, if the proxy gave one.
func failureDetail(o gateway.Outcome) string {
	if o.Failure == "" || o.Reason == "" || o.Reason == string(o.Failure) {
		return string(o.Failure)
	}
	return string(o.Failure) + ": " + o.Reason
}
