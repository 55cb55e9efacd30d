package gateway

import "time"

// HealthState says how an endpoint is doing.
type HealthState string

// The states that a verdict can hold.
const (
	// StateUnknown: nothing observed yet; in rotation.
	StateUnknown HealthState = "unknown"
	// StateHealthy: in rotation.
	StateHealthy HealthState = "healthy"
	// StateProbation: back after an ejection or down, in rotation for few trial requests;
	// the next failure ejects it for longer, enough successes make it healthy.
	StateProbation HealthState = "probation"
	// StateEjected: real requests failed; out of rotation until Verdict.Until.
	StateEjected HealthState = "ejected"
	// StateDown: active probes fail; out of rotation until they succeed again.
	StateDown HealthState = "down"
)

// EndpointKey names an endpoint of an upstream. Health is keyed by it, never by address
// alone: two upstreams may use one address in different ways.
type EndpointKey struct {
	Upstream UpstreamKey `json:"upstream"`
	Address  string      `json:"address"`
}

// Verdict is what health decided about an endpoint, with the evidence.
type Verdict struct {
	EndpointKey
	State HealthState `json:"state"`
	// Since is when the state was entered.
	Since time.Time `json:"since,omitzero"`
	// Until is when an ejection ends.
	Until time.Time `json:"until,omitzero"`
	// Reason is one sentence for people: "5 gateway errors in a row (502)".
	Reason string `json:"reason,omitempty"`
	// Rule that decided: "consecutive_gateway_errors", "probation_failed",
	// "ejection_expired", "probation_passed", "last_endpoint", "active_fall",
	// "active_rise", "first_success", "check_changed", "added", "initial", "removed".
	Rule     string   `json:"rule,omitempty"`
	Evidence Evidence `json:"evidence,omitzero"`
}

// Evidence is what a verdict rests on.
type Evidence struct {
	// Observer is the node that saw it.
	Observer string `json:"observer,omitempty"`
	// Ejections in a row, which lengthen the next one.
	Ejections int      `json:"ejections,omitempty"`
	Samples   []Sample `json:"samples,omitempty"` // newest last, at most 10
}

// Sample is one observed outcome.
type Sample struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // "probe" or "request"
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
	Latency Duration  `json:"latency,omitempty"`
}

// Outcome is how one exchange with an endpoint ended. The proxy reports it, health judges it.
type Outcome struct {
	EndpointKey
	At      time.Time
	Latency time.Duration // until the head of the answer
	// Status of the answer; 0 when there was none.
	Status int
	// Reason says more about a failure in a stable word, if there is more to say, such as
	// "upstream_tls_name".
	Reason string
	// Failure is empty, or names what went wrong between Sluice and the endpoint.
	Failure Failure
}

// Failure classifies a fault between Sluice and an endpoint.
type Failure string

// The failures that the proxy reports.
const (
	FailureConnect   Failure = "connect"   // no connection within the connect timeout
	FailureTimeout   Failure = "timeout"   // no head, or silence in the body, for too long
	FailureReset     Failure = "reset"     // closed or reset before the answer was complete
	FailureMalformed Failure = "malformed" // the answer breaks the protocol
)
