package gateway

import "cmp"

// Upstream is a named set of endpoints with a balancing policy.
type Upstream struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec UpstreamSpec     `json:"spec"`
}

// Key names the upstream across tenants.
func (u *Upstream) Key() UpstreamKey { return UpstreamKey{Tenant: u.Tenant, Name: u.Name} }

// UpstreamKey names an upstream across tenants. It is comparable, so it keys maps.
type UpstreamKey struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

// String reads "acme/api".
func (k UpstreamKey) String() string { return k.Tenant + "/" + k.Name }

// UpstreamSpec is what a person writes.
type UpstreamSpec struct {
	// Protocol spoken to the endpoints, one of Protocols. Default "http".
	Protocol string `json:"protocol,omitempty"`
	// TLS says how endpoints are verified. Only with protocol https or h2.
	TLS *UpstreamTLS `json:"tls,omitempty"`
	// Endpoints given by hand: services outside containers.
	Endpoints []ManualEndpoint `json:"endpoints,omitempty"`
	// Discover names where further endpoints are discovered, and how the places mix. All of
	// them are merged.
	Discover []Discover `json:"discover,omitempty"`
	Balance  Balance    `json:"balance,omitzero"`
	Health   Health     `json:"health,omitzero"`
	Timeouts Timeouts   `json:"timeouts,omitzero"`
	Retry    Retry      `json:"retry,omitzero"`
	// Drain says how endpoints that leave are let go.
	Drain Drain `json:"drain,omitzero"`
	// SlowStart is the time in which the share of an endpoint that is new, or back after an
	// ejection or a failed check, grows from a tenth to the whole. nil: 30s; 0 turns it off.
	SlowStart *Duration `json:"slowStart,omitempty"`
	// Limits bound how much is sent to the endpoints at a time. Default: no limit.
	Limits UpstreamLimits `json:"limits,omitzero"`
	// ProxyProtocol is the version, "v1" or "v2", of the PROXY header that each connection to
	// an endpoint begins with, which tells it the client's address. Such a connection serves
	// one exchange. Default: none.
	ProxyProtocol string `json:"proxyProtocol,omitempty"`
}

// Protocols are what endpoints may speak: "http" is HTTP/1.1 and "https" the same over TLS;
// "h2c" is HTTP/2 without TLS, by prior knowledge, as most gRPC servers speak, and "h2" HTTP/2
// over TLS.
var Protocols = []string{"http", "https", "h2c", "h2"}

// ManualEndpoint is an endpoint given by hand.
type ManualEndpoint struct {
	// Address is "IP:port"; IPv6 in brackets. Names are refused: discovery resolves names.
	Address string `json:"address"`
	// Weight is the share of requests, 1 to 1000. Default 1. nil is the default; 0 keeps the
	// endpoint listed without sending requests to it.
	Weight *int `json:"weight,omitempty"`
	// Priority groups endpoints: a higher number is used only when no endpoint of a lower
	// number is in rotation. Default 0.
	Priority int    `json:"priority,omitempty"`
	Zone     string `json:"zone,omitempty"`
	// Fails is the endpoint's own limit on failures, instead of health.fails.
	Fails *FailLimit `json:"fails,omitempty"`
}

// Discover names one place where endpoints are discovered: exactly one of the first four
// fields is set.
type Discover struct {
	Kubernetes *KubernetesDiscover `json:"kubernetes,omitempty"`
	Etcd       *EtcdDiscover       `json:"etcd,omitempty"`
	DNS        *DNSDiscover        `json:"dns,omitempty"`
	// Manual stands for the endpoints of the spec. An entry is needed only to say one of the
	// following of them.
	Manual *ManualDiscover `json:"manual,omitempty"`

	// Precedence decides which place's attributes an address has that several places name: the
	// highest one's. 0 to 1000. Default: 40 by hand, 30 etcd, 20 Kubernetes, 10 DNS. Of equal
	// ones the kind with the higher default counts, and then the entry that stands first.
	Precedence *int `json:"precedence,omitempty"`
	// Weight is the share of requests that the endpoints of the place get together, however
	// many they are: 80 here and 20 at the other place are 80 % and 20 %. 0 to 1000; 0 sends
	// them none. The weights of the endpoints divide it. Either all places have one or none.
	// Shares count among endpoints of one priority. Default: none, and each endpoint has the
	// share of its own weight.
	Weight *int `json:"weight,omitempty"`
	// Priority puts all endpoints of the place into one group, whatever the source says: a
	// higher number is used only when no endpoint of a lower number is in rotation. Default:
	// as the source says, which is 0 where it says nothing.
	Priority *int `json:"priority,omitempty"`
}

// ManualDiscover stands for the endpoints by hand.
type ManualDiscover struct{}

