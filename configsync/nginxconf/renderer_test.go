package nginxconf

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// TestRendererEqualsRender makes random changes one after the other and holds what a Renderer
// gives to the rendering from scratch: files, digests, owners of lines and problems.
func TestRendererEqualsRender(t *testing.T) {
	for seed := range uint64(16) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newChanging(t, random)
		facts := gateway.NodeFacts{TreePath: "/t/current", NginxVersion: "1.22.1", Modules: allModules}
		if seed%3 != 0 {
			facts.ListenTLS, facts.TrustedCA = []string{"443"}, "/etc/ca.crt"
		}
		r := NewRenderer("shared", facts)
		s := gateway.Build(w.in, 1)
		for step := range 80 {
			got, gotProblems := r.Render(s)
			want, wantProblems := Render(s, "shared", facts)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d: the trees differ:\n%s", seed, step, treeDiff(got, want))
			}
			if !slices.Equal(gotProblems, wantProblems) {
				t.Fatalf("seed %d, step %d: the problems differ:\n%v\n%v", seed, step, gotProblems, wantProblems)
			}
			if err := got.Verify(); err != nil {
				t.Fatal(err)
			}
			w.change()
			w.in.Before = s
			s = gateway.Build(w.in, uint64(step)+2)
		}
	}
}

// treeDiff tells which files of two trees differ.
func treeDiff(a, b Tree) string {
	texts := map[string][2]string{}
	for i, tree := range []Tree{a, b} {
		for _, f := range tree.Files {
			pair := texts[f.Path]
			pair[i] = f.Data
			texts[f.Path] = pair
		}
	}
	var out strings.Builder
	for path, pair := range texts {
		if pair[0] != pair[1] && path != DigestFile {
			fmt.Fprintf(&out, "%s:\n%s\nand from scratch:\n%s\n", path, pair[0], pair[1])
		}
	}
	return out.String()
}

// changing is a small world that changes at random.
type changing struct {
	in     gateway.Inputs
	random *rand.Rand
	pairs  []certtest.Pair
}

func newChanging(t *testing.T, random *rand.Rand) *changing {
	t.Helper()
	w := &changing{random: random, pairs: []certtest.Pair{testCertificate(t, "h1.test"), testCertificate(t, "x.wild.test"), testCertificate(t, "*.wild.test")}}
	w.in.Fleets = []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}}}
	for range 40 {
		w.change()
	}
	return w
}

// put replaces the object of that kind, tenant and name with one that fill has changed; with
// a chance of one in five it is deleted instead.
func put[O any, P interface {
	*O
	gateway.Object
}](w *changing, list []P, meta gateway.Meta, fill func(P)) []P {
	list = slices.Clone(list)
	i := slices.IndexFunc(list, func(o P) bool { return o.Head().Tenant == meta.Tenant && o.Head().Name == meta.Name })
	next := P(new(O))
	if i >= 0 {
		*next = *list[i]
		list = slices.Delete(list, i, i+1)
		if w.random.IntN(5) == 0 {
			return list
		}
	} else {
		*next.Head() = meta
	}
	fill(next)
	return append(list, next)
}

