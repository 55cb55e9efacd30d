package gateway_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The digest stands for what a node serves, and the verdict digest for what it has observed:
// they change when that changes, and only then.
func TestDigests(t *testing.T) {
	for _, c := range []struct {
		name             string
		edit             func(*site)
		digest, verdicts bool // must change
	}{
		{name: "nothing", edit: func(*site) {}},
		{name: "labels, revisions, authors and times", edit: func(s *site) {
			for _, m := range []*gateway.Meta{&s.acme.Meta, &s.api.Meta, &s.apiRoute.Meta, &s.slow.Meta, &s.ceiling.Meta, &s.shared.Meta} {
				m.Labels, m.Revision, m.UpdatedBy, m.UpdatedAt = map[string]string{"a": "b"}, 99, "me", time.Unix(1, 0)
			}
		}},
		{name: "the order of everything", edit: func(s *site) {
			slices.Reverse(s.Tenants)
			slices.Reverse(s.Upstreams)
			slices.Reverse(s.Routes)
			slices.Reverse(s.Sets)
			slices.Reverse(s.Verdicts)
		}},
		{name: "a default that is written out", edit: func(s *site) {
			s.api.Spec.Protocol, s.api.Spec.Retry.Attempts, s.api.Spec.Timeouts.Connect = "http", 2, 2*second
			s.shopRoute.Spec.MaxBodySize = gateway.DefaultMaxBodySize
			s.shopRoute.Spec.To[0].Weight = ptr(1)
		}},
		{name: "another spelling of a host, a path or an address", edit: func(s *site) {
			s.apiRoute.Spec.Hosts[0], s.apiRoute.Spec.Match[0].Path.Prefix = "SHOP.test.", "/api/"
			s.apiByHand.Endpoints[0].Address = "[::ffff:10.0.0.4]:80"
		}},
		{name: "the reason and the end of an override", edit: func(s *site) { s.slow.Spec.Reason, s.slow.Spec.Expires = "why", time.Unix(1, 0) }},
		{name: "a ceiling that binds nobody", edit: func(s *site) { s.ceiling.Spec.MaxBodySize.Max = 2 << 30 }},
		{name: "a route that is refused whole", edit: func(s *site) { s.Routes = append(s.Routes, route(9, "acme", "x", "other.test", "/", "api")) }},
		{name: "a target of weight 0", edit: func(s *site) {
			s.apiRoute.Spec.To = append(s.apiRoute.Spec.To, gateway.RouteTarget{Upstream: "web", Weight: ptr(0)})
		}},
		{name: "an entry that a source could not read", edit: func(s *site) { s.apiFromKV.Problems = []string{"bad."} }},
		{name: "a set of a place that nobody asks for", edit: func(s *site) {
			s.Sets = append(s.Sets, set(s.api.Key(), gateway.SourceEtcd, "default:/old/", "10.9.9.9:80"))
		}},

		{name: "a claim", digest: true, edit: func(s *site) { s.acme.Spec.Hosts = append(s.acme.Spec.Hosts, "new.test") }},
		{name: "a tenant", digest: true, edit: func(s *site) { s.Tenants = append(s.Tenants, tenant(9, "new")) }},
		{name: "a fleet", digest: true, edit: func(s *site) {
			s.Fleets = append(s.Fleets, &gateway.Fleet{Meta: meta(gateway.KindFleet, "", "new")})
		}},
		{name: "a fleet's budget", digest: true, edit: func(s *site) { s.shared.Spec.ReloadBudget.Every = second }},
		{name: "how a fleet gets endpoints", digest: true, edit: func(s *site) { s.shared.Spec.Endpoints = "static" }},
		{name: "an allowed directive", digest: true, edit: func(s *site) { s.ceiling.Spec.NginxDirectives = []string{"proxy_buffering", "add_header"} }},
		{name: "a path", digest: true, edit: func(s *site) { s.apiRoute.Spec.Match[0].Path.Prefix = "/api2" }},
		{name: "the kind of a path", digest: true, edit: func(s *site) { s.apiRoute.Spec.Match[0].Path = gateway.PathMatch{Exact: "/api"} }},
		{name: "a condition", digest: true, edit: func(s *site) { s.apiRoute.Spec.Match[0].Methods = []string{"GET"} }},
		{name: "a header that is set", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{RequestHeaders: &gateway.HeaderEdit{Set: map[string]string{"x-a": "b"}}}}
		}},
		{name: "a path that is rewritten", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{Rewrite: &gateway.Rewrite{Prefix: "/x"}}}
		}},
		{name: "a redirect", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{Redirect: &gateway.Redirect{Scheme: "https"}}}
		}},
		{name: "a route's timeout", digest: true, edit: func(s *site) { s.shopRoute.Spec.Timeout = second }},
		{name: "a route's body size", digest: true, edit: func(s *site) { s.shopRoute.Spec.MaxBodySize = 1 }},
		{name: "a rate limit", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{RateLimit: &gateway.RateLimit{Requests: 5}}}
		}},
		{name: "a limit of connections", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{ConnectionLimit: &gateway.ConnectionLimit{Max: 5}}}
		}},
		{name: "a mirror", digest: true, edit: func(s *site) {
			s.shopRoute.Spec.Filters = []gateway.Filter{{Mirror: &gateway.Mirror{Upstream: "api"}}}
		}},
		{name: "a route's name", digest: true, edit: func(s *site) { s.shopRoute.Name = "renamed" }},
		{name: "a target's weight", digest: true, edit: func(s *site) { s.shopRoute.Spec.To[0].Weight = ptr(2) }},
		{name: "a target", digest: true, edit: func(s *site) { s.shopRoute.Spec.To[0].Upstream = "api" }},
		{name: "no routes", digest: true, edit: func(s *site) { s.Routes = nil }},
		{name: "an override's value", digest: true, edit: func(s *site) { s.slow.Spec.Set.Timeout = ptr(21 * second) }},
		{name: "an override's name, which nodes show", digest: true, edit: func(s *site) { s.slow.Name = "renamed" }},
		{name: "an override's nginx text", digest: true, edit: func(s *site) { s.slow.Spec.Nginx = "proxy_buffering on;" }},
		{name: "a ceiling that binds", digest: true, edit: func(s *site) { s.ceiling.Spec.Timeout.Max = 25 * second }},
		{name: "a new upstream", digest: true, edit: func(s *site) { s.Upstreams = append(s.Upstreams, upstream("acme", "new")) }},

		// What changes an upstream changes what its verdicts are about, so both change.
		{name: "an address", digest: true, verdicts: true, edit: func(s *site) { s.apiFromKV.Endpoints[0].Address = "10.0.0.6:80" }},
		{name: "an address that a policy denies", digest: true, verdicts: true, edit: func(s *site) {
			s.ceiling.Spec.Endpoints = &gateway.EndpointPolicy{Deny: []string{"10.0.0.4"}}
		}},
		{name: "a weight", digest: true, verdicts: true, edit: func(s *site) { s.apiByHand.Endpoints[0].Weight = 2 }},
		{name: "a priority", digest: true, verdicts: true, edit: func(s *site) { s.apiByHand.Endpoints[0].Priority = 1 }},
		{name: "a zone", digest: true, verdicts: true, edit: func(s *site) { s.apiByHand.Endpoints[0].Zone = "b" }},
		{name: "an endpoint that terminates", digest: true, verdicts: true, edit: func(s *site) { s.apiByHand.Endpoints[0].Terminating = true }},
		{name: "a further source", digest: true, verdicts: true, edit: func(s *site) {
			s.apiFromKV.Endpoints = append(s.apiFromKV.Endpoints, gateway.SourceEndpoint{Address: "10.0.0.4:80", Weight: 1})
		}},
		{name: "attempts", digest: true, verdicts: true, edit: func(s *site) { s.api.Spec.Retry.Attempts = 1 }},
		{name: "a timeout of an upstream", digest: true, verdicts: true, edit: func(s *site) { s.api.Spec.Timeouts.Idle = second }},
		{name: "a check", digest: true, verdicts: true, edit: func(s *site) { s.api.Spec.Health.Active = &gateway.ActiveCheck{} }},
		{name: "a place to discover", digest: true, verdicts: true, edit: func(s *site) {
			s.api.Spec.Discover = append(s.api.Spec.Discover, gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/more/"}})
		}},

		{name: "an upstream that nobody observes", digest: true, edit: func(s *site) { s.web.Spec.Retry.Attempts = 1 }},
		{name: "a state", verdicts: true, edit: func(s *site) { s.Verdicts[0].State = gateway.StateDown }},
		{name: "a further verdict", verdicts: true, edit: func(s *site) {
			s.Verdicts = append(s.Verdicts, verdict(s.web.Key(), "10.0.1.1:80", gateway.StateHealthy))
		}},
		{name: "no verdicts", verdicts: true, edit: func(s *site) { s.Verdicts = nil }},
		{name: "the evidence of a verdict", edit: func(s *site) {
			s.Verdicts[0].Since, s.Verdicts[0].Reason, s.Verdicts[0].Evidence.Observer = time.Unix(1, 0), "why", "n1"
		}},
		{name: "a verdict that knows nothing", edit: func(s *site) {
			s.Verdicts = append(s.Verdicts, verdict(s.api.Key(), "10.0.0.5:80", gateway.StateUnknown))
		}},
		{name: "a verdict on an address that is gone", edit: func(s *site) {
			s.Verdicts = append(s.Verdicts, verdict(s.api.Key(), "10.8.8.8:80", gateway.StateDown))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			edited, plain := newSite(), newSite()
			for _, s := range []*site{edited, plain} {
				s.Verdicts = []gateway.Verdict{verdict(s.api.Key(), "10.0.0.4:80", gateway.StateEjected)}
			}
			c.edit(edited)
			before, after := gateway.Build(plain.Inputs, 1), gateway.Build(edited.Inputs, 2)
			if got := before.Digest != after.Digest; got != c.digest {
				t.Errorf("the digest changes: %v, want %v", got, c.digest)
			}
			if got := before.VerdictDigest != after.VerdictDigest; got != c.verdicts {
				t.Errorf("the verdict digest changes: %v, want %v", got, c.verdicts)
			}
			if len(after.Digest) != 32 || len(after.VerdictDigest) != 32 {
				t.Errorf("digests %q and %q, want 16 bytes in hex", after.Digest, after.VerdictDigest)
			}
		})
	}
}

