package gateway

import (
	"cmp"
	"time"
)

// Alert is one condition that somebody should know of, from its beginning to its end.
type Alert struct {
	// ID names the condition and stays the same as long as it lasts and when it comes again:
	// "endpoint_out/acme/api/10.0.0.4:8080". It keys deduplication here and at receivers.
	ID       string        `json:"id"`
	Kind     AlertKind     `json:"kind"`
	Severity AlertSeverity `json:"severity"`
	// Resolved says that it is over.
	Resolved bool `json:"resolved"`
	// Tenant that it concerns; empty for what belongs to the platform.
	Tenant string `json:"tenant,omitempty"`
	// Subject is what it is about: "upstream acme/api, endpoint 10.0.0.4:8080".
	Subject string `json:"subject"`
	// Summary is one line without a full stop, Detail says why, and what to do.
	Summary string    `json:"summary"`
	Detail  string    `json:"detail,omitempty"`
	Since   time.Time `json:"since"`
	// Ended is when it was over, if it is.
	Ended time.Time `json:"ended,omitzero"`
	// Node that says so.
	Node string `json:"node"`
}

// Compare orders the worst first, and then by time and name.
func (a *Alert) Compare(b *Alert) int {
	return cmp.Or(cmp.Compare(b.Severity.rank(), a.Severity.rank()), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
}

// AlertKind says what has happened.
type AlertKind string

// The kinds of alerts.
const (
	AlertEndpointOut   AlertKind = "endpoint_out"   // ejected, down or on probation after it
	AlertServiceBad    AlertKind = "service_bad"    // the endpoints of an upstream fail alike
	AlertPanic         AlertKind = "panic"          // so few are healthy that ejections are ignored
	AlertSourceDown    AlertKind = "source_down"    // a source of endpoints is out of reach
	AlertStoreDown     AlertKind = "store_down"     // the store is
	AlertDrift         AlertKind = "drift"          // files of a node were changed by hand
	AlertRolloutFailed AlertKind = "rollout_failed" // nodes have refused a configuration
	AlertNodeSilent    AlertKind = "node_silent"    // a node does not report
	AlertNginxDown     AlertKind = "nginx_down"     // a node reports that its nginx does not run
	AlertCertificate   AlertKind = "certificate"    // a certificate expires, or has expired
	AlertShrinkHeld    AlertKind = "shrink_held"    // a source has lost endpoints that are kept
	AlertSample        AlertKind = "sample"         // a person tries a receiver
)

// AlertKinds are all that can happen by itself.
var AlertKinds = []AlertKind{AlertEndpointOut, AlertServiceBad, AlertPanic, AlertSourceDown, AlertStoreDown, AlertDrift,
	AlertRolloutFailed, AlertNodeSilent, AlertNginxDown, AlertCertificate, AlertShrinkHeld}

// AlertSeverity says how soon somebody should look.
type AlertSeverity string

// The severities: critical when clients notice, or will very soon.
const (
	SeverityWarning  AlertSeverity = "warning"
	SeverityCritical AlertSeverity = "critical"
)

func (s AlertSeverity) rank() int {
	if s == SeverityCritical {
		return 1
	}
	return 0
}

// Above says whether s is worse than o.
func (s AlertSeverity) Above(o AlertSeverity) bool { return s.rank() > o.rank() }

// AlertReceiver is how a receiver of alerts is doing. Its URL and secrets are not shown.
type AlertReceiver struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Scope is "all", "platform" or "tenants".
	Scope string `json:"scope"`
	// Waiting alerts have not been told yet, Dropped ones never will be.
	Waiting int    `json:"waiting"`
	Dropped uint64 `json:"dropped"`
	// Sent is when a message last got there.
	Sent time.Time `json:"sent,omitzero"`
	// Error is why the last attempt failed, if it did, and RetryAt when the next one is.
	Error   string    `json:"error,omitempty"`
	RetryAt time.Time `json:"retryAt,omitzero"`
}
