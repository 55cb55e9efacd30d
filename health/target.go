package health

import (
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Target is an endpoint with the check that it is probed with. Targets of one upstream share
// what Check and Secure point to, which nobody changes.
type Target struct {
	gateway.EndpointKey
	Check *gateway.ActiveCheck
	// Secure is set when the endpoint speaks TLS.
	Secure *Secure
	// Protocol is the upstream's, which says what kind of HTTP the endpoint speaks.
	Protocol string
	// ProxyProtocol is the upstream's: its endpoints take no connection without a header.
	ProxyProtocol string
}

// set is the targets of one upstream, by address.
type set struct {
	group
	targets   map[string]*probing
	questions []*question // mostly one
}

// probing is a target that is, or waits to be, probed. All of it is guarded by the Prober's mu,
// but what never changes: key and question.
type probing struct {
	key      gateway.EndpointKey
	question *question
	group    *group
	span     *span // while a probe is under way
	due      int64 // tick of the wheel
	lane     uint8
	slow     bool // the last probe was not answered soon
	begun    bool
	stopped  bool
}

// target is what t was set as.
func (t *probing) target() Target {
	of := t.question.target
	of.EndpointKey = t.key
	return of
}

// question returns the one that t asks: one that the set has, one that it had, or a new one.
func (s *set) question(t Target, had []*question) *question {
	for _, q := range s.questions {
		if q.newest.shares(t) {
			return q
		}
	}
	for _, q := range append(had, s.questions...) {
		if q.target.asks(t) {
			q.newest = t
			if !slices.Contains(s.questions, q) {
				s.questions = append(s.questions, q)
			}
			return q
		}
	}
	q := newQuestion(t)
	s.questions = append(s.questions, q)
	return q
}

// shares says, at the cost of a few comparisons, that t and u surely ask the same.
func (t Target) shares(u Target) bool {
	return t.Check == u.Check && t.Secure == u.Secure && t.Protocol == u.Protocol && t.ProxyProtocol == u.ProxyProtocol
}

// asks says whether t and u ask the same, in the same rhythm.
func (t Target) asks(u Target) bool {
	return t.Protocol == u.Protocol && t.ProxyProtocol == u.ProxyProtocol &&
		reflect.DeepEqual(t.Check, u.Check) && reflect.DeepEqual(t.Secure, u.Secure)
}