// change changes one thing.
func (w *changing) change() {
	n := w.random.IntN
	tenant := fmt.Sprint("t", n(3))
	meta := func(kind gateway.Kind, format string, n int) gateway.Meta {
		return gateway.Meta{Kind: kind, Tenant: tenant, Name: fmt.Sprintf(format, n)}
	}
	switch n(9) {
	case 0:
		w.in.Tenants = put(w, w.in.Tenants, gateway.Meta{Kind: gateway.KindTenant, Name: tenant}, func(o *gateway.Tenant) {
			o.Spec.Hosts = []string{tenant + ".test", fmt.Sprintf("h%d.test", n(3)), "*.wild.test", "*"}[:1+n(4)]
			o.Spec.Fleets = [][]string{nil, {"shared"}, {"shared"}, {"other", "shared"}}[n(4)]
		})
		return
	case 1, 2:
		w.in.Upstreams = put(w, w.in.Upstreams, meta(gateway.KindUpstream, "u%d", n(3)), w.changeUpstream)
		return
	case 3, 4:
		w.in.Routes = put(w, w.in.Routes, meta(gateway.KindRoute, "r%d", n(4)), func(o *gateway.Route) {
			o.Spec.Hosts = []string{tenant + ".test", "h1.test", "*.wild.test", "x.wild.test"}[:1+n(4)]
			o.Spec.Match = []gateway.Match{{Path: gateway.PathMatch{Prefix: fmt.Sprint("/p", n(3))}}}
			o.Spec.To = []gateway.RouteTarget{{Upstream: fmt.Sprint("u", n(4))}, {Upstream: "u1"}}[:1+n(2)]
			o.Spec.MaxBodySize = gateway.Size(1024 * n(3))
			o.Spec.Filters = nil
			if n(3) == 0 {
				o.Spec.Filters = []gateway.Filter{{RateLimit: &gateway.RateLimit{Requests: 1 + n(2)}}}
			}
			if n(5) == 0 {
				o.Spec.Filters = []gateway.Filter{{Mirror: &gateway.Mirror{Upstream: fmt.Sprint("u", n(4)), Percent: []*int{nil, new(50)}[n(2)]}}}
			}
			if n(4) == 0 {
				o.Spec.Filters = []gateway.Filter{{IPAccess: &gateway.IPAccess{Allow: []string{fmt.Sprintf("10.%d.0.0/16", n(3))}}}}
			}
		})
		return
	case 5:
		w.in.Overrides = put(w, w.in.Overrides, meta(gateway.KindOverride, "o%d", n(2)), func(o *gateway.Override) {
			o.Spec.Route, o.Spec.Nginx = fmt.Sprint("r", n(4)), []string{"proxy_buffering off;", "gzip on;", "broken"}[n(3)]
		})
		return
	case 6:
		w.in.Certificates = put(w, w.in.Certificates, meta(gateway.KindCertificate, "c%d", n(2)), func(o *gateway.Certificate) {
			pair := w.pairs[n(len(w.pairs))]
			o.Spec = gateway.CertificateSpec{Certificate: pair.Chain, Key: gateway.Secret(pair.Key)}
			if mode := []string{"", "require", "request"}[n(3)]; mode != "" {
				o.Spec.ClientAuth = &gateway.ClientAuth{Mode: mode, CA: w.pairs[n(2)].Chain}
			}
		})
		return
	case 7:
		w.in.Policies = put(w, w.in.Policies, gateway.Meta{Kind: gateway.KindPolicy, Name: "p"}, func(o *gateway.Policy) {
			o.Spec.NginxDirectives = []string{"proxy_buffering", "gzip"}[:1+n(2)]
		})
		return
	}
	k := gateway.UpstreamKey{Tenant: tenant, Name: fmt.Sprint("u", n(3))}
	set := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: k, Source: gateway.SourceManual}}
	for i := range n(4) {
		set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: fmt.Sprintf("10.0.0.%d:80", 1+i), Weight: n(3), Priority: n(2)})
	}
	w.in.Sets = append(slices.DeleteFunc(slices.Clone(w.in.Sets), func(s gateway.EndpointSet) bool { return s.Upstream == k }), set)
}

func (w *changing) changeUpstream(o *gateway.Upstream) {
	n := w.random.IntN
	o.Spec = gateway.UpstreamSpec{
		Protocol:      gateway.Protocols[n(len(gateway.Protocols))],
		Timeouts:      gateway.Timeouts{Connect: gateway.Duration(n(3)) * gateway.Duration(time.Second), Idle: gateway.Duration(n(2)) * gateway.Duration(time.Minute)},
		Retry:         gateway.Retry{Attempts: n(3), On: [][]string{nil, {"reset"}, {"502"}}[n(3)]},
		ProxyProtocol: []string{"", "", "v1"}[n(3)],
		Limits:        gateway.UpstreamLimits{MaxConnections: 7 * n(2)},
	}
	if o.Spec.Protocol == "https" || o.Spec.Protocol == "h2" {
		o.Spec.TLS = &gateway.UpstreamTLS{ServerName: "a.internal", Certificate: []string{"", "c0", "c1"}[n(3)], CA: []string{"", w.pairs[0].Chain}[n(2)]}
	}
	o.Spec.Endpoints = []gateway.ManualEndpoint{{Address: "10.0.0.1:80"}}
}

