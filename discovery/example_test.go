package discovery_test

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// constant is the smallest source: it knows one endpoint, which never changes.
type constant string

func (c constant) Name() string { return "etcd/default" }

func (c constant) Status() discovery.SourceStatus { return discovery.SourceStatus{Up: true} }

func (c constant) Run(ctx context.Context, wants <-chan []discovery.Want, out chan<- gateway.EndpointSet) error {
	sent := map[gateway.SetKey]bool{}
	for {
		select {
		case list := <-wants:
			still := map[gateway.SetKey]bool{}
			for _, w := range list {
				if !sent[w.Key] {
					out <- gateway.EndpointSet{SetKey: w.Key, Endpoints: []gateway.SourceEndpoint{{Address: string(c), Weight: 1}}}
				}
				still[w.Key] = true
			}
			sent = still
		case <-ctx.Done():
			return nil
		}
	}
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	m := discovery.New(discovery.Config{
		Sources: map[string]discovery.Source{"etcd/default": constant("10.0.0.1:8080")},
		Out: func(set gateway.EndpointSet) {
			fmt.Println(set.Upstream, "from", set.Source, set.Place, "has", set.Endpoints[0].Address)
			stop()
		},
	})
	m.Apply(&gateway.Snapshot{Upstreams: []*gateway.EffectiveUpstream{{
		Key:      gateway.UpstreamKey{Tenant: "acme", Name: "api"},
		Discover: []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/services/api/"}}},
	}}})
	fmt.Println(m.Run(ctx))
	// Output:
	// acme/api from etcd default:/services/api/ has 10.0.0.1:8080
	// <nil>
}