// Of random pairs of inputs, those with equal content have equal digests and no others.
func TestDigestEqualsContent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	seen := map[string]string{} // content to digest
	digests := map[string]bool{}
	for range 200 {
		in := world(r)
		for range 4 {
			if u := in.Upstreams[r.IntN(len(in.Upstreams))]; r.IntN(2) == 0 {
				in.Sets = append(slices.DeleteFunc(in.Sets, func(s gateway.EndpointSet) bool { return s.Upstream == u.Key() }), someSets(r, u)...)
			}
			in.Verdicts = someVerdicts(r, in.Upstreams[0].Key())
			s := gateway.Build(in, r.Uint64())
			content := contentOf(t, s)
			if d, ok := seen[content]; ok && d != s.Digest {
				t.Fatalf("equal content, digests %s and %s", d, s.Digest)
			} else if !ok && digests[s.Digest] {
				t.Fatalf("digest %s for two contents", s.Digest)
			}
			seen[content], digests[s.Digest] = s.Digest, true
		}
	}
	if len(seen) < 300 || len(seen) == 800 {
		t.Errorf("%d different contents of 800: the test needs equal and different ones", len(seen))
	}
}

// contentOf is what a node serves: everything but problems and what follows from verdicts.
func contentOf(t *testing.T, s *gateway.Snapshot) string {
	t.Helper()
	c := gateway.Snapshot{Tenants: s.Tenants, Fleets: s.Fleets, Hosts: s.Hosts, NginxDirectives: s.NginxDirectives}
	for _, u := range s.Upstreams {
		bare := *u
		bare.Panic, bare.Endpoints = false, slices.Clone(u.Endpoints)
		for i := range bare.Endpoints {
			bare.Endpoints[i].Verdict, bare.Endpoints[i].InRotation = gateway.Verdict{}, false
		}
		c.Upstreams = append(c.Upstreams, &bare)
	}
	return text(t, &c)
}