// KubernetesDiscover follows the EndpointSlices of one Service.
type KubernetesDiscover struct {
	// Cluster is the name of a cluster in sluice.yaml. Default "default".
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	// Port is the name or the number of a port as it stands in the EndpointSlice. May be
	// left out when the slices have one port only.
	Port string `json:"port,omitempty"`
}

// SetKey is the key under which the endpoints found at d are reported for upstream.
func (d Discover) SetKey(upstream UpstreamKey) SetKey {
	k := SetKey{Upstream: upstream}
	switch {
	case d.Kubernetes != nil:
		k.Source = SourceKubernetes
		k.Place = cmp.Or(d.Kubernetes.Cluster, "default") + "/" + d.Kubernetes.Namespace + "/" + d.Kubernetes.Service + ":" + d.Kubernetes.Port
	case d.Etcd != nil:
		k.Source = SourceEtcd
		k.Place = cmp.Or(d.Etcd.Registry, "default") + ":" + d.Etcd.Prefix
	case d.DNS != nil:
		k.Source = SourceDNS
		k.Place = d.DNS.place()
	case d.Manual != nil:
		k.Source = SourceManual
	}
	return k
}

// EtcdDiscover follows the instances that register under a prefix.
type EtcdDiscover struct {
	// Registry is the name of an etcd in sluice.yaml. Default "default": Sluice's own store,
	// unless a registry in sluice.yaml takes that name.
	Registry string `json:"registry,omitempty"`
	// Prefix of the keys, such as "/services/api/".
	Prefix string `json:"prefix"`
}

// Health says how endpoints are judged.
type Health struct {
	Active  *ActiveCheck  `json:"active,omitempty"`
	Passive *PassiveCheck `json:"passive,omitempty"`
	// Fails counts failures of each endpoint by itself. nil: it does not.
	Fails *FailCheck `json:"fails,omitempty"`
	// PanicPercent of the usable endpoints have to be in rotation, or ejections are ignored.
	// Default 50; 0: they are ignored only when nobody is left. Failed probes are ignored only
	// then in any case.
	PanicPercent *int `json:"panicPercent,omitempty"`
	// NoPanic keeps endpoints that are out for reasons of health out when few are left, and
	// when none is: requests are answered 503 then. Set it where a wrong answer is worse than
	// none. Default: see [EffectiveUpstream.Panic].
	NoPanic bool `json:"noPanic,omitempty"`
}

// ActiveCheck probes every endpoint of the upstream. Each probe opens a connection of its own,
// over TLS where the upstream's protocol has it.
type ActiveCheck struct {
	// Type: "http" (default), "tcp" (a connection that opens is a success), "grpc" (the
	// standard health service answers SERVING), "redis" (PING) or "mysql" (the greeting).
	Type string `json:"type,omitempty"`
	// Path of the probe. Default "/". http only.
	Path string `json:"path,omitempty"`
	// Host header of the probe. Default: the endpoint's address. http and grpc only.
	Host string `json:"host,omitempty"`
	// Headers are sent with the probe. http and grpc only.
	Headers map[string]string `json:"headers,omitempty"`
	// Expect lists statuses ("200") and ranges ("200-399") that count as success. Default
	// 200-399, or any when ExpectNot is set. http only.
	Expect []string `json:"expect,omitempty"`
	// ExpectNot lists statuses and ranges that count as failure: a block-list, for
	// applications of which only, say, a 502 is known to be bad. http only.
	ExpectNot []string `json:"expectNot,omitempty"`
	// Body is a regular expression (RE2) that must match within the first 64 KiB of the body.
	// Default: the body does not matter. http only.
	Body string `json:"body,omitempty"`
	// Service that the health service is asked about. Default "", the server as a whole.
	// grpc only.
	Service string `json:"service,omitempty"`
	// Replication makes a replica whose link to its master is down a failure. redis only.
	Replication bool `json:"replication,omitempty"`
	// User logs in. mysql: without a password, which has to work. Default: any answer to a
	// login of a user "sluice" is a success that shows that the server is serving. redis: with
	// Password; default is the default user. mysql and redis only.
	User string `json:"user,omitempty"`
	// Password of the user, which has to be right. Default: none is sent, and a server that asks
	// for one is up. redis only.
	Password Secret `json:"password,omitempty"`
	// Initial state of an endpoint that is new: "unknown" (default: it gets requests until
	// probes fail) or "down" (it gets none before the first success).
	Initial string `json:"initial,omitempty"`
	// Interval between probes of one endpoint, jittered by ten percent. Default 5s.
	Interval Duration `json:"interval,omitempty"`
	// Timeout of one probe. Default 2s.
	Timeout Duration `json:"timeout,omitempty"`
	// Rise successes in a row bring a down endpoint back. Default 2.
	Rise int `json:"rise,omitempty"`
	// Fall failures in a row take an endpoint down. Default 3.
	Fall int `json:"fall,omitempty"`
}

