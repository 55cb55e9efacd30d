package gateway

import (
	"fmt"
	"strconv"
	"time"
)

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
	// StateDrained: a person has taken it out (see Pin); what is under way may end.
	StateDrained HealthState = "drained"
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
	// Until is when an ejection, or what a person has said, ends.
	Until time.Time `json:"until,omitzero"`
	// Reason is one sentence for people: "5 gateway errors in a row (502)".
	Reason string `json:"reason,omitempty"`
	// Rule that decided: "consecutive_gateway_errors", "error_ratio", "slow_errors",
	// "latency", "max_fails", "fail_timeout", "probation_failed", "ejection_expired", "probation_passed",
	// "last_endpoint", "active_fall", "active_rise", "first_success", "check_changed",
	// "added", "initial", "removed", "by_hand", "by_hand_ended".
	Rule     string   `json:"rule,omitempty"`
	Evidence Evidence `json:"evidence,omitzero"`
}

// Evidence is what a verdict rests on.
type Evidence struct {
	// Observer is the node that saw it.
	Observer string `json:"observer,omitempty"`
	// Ejections in a row, which lengthen the next one.
	Ejections int `json:"ejections,omitempty"`
	// Counts are what the rule looked at; nil for rules that count nothing.
	Counts  *Counts  `json:"counts,omitempty"`
	Samples []Sample `json:"samples,omitempty"` // newest last, at most 10
}

// Counts are the numbers that an ejection was decided by.
type Counts struct {
	// InARow is the length of the row of gateway errors, for rules that look at one.
	InARow int `json:"inARow,omitempty"`
	// Window is the time that Requests and Errors cover; it may have begun later.
	Window   Duration `json:"window,omitempty"`
	Requests int      `json:"requests"`
	Errors   int      `json:"errors"`
	// Siblings that were compared with, and the share of errors (0 to 1) of the median one.
	Siblings       int     `json:"siblings"`
	SiblingsMedian float64 `json:"siblingsMedian"`
	// Latency is the 90th percentile of the endpoint, SiblingsLatency that of the median
	// sibling. Only for the rule "latency".
	Latency         Duration `json:"latency,omitempty"`
	SiblingsLatency Duration `json:"siblingsLatency,omitempty"`
}

// Sample is one observed outcome.
type Sample struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // "probe" or "request"
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
	Latency Duration  `json:"latency,omitempty"`
	// Request is the id under which access log and client know the request.
	Request RequestID `json:"request,omitempty"`
}

// RequestID is a request's id; 0 when there is none. In text it is 16 hexadecimal digits, as
// in access logs and in X-Request-Id.
type RequestID uint64

// MarshalText implements encoding.TextMarshaler.
func (id RequestID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(id)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *RequestID) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil {
		return fmt.Errorf("%q is not a request id: write up to 16 hexadecimal digits", b)
	}
	*id = RequestID(n)
	return nil
}

// Outcome is how one exchange with an endpoint ended. The proxy reports it, health judges it.
type Outcome struct {
	EndpointKey
	// At is when the head of the answer came, or when the exchange failed, which may be later.
	At      time.Time
	Latency time.Duration // until At
	// Request is the id of the request, if it has one by now.
	Request RequestID
	// Status of the answer; 0 when there was none.
	Status int
	// Connected says that a connection opened, which is all that can be said of a stream.
	Connected bool
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
