package gateway

import "time"

// Inputs is everything that Build decides from: intent (what people wrote) and observed
// (what sources and health report). The slices may be in any order.
type Inputs struct {
	Tenants   []*Tenant
	Upstreams []*Upstream
	Routes    []*Route
	// Overrides that have expired are left out by the caller: Build reads no clock.
	Overrides []*Override
	// Pins that have expired are left out, too.
	Pins     []*Pin
	Streams  []*Stream
	Policies []*Policy
	Fleets   []*Fleet
	// Allowances that have ended are left out, too.
	Allowances []*Allowance
	// Certificates are judged by their dates at Now.
	Certificates []*Certificate
	// Now is the present. Zero: no certificate is too old or too young.
	Now time.Time
	// Before is an earlier snapshot: certificates that it holds are not parsed again, and
	// hosts and upstreams that come out as there are shared with it. It saves time, and the
	// work of those who compare snapshots, and decides nothing.
	Before *Snapshot

	// Sets is what sources report, at most one set per upstream, source and place.
	Sets []EndpointSet
	// Verdicts is what health reports, at most one per upstream and address.
	Verdicts []Verdict
}

// SourceKind is a kind of source. Where two sources name the same address, the attributes of
// the one with the higher precedence count, which by default depends on the kind.
type SourceKind string

// The kinds of sources.
const (
	SourceDNS        SourceKind = "dns"
	SourceKubernetes SourceKind = "kubernetes"
	SourceEtcd       SourceKind = "etcd"
	SourceManual     SourceKind = "manual"
)

// EndpointSet is the whole set of endpoints that one source reports for one upstream from
// one place. A later set with the same SetKey replaces it whole.
type EndpointSet struct {
	SetKey
	Endpoints []SourceEndpoint `json:"endpoints"`
	// Problems are entries that could not be read, to be shown on the upstream.
	Problems []string `json:"problems,omitempty"`
	// Absence is why the set is empty, when the source was told that there is nothing rather
	// than finding nothing. Only with an empty set.
	Absence Absence `json:"absence,omitempty"`
	// Out are addresses that the source still knows and says are out of service, sorted: they
	// are not missing by mistake.
	Out []string `json:"out,omitempty"`
}

// Absence is the word of a source that there are no endpoints.
type Absence string

// The words that sources have for it.
const (
	// AbsenceNXDOMAIN: the name does not exist, as a second answer confirmed.
	AbsenceNXDOMAIN Absence = "nxdomain"
	// AbsenceNoData: the name has no records of the type, as a second answer confirmed.
	AbsenceNoData Absence = "nodata"
	// AbsenceDeclared: somebody said that there shall be none, such as an SRV record whose
	// target is "." (RFC 2782).
	AbsenceDeclared Absence = "declared"
)

// SetKey says whose endpoints a set holds and where they come from.
type SetKey struct {
	Upstream UpstreamKey `json:"upstream"`
	Source   SourceKind  `json:"source"`
	// Place tells apart several places of one source kind, for example
	// "default/shop/api:http" (cluster, namespace, service, port),
	// "default:/services/api/" (registry, prefix) or "default/A+AAAA/api.internal:8080"
	// (resolver, types, name, port). Empty for manual.
	Place string `json:"place,omitempty"`
}

// SourceEndpoint is an endpoint as a source reports it.
type SourceEndpoint struct {
	Address string `json:"address"` // IP:port, IPv6 in brackets
	// Weight is 1 by default; 0 keeps the endpoint without new requests. Sources fill in
	// the default themselves.
	Weight   int    `json:"weight"`
	Priority int    `json:"priority,omitempty"`
	Zone     string `json:"zone,omitempty"`
	// Fails is the endpoint's own limit on failures; zero: it has none.
	Fails FailLimit `json:"fails,omitzero"`
	// Terminating endpoints finish what they have and get no new request.
	Terminating bool `json:"terminating,omitempty"`
	// Tags are shown, and decide nothing.
	Tags Tags `json:"tags,omitempty"`
}
