package discovery

import (
	"cmp"
	"context"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Source follows places for upstreams and reports the endpoints found there. The package
// comment is the contract.
type Source interface {
	// Name is the kind and the configured name: "kubernetes/default".
	Name() string
	// Run follows what the newest list from wants asks for, until ctx ends.
	Run(ctx context.Context, wants <-chan []Want, out chan<- gateway.EndpointSet) error
	// Status may be called at any time, from any goroutine, and does not block.
	Status() SourceStatus
}

// Want is one place to follow for one upstream.
type Want struct {
	// Key under which the sets are reported. It is Ref.SetKey of the upstream, so equal
	// keys mean equal wants.
	Key gateway.SetKey
	Ref gateway.Discover
}

// SourceStatus says how a source is doing.
type SourceStatus struct {
	Name string `json:"name"`
	// Up says whether the source can be reached and follows changes now.
	Up bool `json:"up"`
	// LastEvent is when it last reported something. Zero: never.
	LastEvent time.Time `json:"lastEvent,omitzero"`
	// Error is why it is not up, or what it is struggling with.
	Error string `json:"error,omitempty"`
	// Wants is the number of places it has been asked to follow.
	Wants int `json:"wants"`
	// Pending is how many of them have had no set yet. A node that starts is complete
	// when no source has any.
	Pending int `json:"pending,omitempty"`
	// StaleSince is set while it is not up and something of it is in use: that may be out of
	// date since then.
	StaleSince time.Time `json:"staleSince,omitzero"`
	// Copied says whether what is in use of it is what an earlier process has kept: it has said
	// nothing since this one began.
	Copied bool `json:"copied,omitempty"`
}

// sourceName is the name of the source that a place belongs to, or "" for what is written by
// hand.
func sourceName(d gateway.Discover) string {
	switch {
	case d.Kubernetes != nil:
		return string(gateway.SourceKubernetes) + "/" + cmp.Or(d.Kubernetes.Cluster, "default")
	case d.Etcd != nil:
		return string(gateway.SourceEtcd) + "/" + cmp.Or(d.Etcd.Registry, "default")
	case d.DNS != nil:
		return string(gateway.SourceDNS) + "/" + cmp.Or(d.DNS.Resolver, "default")
	}
	return ""
}

func compareKeys(a, b gateway.SetKey) int {
	return cmp.Or(a.Upstream.Compare(b.Upstream), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Place, b.Place))
}
