package nginxconf

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// The fates of a field of the model on nginx nodes.
const (
	isRendered    = "rendered"     // another value gives another tree
	isNotPortable = "not portable" // another value gives a problem with this code
	isDecided     = "decided"      // the snapshot's maker acted on it: it is in other fields
	isDocumented  = "documented"   // nginx does otherwise, and docs/nginx.md says so
)

// fate is one row of the table: what becomes of a field, and a change of it that shows so.
type fate struct {
	field  string
	what   string
	change func(p *portable)
}

// portable is a snapshot and the parts of it that the table changes.
type portable struct {
	snapshot *gateway.Snapshot
	host     *gateway.Host
	route    *gateway.EffectiveRoute // to upstream, under host
	fixed    *gateway.EffectiveRoute // with a fixed answer
	limited  *gateway.EffectiveRoute // with limits and a mirror
	upstream *gateway.EffectiveUpstream
	secure   *gateway.EffectiveUpstream
	cert     *gateway.EffectiveCertificate
}

func newPortable(t *testing.T) *portable {
	t.Helper()
	pair := testCertificate(t, "shop.test")
	p := &portable{upstream: upstreamAt("api", "http", "10.0.0.4:80", nil), secure: upstreamAt("safe", "https", "10.0.0.5:443", &gateway.UpstreamTLS{CA: pair.Chain, ServerName: "safe.test"})}
	p.upstream.Endpoints = append(p.upstream.Endpoints, gateway.Endpoint{Address: "10.0.0.6:80", Weight: 1, InRotation: true})
	first, second, fixed := routeTo("/", "api"), routeTo("/safe", "safe"), gateway.Rule{Path: gateway.PathMatch{Exact: "/fixed"}}
	fixed.Route = &gateway.EffectiveRoute{Tenant: "acme", Name: "fixed", Respond: &gateway.Respond{Status: 403, Body: "no"}}
	p.route, p.fixed, p.limited = first.Route, fixed.Route, second.Route
	p.limited.RateLimit = &gateway.RateLimit{Requests: 5, Per: 1e9, Burst: new(4), Key: gateway.LimitKey{By: "client"}, Status: 429}
	p.limited.Mirror = &gateway.EffectiveMirror{Upstream: p.upstream.Key, Percent: 50}
	p.limited.ConnectionLimit = &gateway.ConnectionLimit{Max: 5, Key: gateway.LimitKey{By: "client"}, Status: 429}
	p.host = &gateway.Host{Name: "*.shop.test", Tenant: "acme", Rules: []gateway.Rule{fixed, second, first}}
	p.cert = effective(t, "shop", pair, &gateway.ClientAuth{Mode: "request", CA: pair.Chain}, "*.shop.test")
	p.snapshot = &gateway.Snapshot{Tenants: tenantAcme(), Hosts: []*gateway.Host{p.host}, Upstreams: []*gateway.EffectiveUpstream{p.upstream, p.secure},
		Certificates: []*gateway.EffectiveCertificate{p.cert}, NginxDirectives: []string{"gzip"}}
	return p
}

// limit is what a case changes; the route has a limit before as well.
func (p *portable) limit() *gateway.RateLimit { return p.limited.RateLimit }

