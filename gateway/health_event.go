package gateway

import "time"

// HealthEvent is something that health has decided: a line of the evidence ledger, and what
// alerts are made of.
type HealthEvent struct {
	At       time.Time   `json:"at"`
	Kind     EventKind   `json:"kind"`
	Upstream UpstreamKey `json:"upstream"`
	// Address of the endpoint; empty for what concerns the upstream as a whole.
	Address string `json:"address,omitempty"`
	// From is the state before, for what concerns an endpoint.
	From   HealthState `json:"from,omitempty"`
	Rule   string      `json:"rule"`
	Reason string      `json:"reason"`
	// Observer is the node that decided.
	Observer string `json:"observer"`
	// Shadow: decided and not acted upon.
	Shadow bool `json:"shadow,omitempty"`
	// Verdict is the new one with its evidence. It is shared: nobody changes it.
	Verdict *Verdict `json:"verdict,omitempty"`
}

// EventKind says what has happened.
type EventKind string

// What can happen, first to an endpoint and then to an upstream.
const (
	EventEjected   EventKind = "ejected"   // by real requests; with Shadow it would have been
	EventProbation EventKind = "probation" // its ejection is over: trial requests decide
	EventReturned  EventKind = "returned"  // healthy, after probation or after having been down
	EventDown      EventKind = "down"      // by probes
	EventPinned    EventKind = "pinned"    // a person has said something about it
	EventUnpinned  EventKind = "unpinned"  // and does not say it any more
	EventForgotten EventKind = "forgotten" // removed, or judged by another check now: unknown

	EventServiceBad  EventKind = "service_bad"  // the endpoints fail alike, so nobody is ejected
	EventServiceGood EventKind = "service_good" // no more
	EventPanic       EventKind = "panic"        // so few are healthy that ejections are ignored
	EventCalm        EventKind = "calm"         // no more
)

// HealthQuery chooses events; what is empty or zero chooses all.
type HealthQuery struct {
	Tenant, Upstream, Address string
	Since, Until              time.Time
	Limit                     int // the newest
}

// Takes says whether the query chooses the event.
func (q *HealthQuery) Takes(e *HealthEvent) bool {
	return (q.Tenant == "" || q.Tenant == e.Upstream.Tenant) && (q.Upstream == "" || q.Upstream == e.Upstream.Name) &&
		(q.Address == "" || q.Address == e.Address) &&
		!e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until))
}

// Bound is what decides how many endpoints of an upstream may be ejected at once.
type Bound string

// The bounds.
const (
	BoundOff        Bound = "off"          // passive judgement is off: none
	BoundNone       Bound = "no_endpoint"  // there is none to eject
	BoundShare      Bound = "share"        // maxEjectedPercent, rounded down
	BoundAtLeastOne Bound = "at_least_one" // the share is less than one, and one always may be
	BoundLast       Bound = "last"         // the last one is never ejected
	BoundFails      Bound = "all_but_one"  // failures are counted as nginx does
)

// UpstreamHealth sums up what one node says about an upstream.
type UpstreamHealth struct {
	Upstream UpstreamKey `json:"upstream"`
	Observer string      `json:"observer"`
	// Eligible endpoints may get new requests as far as sources and people say. MayEject of
	// them may be ejected at once, and Ejected are now.
	Eligible int `json:"eligible"`
	MayEject int `json:"mayEject"`
	Ejected  int `json:"ejected"`
	// Arithmetic says how MayEject comes about: "may eject 1 of 3 (30 % of 3 is less than one, but one always may)".
	Arithmetic string `json:"arithmetic"`
	// Bound is the code of what Arithmetic says.
	Bound Bound `json:"bound"`
	// Shadow: ejections are decided and recorded, and not acted upon.
	Shadow bool `json:"shadow,omitempty"`
	// WouldBeEjected are the endpoints that would be ejected now if it were not for Shadow.
	WouldBeEjected []string       `json:"wouldBeEjected,omitempty"`
	Panic          bool           `json:"panic,omitempty"`
	Service        ServiceVerdict `json:"service"`
	// Verdicts of the endpoints, by address.
	Verdicts []Verdict `json:"verdicts"`
	// Standings are how all observers together see the endpoints that one of them finds bad,
	// and ServiceStanding how they see the upstream, if one of them finds it bad as a whole.
	Standings       []Standing       `json:"standings,omitempty"`
	ServiceStanding *ServiceStanding `json:"serviceStanding,omitempty"`
	// Fleets are those whose nginx nodes have evidence of their own against endpoints.
	Fleets []FleetHealth `json:"fleets,omitempty"`
}

// FleetHealth is what the logs of a fleet's nginx nodes say about an upstream.
type FleetHealth struct {
	Fleet   string         `json:"fleet"`
	Service ServiceVerdict `json:"service"`
	// Verdicts of the endpoints that it has ejected, or tries again, by address.
	Verdicts []Verdict `json:"verdicts"`
}

// ServiceVerdict says whether an upstream is bad as a whole, so that no endpoint is worth
// ejecting.
type ServiceVerdict struct {
	Bad    bool      `json:"bad"`
	Since  time.Time `json:"since,omitzero"`
	Rule   string    `json:"rule,omitempty"`
	Reason string    `json:"reason,omitempty"`
}
