package gateway

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Snapshot is everything decided. It is finished when Build returns; everyone after that
// only reads. All slices are sorted.
type Snapshot struct {
	// Generation counts the snapshots of one process.
	Generation uint64 `json:"generation"`
	// Digest covers intent and endpoints: nodes with equal inputs have equal digests, so
	// that LVS may pick any of them. Verdicts differ by node and have a digest of their own.
	Digest        string `json:"digest"`
	VerdictDigest string `json:"verdictDigest"`

	Tenants   []*Tenant            `json:"tenants"`
	Fleets    []*Fleet             `json:"fleets"`
	Hosts     []*Host              `json:"hosts"`
	Upstreams []*EffectiveUpstream `json:"upstreams"`
	Problems  []Problem            `json:"problems"`
	// Streams by port.
	Streams []EffectiveStream `json:"streams,omitempty"`
	// Certificates are those that can be used.
	Certificates []*EffectiveCertificate `json:"certificates,omitempty"`
	// Allowances are the edits by hand that may stay on nginx nodes now. They decide nothing that
	// is served, so no digest covers them.
	Allowances []*Allowance `json:"allowances,omitempty"`
	// NginxDirectives are those that overrides may use, from all policies.
	NginxDirectives []string `json:"nginxDirectives,omitempty"`

	// Next is when a certificate's dates will have decided otherwise: the time for the next
	// Build, if nothing else changes. Zero: never.
	Next time.Time `json:"-"`

	denied        []netip.Prefix // addresses that no upstream may have
	runs          []run          // of Upstreams
	otherDigest   digest         // of everything but the upstreams
	otherProblems []Problem      // of everything but the upstreams
}

// Upstream finds an upstream by key, or returns nil.
func (s *Snapshot) Upstream(k UpstreamKey) *EffectiveUpstream {
	i, ok := slices.BinarySearchFunc(s.Upstreams, k, func(u *EffectiveUpstream, k UpstreamKey) int { return u.Key.Compare(k) })
	if !ok {
		return nil
	}
	return s.Upstreams[i]
}

// Host finds the host entry by its exact name as written ("*.example.com" included), or
// returns nil. For a request's host use [Snapshot.Lookup].
func (s *Snapshot) Host(name string) *Host {
	i, ok := slices.BinarySearchFunc(s.Hosts, name, func(h *Host, n string) int { return cmp.Compare(h.Name, n) })
	if !ok {
		return nil
	}
	return s.Hosts[i]
}

// Lookup finds the entry that serves a request for host (lower case, without port): the
// exact name, else the longest wildcard, else "*", else nil.
func (s *Snapshot) Lookup(host string) *Host {
	if h := s.Host(host); h != nil {
		return h
	}
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return s.Host("*")
		}
		if h := s.Host("*." + after); h != nil {
			return h
		}
		rest = after
	}
}

// Compare orders keys by tenant and name.
func (k UpstreamKey) Compare(o UpstreamKey) int {
	return cmp.Or(cmp.Compare(k.Tenant, o.Tenant), cmp.Compare(k.Name, o.Name))
}

// Host is one claimed host with its rules in the order of matching. A host that is claimed
// but has no rules is listed too: it answers 404 and keeps a broader wildcard of another
// tenant from taking its requests.
type Host struct {
	Name   string `json:"name"` // lower case; "*.example.com" or "*" for wildcards
	Tenant string `json:"tenant"`
	Rules  []Rule `json:"rules,omitempty"`

	digest digest // of the host and its effective routes
}

// Rule is one path of a host. Rules are sorted: exact paths first, then prefixes, the
// longer one first; of one path those first that ask for more. So the first one that matches
// is taken.
type Rule struct {
	Path       PathMatch        `json:"path"` // exactly one field is set
	Conditions `yaml:",inline"` // as in Meta
	Route      *EffectiveRoute  `json:"route"`
}

// EffectiveRoute is a route after policy and overrides, with every default filled in.
type EffectiveRoute struct {
	Tenant      string   `json:"tenant"`
	Name        string   `json:"name"`
	Targets     []Target `json:"targets"` // those with a weight above 0
	Timeout     Duration `json:"timeout,omitempty"`
	MaxBodySize Size     `json:"maxBodySize"`
	// SingleLabel answers 404 under a wildcard host for more than one label.
	SingleLabel bool `json:"singleLabel,omitempty"`
	// Respond answers the requests that no redirect takes; there are no targets then.
	Respond *Respond `json:"respond,omitempty"`
	// IPAccess refuses clients by their addresses. Its networks are canonical.
	IPAccess *IPAccess `json:"ipAccess,omitempty"`
	// RequestHeaders and ResponseHeaders change heads. Names are in lower case.
	RequestHeaders  *HeaderEdit `json:"requestHeaders,omitempty"`
	ResponseHeaders *HeaderEdit `json:"responseHeaders,omitempty"`
	// Rewrite and Redirect have names, paths and statuses in normal form.
	Rewrite  *Rewrite  `json:"rewrite,omitempty"`
	Redirect *Redirect `json:"redirect,omitempty"`
	// RateLimit refuses requests that come too fast. All its fields are set.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// ConnectionLimit refuses requests while too many are in progress. All its fields are set.
	ConnectionLimit *ConnectionLimit `json:"connectionLimit,omitempty"`
	// Mirror gets copies of requests.
	Mirror *EffectiveMirror `json:"mirror,omitempty"`
	// Nginx is what overrides add to the location blocks, strongest last.
	Nginx []NginxText `json:"nginx,omitempty"`
	// Origins says of each changed field who set it, sorted by field.
	Origins []Origin `json:"origins,omitempty"`
}