// fates is the table. A field of the model that is not in it fails TestEveryFieldHasAFate: say
// what becomes of it, and show it.
var fates = []fate{
	{"Host.Name", isRendered, func(p *portable) { p.host.Name = "*.other.test" }},
	{"Host.Tenant", isRendered, func(p *portable) { p.host.Tenant = "nobody" }},
	{"Host.Rules.Path.Prefix", isRendered, func(p *portable) { p.host.Rules[1].Path.Prefix = "/x" }},
	{"Host.Rules.Path.Exact", isRendered, func(p *portable) { p.host.Rules[0].Path.Exact = "/x" }},

	{"Host.Rules.Conditions.Methods", isRendered, func(p *portable) { p.host.Rules[0].Methods = []string{"GET"} }},
	{"Host.Rules.Conditions.Headers.Name", isNotPortable, func(p *portable) { p.host.Rules[0].Headers = []gateway.HeaderMatch{{Name: "x"}} }},
	{"Host.Rules.Conditions.Headers.Exact", isNotPortable, func(p *portable) { p.host.Rules[0].Headers = []gateway.HeaderMatch{{Name: "x", Exact: "x"}} }},
	{"Host.Rules.Conditions.Headers.Present", isNotPortable, func(p *portable) { p.host.Rules[0].Headers = []gateway.HeaderMatch{{Name: "x", Present: true}} }},
	{"Host.Rules.Conditions.Query.Name", isRendered, func(p *portable) { p.host.Rules[0].Query = []gateway.QueryMatch{{Name: "x"}} }},
	{"Host.Rules.Conditions.Query.Exact", isRendered, func(p *portable) { p.host.Rules[0].Query = []gateway.QueryMatch{{Name: "x", Exact: "x"}} }},

	{"EffectiveRoute.Tenant", isRendered, func(p *portable) { p.fixed.Tenant = "beta" }},
	{"EffectiveRoute.Name", isRendered, func(p *portable) { p.route.Name = "other" }},
	{"EffectiveRoute.Targets.Upstream.Tenant", isRendered, func(p *portable) { p.route.Targets[0].Upstream.Tenant = "beta" }},
	{"EffectiveRoute.Targets.Upstream.Name", isRendered, func(p *portable) { p.route.Targets[0].Upstream.Name = "gone" }},
	{"EffectiveRoute.Targets.Weight", isRendered, func(p *portable) {
		p.route.Targets = []gateway.Target{{Upstream: p.upstream.Key, Weight: 1}, {Upstream: p.upstream.Key, Weight: 3}}
	}},
	{"EffectiveRoute.Timeout", isRendered, func(p *portable) { p.route.Timeout = 1e9 }},
	{"EffectiveRoute.MaxBodySize", isRendered, func(p *portable) { p.route.MaxBodySize = 1 << 30 }},
	{"EffectiveRoute.SingleLabel", isRendered, func(p *portable) { p.route.SingleLabel = true }},
	{"EffectiveRoute.Respond.Status", isRendered, func(p *portable) { p.fixed.Respond.Status = 404 }},
	{"EffectiveRoute.Respond.Headers", isRendered, func(p *portable) { p.fixed.Respond.Headers = map[string]string{"x-why": "because"} }},
	{"EffectiveRoute.Respond.Body", isRendered, func(p *portable) { p.fixed.Respond.Body = "never" }},
	{"EffectiveRoute.IPAccess.Allow", isRendered, func(p *portable) { p.route.IPAccess = &gateway.IPAccess{Allow: []string{"10.0.0.0/8"}} }},
	{"EffectiveRoute.IPAccess.Deny", isRendered, func(p *portable) { p.fixed.IPAccess = &gateway.IPAccess{Deny: []string{"10.0.0.0/8"}} }},
	{"EffectiveRoute.RequestHeaders.Set", isRendered, func(p *portable) {
		p.route.RequestHeaders = &gateway.HeaderEdit{Set: map[string]string{"x-a": "b"}}
	}},
	{"EffectiveRoute.RequestHeaders.Add", isNotPortable, func(p *portable) {
		p.route.RequestHeaders = &gateway.HeaderEdit{Add: map[string]string{"x-a": "b"}}
	}},
	{"EffectiveRoute.RequestHeaders.Remove", isRendered, func(p *portable) { p.route.RequestHeaders = &gateway.HeaderEdit{Remove: []string{"x-a"}} }},
	{"EffectiveRoute.ResponseHeaders.Set", isRendered, func(p *portable) {
		p.fixed.ResponseHeaders = &gateway.HeaderEdit{Set: map[string]string{"x-a": "b"}}
	}},
	{"EffectiveRoute.ResponseHeaders.Add", isRendered, func(p *portable) {
		p.route.ResponseHeaders = &gateway.HeaderEdit{Add: map[string]string{"x-a": "b"}}
	}},
	{"EffectiveRoute.ResponseHeaders.Remove", isRendered, func(p *portable) { p.route.ResponseHeaders = &gateway.HeaderEdit{Remove: []string{"x-a"}} }},
	{"EffectiveRoute.Rewrite.Path", isRendered, func(p *portable) { p.route.Rewrite = &gateway.Rewrite{Path: "/x"} }},
	{"EffectiveRoute.Rewrite.Prefix", isRendered, func(p *portable) { p.route.Rewrite = &gateway.Rewrite{Prefix: "/x"} }},
	{"EffectiveRoute.Rewrite.Host", isRendered, func(p *portable) { p.route.Rewrite = &gateway.Rewrite{Host: "in.test"} }},
	{"EffectiveRoute.Redirect.Scheme", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Scheme: "https", Status: 302} }},
	{"EffectiveRoute.Redirect.Host", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Host: "in.test", Status: 302} }},
	{"EffectiveRoute.Redirect.Port", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Scheme: "https", Port: 8443, Status: 302} }},
	{"EffectiveRoute.Redirect.Path", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Path: "/x", Status: 302} }},
	{"EffectiveRoute.Redirect.Prefix", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Prefix: "/x", Status: 302} }},
	{"EffectiveRoute.Redirect.Status", isRendered, func(p *portable) { p.route.Redirect = &gateway.Redirect{Path: "/x", Status: 307} }},
	{"EffectiveRoute.RateLimit.Requests", isRendered, func(p *portable) { p.limit().Requests = 7 }},
	{"EffectiveRoute.RateLimit.Per", isRendered, func(p *portable) { p.limit().Per = 60e9 }},
	{"EffectiveRoute.RateLimit.Burst", isRendered, func(p *portable) { p.limit().Burst = new(7) }},
	{"EffectiveRoute.RateLimit.Key.By", isRendered, func(p *portable) { p.limit().Key.By = "route" }},
	{"EffectiveRoute.RateLimit.Key.Header", isRendered, func(p *portable) { p.limit().Key = gateway.LimitKey{By: "header", Header: "x-api-key"} }},
	{"EffectiveRoute.RateLimit.Status", isRendered, func(p *portable) { p.limit().Status = 503 }},
	{"EffectiveRoute.ConnectionLimit.Max", isRendered, func(p *portable) { p.limited.ConnectionLimit.Max = 7 }},
	{"EffectiveRoute.ConnectionLimit.Key.By", isRendered, func(p *portable) { p.limited.ConnectionLimit.Key.By = "host" }},
	{"EffectiveRoute.ConnectionLimit.Key.Header", isRendered, func(p *portable) {
		p.limited.ConnectionLimit.Key = gateway.LimitKey{By: "header", Header: "x-api-key"}
	}},
	{"EffectiveRoute.ConnectionLimit.Status", isRendered, func(p *portable) { p.limited.ConnectionLimit.Status = 503 }},
	{"EffectiveRoute.Mirror.Upstream.Tenant", isRendered, func(p *portable) { p.limited.Mirror.Upstream.Tenant = "beta" }},
	{"EffectiveRoute.Mirror.Upstream.Name", isRendered, func(p *portable) { p.limited.Mirror.Upstream.Name = "safe" }},
	{"EffectiveRoute.Mirror.Percent", isRendered, func(p *portable) { p.limited.Mirror.Percent = 7 }},
	{"EffectiveRoute.Nginx.Override", isRendered, func(p *portable) {
		p.route.Nginx = []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Name: "o"}, Text: "gzip on;"}}
	}},
	{"EffectiveRoute.Nginx.Text", isRendered, func(p *portable) { p.route.Nginx = []gateway.NginxText{{Text: "gzip on;"}} }},
	{"EffectiveRoute.Origins", isDecided, func(p *portable) { p.route.Origins = []gateway.Origin{{Field: "timeout"}} }},

	{"EffectiveUpstream.Key.Tenant", isRendered, func(p *portable) { p.upstream.Key.Tenant = "acm" }},
	{"EffectiveUpstream.Key.Name", isRendered, func(p *portable) { p.upstream.Key.Name = "other" }},
	{"EffectiveUpstream.Protocol", isRendered, func(p *portable) { p.upstream.Protocol = "h2c" }},
	{"EffectiveUpstream.Endpoints.Address", isRendered, func(p *portable) { p.upstream.Endpoints[0].Address = "10.0.0.9:80" }},
	{"EffectiveUpstream.Endpoints.Weight", isRendered, func(p *portable) { p.upstream.Endpoints[0].Weight = 7 }},
	{"EffectiveUpstream.Endpoints.OwnWeight", isDecided, func(p *portable) { p.upstream.Endpoints[0].OwnWeight = 7 }},
	{"EffectiveUpstream.Endpoints.Priority", isRendered, func(p *portable) { p.upstream.Endpoints[0].Priority = 2 }},
	{"EffectiveUpstream.Endpoints.Zone", isDecided, func(p *portable) { p.upstream.Endpoints[0].Zone = "b" }},
	{"EffectiveUpstream.Endpoints.Terminating", isDecided, func(p *portable) { p.upstream.Endpoints[0].Terminating = true }},
	{"EffectiveUpstream.Endpoints.Tags", isDecided, func(p *portable) { p.upstream.Endpoints[0].Tags = gateway.NewTags(map[string]string{"a": "b"}) }},
	{"EffectiveUpstream.Endpoints.Sources", isDecided, func(p *portable) { p.upstream.Endpoints[0].Sources = []gateway.SourceKind{"dns"} }},
	{"EffectiveUpstream.Endpoints.Place", isDecided, func(p *portable) { p.upstream.Endpoints[0].Place = "x" }},
	{"EffectiveUpstream.Endpoints.Pin", isDecided, func(p *portable) { p.upstream.Endpoints[0].Pin = &gateway.EndpointPin{} }},
	{"EffectiveUpstream.Endpoints.Verdict", isDecided, func(p *portable) { p.upstream.Endpoints[0].Verdict.State = gateway.StateEjected }},
	{"EffectiveUpstream.Endpoints.Fails.Max", isDecided, func(p *portable) { p.upstream.Endpoints[0].Fails.Max = 3 }},
	{"EffectiveUpstream.Endpoints.Fails.Timeout", isDecided, func(p *portable) { p.upstream.Endpoints[0].Fails.Timeout = 7e9 }},
	{"EffectiveUpstream.Endpoints.InRotation", isRendered, func(p *portable) { p.upstream.Endpoints[0].InRotation = false }},
	{"EffectiveUpstream.Discover", isDecided, func(p *portable) { p.upstream.Discover = []gateway.Discover{{}} }},
	{"EffectiveUpstream.Balance.Policy", isRendered, func(p *portable) { p.upstream.Balance.Policy = "least_request" }},
	{"EffectiveUpstream.Balance.On", isRendered, func(p *portable) { p.upstream.Balance = gateway.Balance{Policy: "hash", On: "ip"} }},
	{"EffectiveUpstream.Balance.Name", isRendered, func(p *portable) { p.upstream.Balance = gateway.Balance{Policy: "hash", On: "header", Name: "x-user"} }},
	{"EffectiveUpstream.Balance.MaxLoadPercent", isNotPortable, func(p *portable) {
		p.upstream.Balance = gateway.Balance{Policy: "hash", On: "uri", MaxLoadPercent: 125}
	}},
	{"EffectiveUpstream.Health", isDecided, func(p *portable) { p.upstream.Health.NoPanic = true }},
	{"EffectiveUpstream.Timeouts.Connect", isRendered, func(p *portable) { p.upstream.Timeouts.Connect = 7e9 }},
	{"EffectiveUpstream.Timeouts.Response", isRendered, func(p *portable) { p.upstream.Timeouts.Response = 7e9 }},
	{"EffectiveUpstream.Timeouts.Idle", isRendered, func(p *portable) { p.upstream.Timeouts.Idle = 7e9 }},
	{"EffectiveUpstream.Retry.Attempts", isRendered, func(p *portable) { p.upstream.Retry.Attempts = 3 }},
	{"EffectiveUpstream.Retry.On", isRendered, func(p *portable) { p.upstream.Retry.On = []string{"502"} }},
	{"EffectiveUpstream.Retry.Timeout", isRendered, func(p *portable) { p.upstream.Retry.Timeout = 3e9 }},
	{"EffectiveUpstream.Retry.BudgetPercent", isNotPortable, func(p *portable) { p.upstream.Retry.BudgetPercent = new(int) }},
	{"EffectiveUpstream.Drain.Timeout", isDocumented, func(p *portable) { p.upstream.Drain.Timeout = 1e9 }},
	{"EffectiveUpstream.SlowStart", isDocumented, func(p *portable) { p.upstream.SlowStart = 1e9 }},
	{"EffectiveUpstream.TLS.CA", isRendered, func(p *portable) { p.secure.TLS.CA += p.secure.TLS.CA }},
	{"EffectiveUpstream.TLS.ServerName", isRendered, func(p *portable) { p.secure.TLS.ServerName = "other.test" }},
	{"EffectiveUpstream.TLS.InsecureSkipVerify", isRendered, func(p *portable) { p.secure.TLS.InsecureSkipVerify = true }},
	{"EffectiveUpstream.TLS.Certificate", isRendered, func(p *portable) { p.secure.TLS.Certificate = "shop" }},
	{"EffectiveUpstream.Limits.MaxConnections", isRendered, func(p *portable) {
		p.upstream.Limits = gateway.UpstreamLimits{MaxConnections: 9, MaxPending: new(int)}
	}},
	{"EffectiveUpstream.Limits.MaxPending", isNotPortable, func(p *portable) {
		pending := 10
		p.upstream.Limits = gateway.UpstreamLimits{MaxConnections: 9, MaxPending: &pending}
	}},
	{"EffectiveUpstream.Limits.QueueTimeout", isNotPortable, func(p *portable) {
		p.upstream.Limits = gateway.UpstreamLimits{MaxConnections: 9, QueueTimeout: 1e9}
	}},
	{"EffectiveUpstream.ProxyProtocol", isNotPortable, func(p *portable) { p.upstream.ProxyProtocol = "v2" }},
	{"EffectiveUpstream.Panic", isDecided, func(p *portable) { p.upstream.Panic = true }},

	{"EffectiveCertificate.Key.Tenant", isRendered, func(p *portable) { p.cert.Key.Tenant = "nobody" }},
	{"EffectiveCertificate.Key.Name", isRendered, func(p *portable) { p.cert.Key.Name = "other" }},
	{"EffectiveCertificate.Hosts", isRendered, func(p *portable) { p.cert.Hosts = []string{"a.shop.test"} }},
	{"EffectiveCertificate.Status", isDecided, func(p *portable) { p.cert.Status.Issuer = "x" }},
	{"EffectiveCertificate.Chain", isRendered, func(p *portable) { p.cert.Chain += p.cert.Chain }},
	{"EffectiveCertificate.PrivateKey", isRendered, func(p *portable) { p.cert.PrivateKey += p.cert.PrivateKey }},
	{"EffectiveCertificate.ClientAuth.Mode", isRendered, func(p *portable) { p.cert.ClientAuth.Mode = "require" }},
	{"EffectiveCertificate.ClientAuth.CA", isRendered, func(p *portable) { p.cert.ClientAuth.CA += p.cert.ClientAuth.CA }},
}

