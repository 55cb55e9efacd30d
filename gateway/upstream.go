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
	// Discover names where further endpoints are discovered. All sources are merged; an
	// address that several of them name keeps the attributes of the strongest source:
	// by hand, then etcd, then Kubernetes, then DNS.
	Discover []Discover `json:"discover,omitempty"`
	Balance  Balance    `json:"balance,omitzero"`
	Health   Health     `json:"health,omitzero"`
	Timeouts Timeouts   `json:"timeouts,omitzero"`
	Retry    Retry      `json:"retry,omitzero"`
	// Drain says how endpoints that leave are let go.
	Drain Drain `json:"drain,omitzero"`
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
}

// Discover names one place where endpoints are discovered. Exactly one field is set.
type Discover struct {
	Kubernetes *KubernetesDiscover `json:"kubernetes,omitempty"`
	Etcd       *EtcdDiscover       `json:"etcd,omitempty"`
	DNS        *DNSDiscover        `json:"dns,omitempty"`
}

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

// Balance chooses among the endpoints in rotation.
type Balance struct {
	// Policy: "round_robin" (smooth, weighted) is the default and only value for now.
	Policy string `json:"policy,omitempty"`
}

// Health says how endpoints are judged.
type Health struct {
	Active  *ActiveCheck  `json:"active,omitempty"`
	Passive *PassiveCheck `json:"passive,omitempty"`
	// NoPanic keeps endpoints that are out for reasons of health out when few are left, and
	// when none is: requests are answered 503 then. Set it where a wrong answer is worse than
	// none. Default: see [EffectiveUpstream.Panic].
	NoPanic bool `json:"noPanic,omitempty"`
}

// ActiveCheck probes every endpoint of the upstream.
type ActiveCheck struct {
	// Type: "http" (default) or "tcp" (a connection that opens is a success).
	Type string `json:"type,omitempty"`
	// Path of the probe. Default "/". http only.
	Path string `json:"path,omitempty"`
	// Host header of the probe. Default: the endpoint's address. http only.
	Host string `json:"host,omitempty"`
	// Expect lists statuses ("200") and ranges ("200-399") that count as success. Default
	// 200-399. http only.
	Expect []string `json:"expect,omitempty"`
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
}

// Timeouts of the exchange with one endpoint.
type Timeouts struct {
	// Connect bounds opening a connection. Default 2s.
	Connect Duration `json:"connect,omitempty"`
	// Response bounds the wait for the head of the answer, and each silence in its body.
	// Default 60s.
	Response Duration `json:"response,omitempty"`
	// Idle is how long a kept-alive connection may wait for its next request. Default 30s:
	// below the idle timeouts of common servers, so that they do not close it first.
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
}