// Target is one upstream of an effective route.
type Target struct {
	Upstream UpstreamKey `json:"upstream"`
	Weight   int         `json:"weight"`
}

// NginxText is directive text from one override.
type NginxText struct {
	Override Ref    `json:"override"`
	Text     string `json:"text"`
}

// Origin says which object decided a field's value, such as {"timeout", Override acme/big}.
type Origin struct {
	Field string `json:"field"`
	From  Ref    `json:"from"`
}

// EffectiveUpstream is an upstream with its merged endpoints and every default filled in.
type EffectiveUpstream struct {
	Key       UpstreamKey `json:"key"`
	Protocol  string      `json:"protocol"`
	Endpoints []Endpoint  `json:"endpoints"` // sorted by address
	// Discover are the places that sources follow for this upstream.
	Discover []Discover     `json:"discover,omitempty"`
	Balance  Balance        `json:"balance"`
	Health   EffectiveCheck `json:"health"`
	Timeouts Timeouts       `json:"timeouts"`
	Retry    Retry          `json:"retry"`
	Drain    Drain          `json:"drain"`
	// SlowStart is how long the share of an endpoint grows that is new or back. 0: it has all
	// of it at once.
	SlowStart Duration `json:"slowStart"`
	// TLS is set when the protocol runs over TLS.
	TLS *UpstreamTLS `json:"tls,omitempty"`
	// Limits are zero, or complete.
	Limits        UpstreamLimits `json:"limits,omitzero"`
	ProxyProtocol string         `json:"proxyProtocol,omitempty"`
	// Panic is set when too few of the endpoints, by default less than half, would be in
	// rotation for health reasons: verdicts are then ignored, except that none of them is dropped for good.
	Panic bool `json:"panic,omitempty"`

	decision      decision
	problems      []Problem
	digest        digest
	verdictDigest digest
}

// Created is the revision of the store in which the upstream was created, which tells which of
// two is older; that of one that no person wrote is larger than all. 0 is not known. It is no
// part of digests.
func (e *EffectiveUpstream) Created() int64 {
	if e.decision.from == nil {
		return 0
	}
	return e.decision.from.CreatedRevision
}

// EffectiveCheck is the health configuration with defaults. A nil field is switched off.
type EffectiveCheck struct {
	Active  *ActiveCheck  `json:"active,omitempty"`
	Passive *PassiveCheck `json:"passive,omitempty"`
	Fails   *FailCheck    `json:"fails,omitempty"`
	// PanicPercent is nil for the default, see [Health].
	PanicPercent *int `json:"panicPercent,omitempty"`
	NoPanic      bool `json:"noPanic,omitempty"`
}

// Endpoint is one address that answers requests.
type Endpoint struct {
	Address string `json:"address"`
	// Weight is the endpoint's share of requests among those of its priority.
	Weight int `json:"weight"`
	// OwnWeight is what its source says, where the weight of its place makes another one of
	// it. 0 elsewhere.
	OwnWeight   int    `json:"ownWeight,omitempty"`
	Priority    int    `json:"priority,omitempty"`
	Zone        string `json:"zone,omitempty"`
	Terminating bool   `json:"terminating,omitempty"`
	// Fails is its own limit; zero: that of the upstream.
	Fails   FailLimit    `json:"fails,omitzero"`
	Tags    Tags         `json:"tags,omitempty"`
	Sources []SourceKind `json:"sources"` // strongest first: the first one decided the attributes
	// Place is which one of the first source decided them. Empty when it was by hand.
	Place string `json:"place,omitempty"`
	// Pin is what a person says about it; nil: nobody says anything.
	Pin     *EndpointPin `json:"pin,omitempty"`
	Verdict Verdict      `json:"verdict"`
	// InRotation says whether new requests may go to the endpoint: decided once here, so
	// that proxy, fleet and UI agree.
	InRotation bool `json:"inRotation"`
}