// whole are types that the table has as one field: nothing of them is nginx's business.
var whole = []reflect.Type{reflect.TypeFor[gateway.Ref](), reflect.TypeFor[gateway.Verdict](), reflect.TypeFor[gateway.EndpointPin](), reflect.TypeFor[gateway.Discover](),
	reflect.TypeFor[gateway.EffectiveCheck](), reflect.TypeFor[gateway.Origin](), reflect.TypeFor[gateway.CertificateStatus]()}

// fieldsOf lists the exported fields of a type, those of structs inside it by themselves. A
// route inside a rule is walked by its own name.
func fieldsOf(name string, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(whole, t) {
		return []string{name}
	}
	if t == reflect.TypeFor[gateway.EffectiveRoute]() && strings.Contains(name, ".") {
		return nil
	}
	var list []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			list = append(list, fieldsOf(name+"."+f.Name, f.Type)...)
		}
	}
	return list
}

func TestEveryFieldHasAFate(t *testing.T) {
	var model, table []string
	for _, typ := range []reflect.Type{reflect.TypeFor[gateway.Host](), reflect.TypeFor[gateway.EffectiveRoute](), reflect.TypeFor[gateway.EffectiveUpstream](), reflect.TypeFor[gateway.EffectiveCertificate]()} {
		model = append(model, fieldsOf(typ.Name(), typ)...)
	}
	for _, f := range fates {
		if slices.Contains(table, f.field) {
			t.Errorf("%s stands twice in the table", f.field)
		}
		table = append(table, f.field)
	}
	for _, f := range model {
		if !slices.Contains(table, f) {
			t.Errorf("%s is new in the model: render it, or make it a problem marked not_portable, and say so in the table of fates", f)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[gateway.Filter]()) {
		if _, ok := reflect.TypeFor[gateway.EffectiveRoute]().FieldByName(f.Name); !ok {
			t.Errorf("the filter %s leaves nothing in the effective route, so this table does not see it", f.Name)
		}
	}
	for _, f := range table {
		if !slices.Contains(model, f) {
			t.Errorf("%s is no field of the model any more: take it out of the table of fates", f)
		}
	}
}

// TestFates changes each field by itself and looks whether what the table says becomes of it
// does.
func TestFates(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/t/current", NginxVersion: "1.22.1", Modules: allModules, ListenTLS: []string{"443"}}
	before, _ := Render(newPortable(t).snapshot, "shared", facts)
	docs, err := os.ReadFile("../../docs/nginx.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fates {
		p := newPortable(t)
		f.change(p)
		after, problems := Render(p.snapshot, "shared", facts)
		refused := slices.ContainsFunc(problems, func(p gateway.Problem) bool { return p.Code == "not_portable" })
		_, name, _ := strings.Cut(f.field, ".")
		spelled := "`" + strings.ToLower(name) + "`"
		switch changed := before.Digest != after.Digest; {
		case f.what == isRendered && (!changed || refused):
			t.Errorf("%s: the tree changed: %v, refused: %v: %s", f.field, changed, refused, problemText(problems))
		case f.what == isNotPortable && !refused:
			t.Errorf("%s is not refused", f.field)
		case (f.what == isDecided || f.what == isDocumented) && (changed || refused):
			t.Errorf("%s changes the tree by itself, or is refused: %s", f.field, problemText(problems))
		case f.what == isDocumented && !strings.Contains(strings.ToLower(string(docs)), spelled):
			t.Errorf("docs/nginx.md does not say what nginx does about %s", spelled)
		}
	}
}
