package proxy

import (
	"errors"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// reason is why a request is tried on another endpoint.
type reason uint8

const (
	becauseConnect reason = iota
	becauseReset
	becauseTimeout
	because502
	because503
	because504
	numReasons
	noReason = numReasons
)

var reasonNames = [numReasons]string{gateway.RetryConnect, gateway.RetryReset, gateway.RetryTimeout, gateway.Retry502, gateway.Retry503, gateway.Retry504}

// retryRules are an upstream's as compiled from one snapshot.
type retryRules struct {
	on      [numReasons]bool
	percent int
	within  int64 // of the first try, nanoseconds; 0: any time
}

func newRetryRules(r gateway.Retry) retryRules {
	out := retryRules{percent: gateway.DefaultRetryBudget, within: int64(r.Timeout)}
	if r.BudgetPercent != nil {
		out.percent = *r.BudgetPercent
	}
	out.on[becauseConnect] = len(r.On) == 0
	for _, name := range r.On {
		for i, known := range reasonNames {
			if name == known || name == gateway.RetryGateway && reason(i) >= because502 {
				out.on[i] = true
			}
		}
	}
	return out
}

// try sends the request to an endpoint, and to another one when that is of use and allowed.
// Each is asked at most once, besides the replacing of a stale connection.
func (x *exchange) try() error {
	if !x.choose() {
		return errNoEndpoint
	}
	return x.tryOn(x.ask())
}

// choose chooses the first endpoint to ask.
func (x *exchange) choose() bool {
	x.late = x.queued > 0
	x.firstAt = x.tryAt()
	e := x.boundTo()
	if e == nil {
		e = x.rot.pick(x.firstAt, x.tried, x.key)
	}
	if e == nil {
		return false
	}
	x.aim(e)
	return true
}

// aim makes e the endpoint that is asked next.
func (x *exchange) aim(e *endpoint) {
	x.ep, x.replayed = e, false
	x.failure, x.reason = "", "" // of the one before
	x.tried = append(x.tried, e)
	x.tries++
	x.probing = e.skipUntil.Load() != 0
}

// tryOn goes on after the first endpoint was asked, which ended with err.
func (x *exchange) tryOn(err error) error {
	for {
		why := x.retryReason(err)
		if x.probing && unreached(err) && x.tries < x.rot.attempts {
			x.tries-- // it found out for all others that the endpoint is still away, and has its tries left
		}
		if why == noReason || !x.rot.retry.on[why] || x.tries >= x.rot.attempts {
			return err
		}
		x.late = true
		now := socket.Now()
		if x.deadline > 0 && now >= x.deadline {
			if err == nil {
				return nil // the answer is at hand
			}
			return errSlowUpstream
		}
		if x.rot.retry.within > 0 && now-x.firstAt >= x.rot.retry.within {
			return err
		}
		next := x.rot.pick(now, x.tried, x.key)
		if next == nil || !x.target.upstream.budget.take(x.rot.retry.percent, why) {
			return err
		}
		if err == nil {
			x.discard()
		}
		x.aim(next)
		err = x.ask()
	}
}

// retryReason is why the request could be tried on another endpoint after err, or after an
// answer (nil). After a failed connect that is safe for any request. Else it has to be
// idempotent and at hand, and the client must have got nothing.
func (x *exchange) retryReason(err error) reason {
	switch {
	case unreached(err), errors.Is(err, errRefused) && x.whole:
		return becauseConnect
	case !x.whole || x.interims > 0 || !x.req().Method.Idempotent():
		return noReason
	case err == nil:
		switch x.resp.Status {
		case 502:
			return because502
		case 503:
			return because503
		case 504:
			return because504
		}
	case errors.Is(err, errNoAnswer), errors.Is(err, errCut):
		return becauseReset
	case errors.Is(err, errSlowUpstream):
		return becauseTimeout
	}
	return noReason
}

// discard ends an exchange whose answer nobody gets, since another one is asked for.
func (x *exchange) discard() {
	x.report("")
	x.letGo()
	x.drop()
	x.headAt = 0
	x.resp.Reset()
}

// tryAt is now, or what is as good while the exchange has not waited for anything.
func (x *exchange) tryAt() int64 {
	if x.late {
		return socket.Now()
	}
	return x.startedAt
}
