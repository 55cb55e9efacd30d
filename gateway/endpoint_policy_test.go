package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// Endpoints inside a denied network are left out whoever names them, each with a problem of its
// upstream.
func TestDeniedEndpoints(t *testing.T) {
	deny := func(networks ...string) *gateway.EndpointPolicy { return &gateway.EndpointPolicy{Deny: networks} }
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.2.%d", i%250)
	}
	addresses := []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80", "[::ffff:169.254.169.254]:443", "[64:ff9b::a9fe:a9fe]:80", "10.0.0.4:80"}
	usual := []string{"10.0.0.4:80", "169.254.170.2:80"}
	all := []string{"10.0.0.4:80", "169.254.169.254:443", "169.254.169.254:80", "169.254.170.2:80", "[64:ff9b::a9fe:a9fe]:80", "[fd00:ec2::254]:80"}
	for name, c := range map[string]struct {
		policies []*gateway.EndpointPolicy
		want     []string // endpoints
		problems []string // of policies
	}{
		"no policy":              {nil, usual, nil},
		"policies of other":      {[]*gateway.EndpointPolicy{nil}, usual, nil},
		"an empty list":          {[]*gateway.EndpointPolicy{deny()}, all, nil},
		"a network":              {[]*gateway.EndpointPolicy{deny("169.254.0.0/16")}, []string{"10.0.0.4:80", "[fd00:ec2::254]:80"}, nil},
		"two policies":           {[]*gateway.EndpointPolicy{deny("10.0.0.0/8"), deny("169.254.170.2", "fd00::/8")}, []string{"169.254.169.254:443", "169.254.169.254:80", "[64:ff9b::a9fe:a9fe]:80"}, nil},
		"an empty and a full":    {[]*gateway.EndpointPolicy{deny(), deny("10.0.0.0/8")}, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "10.0.0.4:80" }), nil},
		"everything of IPv4":     {[]*gateway.EndpointPolicy{deny("0.0.0.0/0")}, []string{"[fd00:ec2::254]:80"}, nil},
		"a mistake":              {[]*gateway.EndpointPolicy{deny("10.0.0.0/33", "169.254.170.2")}, []string{"10.0.0.4:80"}, []string{"spec.endpoints.deny[0] network_invalid"}},
		"a name":                 {[]*gateway.EndpointPolicy{deny("metadata")}, usual, []string{"spec.endpoints.deny[0] network_invalid"}},
		"more than are possible": {[]*gateway.EndpointPolicy{deny(many...)}, usual, []string{"spec.endpoints.deny networks_too_many"}},
	} {
		for _, source := range []gateway.SourceKind{gateway.SourceManual, gateway.SourceEtcd, gateway.SourceKubernetes, gateway.SourceDNS} {
			t.Run(name+" "+string(source), func(t *testing.T) {
				s := newSite()
				for i, e := range c.policies {
					p := policy(fmt.Sprint("p", i), 0, 0)
					p.Spec.Endpoints = e
					s.Policies = append(s.Policies, p)
				}
				s.api.Spec.Discover = []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/x/"}}, {Kubernetes: &gateway.KubernetesDiscover{Namespace: "n", Service: "s"}}, {DNS: &gateway.DNSDiscover{Name: "a.test", Port: 80}}}
				place := ""
				for _, d := range s.api.Spec.Discover {
					if k := d.SetKey(s.api.Key()); k.Source == source {
						place = k.Place
					}
				}
				s.Sets = []gateway.EndpointSet{set(s.api.Key(), source, place, addresses...)}
				snapshot := gateway.Build(s.Inputs, 1)
				var got, denied, problems []string
				for _, e := range snapshot.Upstream(s.api.Key()).Endpoints {
					got = append(got, e.Address)
				}
				for _, p := range snapshot.Problems {
					switch {
					case p.Code == "address_denied":
						denied = append(denied, p.Message)
					case p.Object.Kind == gateway.KindPolicy:
						problems = append(problems, p.Field+" "+p.Code)
					}
				}
				if !slices.Equal(got, c.want) || !slices.Equal(problems, c.problems) || len(denied) != len(addresses)-len(c.want) {
					t.Errorf("endpoints %q, want %q; problems %q, want %q; %d denied: %q", got, c.want, problems, c.problems, len(denied), denied)
				}
				// The shortcut for changes of endpoints denies the same.
				next := gateway.ReplaceUpstreams(snapshot, []gateway.Replacement{{Upstream: s.api, Sets: []gateway.EndpointSet{set(s.api.Key(), source, place, "169.254.169.254:81", "10.0.0.4:81")}}}, 2)
				reached := slices.ContainsFunc(next.Upstream(s.api.Key()).Endpoints, func(e gateway.Endpoint) bool { return strings.HasPrefix(e.Address, "169.254.169.254") })
				if want := slices.Contains(c.want, "169.254.169.254:80"); reached != want {
					t.Errorf("by the shortcut the metadata address is an endpoint: %v, want %v", reached, want)
				}
			})
		}
	}
}