// bigSnapshot has 10,000 routes on hosts of their own, of 50 tenants with 40 upstreams of ten
// endpoints each, the first of which sends requests to two.
func bigSnapshot() *gateway.Snapshot {
	s := &gateway.Snapshot{}
	for t := range 50 {
		tenant := fmt.Sprintf("tenant-%02d", t)
		s.Tenants = append(s.Tenants, &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: tenant}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}})
		for u := range 40 {
			e := &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: tenant, Name: fmt.Sprintf("upstream-%02d", u)}, Protocol: "http", Balance: gateway.Balance{Policy: "round_robin"}}
			for i := range 10 {
				e.Endpoints = append(e.Endpoints, gateway.Endpoint{Address: fmt.Sprintf("10.%d.%d.%d:8080", t, u, i+1), Weight: 1, InRotation: true})
			}
			s.Upstreams = append(s.Upstreams, e)
		}
		for h := range 200 {
			route := &gateway.EffectiveRoute{Tenant: tenant, Name: fmt.Sprintf("route-%03d", h), MaxBodySize: 10 << 20,
				Targets: []gateway.Target{{Upstream: s.Upstreams[40*t+h%40].Key, Weight: 95}}}
			if h == 0 {
				route.Targets = append(route.Targets, gateway.Target{Upstream: s.Upstreams[40*t+1].Key, Weight: 5})
			}
			s.Hosts = append(s.Hosts, &gateway.Host{Name: fmt.Sprintf("host-%02d-%03d.example.com", t, h), Tenant: tenant,
				Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/api"}, Route: route}}})
		}
	}
	return s
}

// withRotation is s with one endpoint in or out of rotation, and everything else shared.
func withRotation(s *gateway.Snapshot, upstream, endpoint int, in bool) *gateway.Snapshot {
	next, u := *s, *s.Upstreams[upstream]
	u.Endpoints = slices.Clone(u.Endpoints)
	u.Endpoints[endpoint].InRotation = in
	next.Upstreams = slices.Clone(s.Upstreams)
	next.Upstreams[upstream] = &u
	return &next
}

// TestRenderSpeed prints how long both ways of rendering take, and fails when they are ten
// times as slow as wanted. Beside the time it counts what was written again.
func TestRenderSpeed(t *testing.T) {
	s, facts := bigSnapshot(), gateway.NodeFacts{TreePath: "/t/current", NginxVersion: "1.22.1", Modules: allModules}
	r := NewRenderer("shared", facts)
	start := time.Now()
	before, _ := r.Render(s)
	whole := time.Since(start)
	var times []time.Duration
	for i := range 19 {
		next := withRotation(s, 100*i, i%10, false)
		start := time.Now()
		after, _ := r.Render(next)
		times = append(times, time.Since(start))
		if i == 0 {
			checkOneFileAnew(t, before, after)
		}
		s, before = next, after
	}
	slices.Sort(times)
	one := times[len(times)/2]
	t.Logf("figure render_10000_routes %.0f ms goal 1000", whole.Seconds()*1000)
	t.Logf("figure rerender_one_endpoint %.3f ms goal 5", one.Seconds()*1000)
	if whole > 10*time.Second || one > 50*time.Millisecond {
		t.Errorf("10,000 routes in %s and one endpoint in %s: more than ten times the goals", whole, one)
	}
}

// checkOneFileAnew checks that all files but one, and the one with the digest, are the very
// same text.
func checkOneFileAnew(t *testing.T, before, after Tree) {
	t.Helper()
	var anew []string
	for i, f := range after.Files {
		if unsafe.StringData(before.Files[i].Data) != unsafe.StringData(f.Data) {
			anew = append(anew, f.Path)
		}
	}
	if want := []string{DigestFile, "upstreams/tenant-00.upstream-00.conf"}; !slices.Equal(anew, want) {
		t.Errorf("written anew: %q, expected %q", anew, want)
	}
	if before.Digest == after.Digest {
		t.Error("the digest did not move")
	}
}

func BenchmarkRenderWhole(b *testing.B) {
	s, facts := bigSnapshot(), gateway.NodeFacts{TreePath: "/t/current", Modules: allModules}
	b.ReportAllocs()
	for b.Loop() {
		Render(s, "shared", facts)
	}
}

func BenchmarkRenderOneEndpoint(b *testing.B) {
	s := bigSnapshot()
	other := withRotation(s, 1000, 3, false)
	r := NewRenderer("shared", gateway.NodeFacts{TreePath: "/t/current", Modules: allModules})
	r.Render(s)
	b.ReportAllocs()
	for b.Loop() {
		r.Render(other)
		s, other = other, s
	}
}