// PassiveCheck judges endpoints by the outcomes of real requests. It is on by default.
type PassiveCheck struct {
	Disabled bool `json:"disabled,omitempty"`
	// ConsecutiveGatewayErrors (connect failure, timeout, reset, 502, 503, 504) eject an
	// endpoint. Default 5.
	ConsecutiveGatewayErrors int `json:"consecutiveGatewayErrors,omitempty"`
	// BaseEjection is how long the first ejection lasts; the n-th in a row lasts n times as
	// long, at most 300s. Default 30s.
	BaseEjection Duration `json:"baseEjection,omitempty"`
	// MaxEjectedPercent caps how much of an upstream may be ejected at once: max(1, n*p/100)
	// endpoints, and never the last one. Default 30.
	MaxEjectedPercent int `json:"maxEjectedPercent,omitempty"`
	// Window is the time over which the share of errors (gateway errors and other 5xx, but
	// not 501 and 505) is taken. Default 30s, from 10s to 5m.
	Window Duration `json:"window,omitempty"`
	// MinRequests is how many requests of one endpoint in the window make its share of errors
	// tell something. Default 20.
	MinRequests int `json:"minRequests,omitempty"`
	// MaxErrorRatio is the share of errors, above 0 to 1, from which an endpoint is ejected if
	// it is also three times that of the median sibling. Default 0.5.
	MaxErrorRatio float64 `json:"maxErrorRatio,omitempty"`
	// SlowMinRequests and SlowMaxErrorRatio are the same for gateway errors within five
	// minutes: for an endpoint that loses a few requests all the time. Defaults 50 and 0.2; a
	// ratio of 1 leaves only endpoints that answer nothing else.
	SlowMinRequests   int     `json:"slowMinRequests,omitempty"`
	SlowMaxErrorRatio float64 `json:"slowMaxErrorRatio,omitempty"`
	// MaxLatencyRatio ejects an endpoint whose 90th percentile of latency in a window is this
	// many times that of the median sibling, and 50ms more. Default 0: off, since a slow
	// endpoint still answers, and requests differ. 4 is a value to begin with.
	MaxLatencyRatio float64 `json:"maxLatencyRatio,omitempty"`
	// Shadow decides and records ejections, and does not act on them.
	Shadow bool `json:"shadow,omitempty"`
}

// Timeouts of the exchange with one endpoint.
type Timeouts struct {
	// Connect bounds opening a connection. Default 2s.
	Connect Duration `json:"connect,omitempty"`
	// Response bounds the wait for the head of the answer, an interim one (102) among them, and each
	// silence in its body. Default 60s.
	Response Duration `json:"response,omitempty"`
	// Idle is how long a kept-alive connection may wait for its next request. Default 30s:
	// below the idle timeouts of common servers, so that they do not close it first. An endpoint
	// that says how long it keeps a connection (Keep-Alive: timeout=5, as Node does) is believed.
	Idle Duration `json:"idle,omitempty"`
}

// Drain says how an endpoint that is terminating, or that no source names any more, is let go.
// It gets no new request.
type Drain struct {
	// Timeout is how long requests and streams that are under way may go on. WebSockets are
	// then told that the endpoint goes away (a close frame with status 1001), and what is left
	// is cut after a tenth of the timeout more, 1s to 10s. Default 5m. Raise it for endpoints
	// that keep their streams longer than that before they end.
	Timeout Duration `json:"timeout,omitempty"`
}

// Retry says how often, and why, a request is tried on another endpoint.
type Retry struct {
	// Attempts is the total number of tries of one request, the first included. Default 2; 1
	// turns retries off. A reused connection that turns out to be closed before any byte of
	// the answer is replaced once besides, if the request can be sent again.
	Attempts int `json:"attempts,omitempty"`
	// On lists the reasons, such as RetryConnect. Default: RetryConnect alone, which is safe
	// for every request. Add the others when the endpoints answer idempotent requests alike.
	On []string `json:"on,omitempty"`
	// BudgetPercent bounds retries to this share of the requests of the last ten seconds, but
	// allows three a second in any case. Default 20: an upstream that fails as a whole then
	// gets a fifth more requests, and not twice as many.
	BudgetPercent *int `json:"budgetPercent,omitempty"`
	// Timeout is how long after its first try a request may be tried again: later, it has the
	// answer or the failure that is at hand. A try that is under way may go on. Default 0: as
	// long as there are attempts.
	Timeout Duration `json:"timeout,omitempty"`
}
