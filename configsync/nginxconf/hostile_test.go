package nginxconf

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// hostile are the names and values that come from people, each in the place that it is for.
type hostile struct {
	tenant, name, host, path, address, zone      string // of objects
	override, body, header, value, location      string // texts of a tenant
	editName, editValue                          string // of changes to heads
	toPath, toPrefix, toHost, toScheme           string // of rewrites and redirects
	network, key                                 string
	method, condName, condValue, query, queryVal string // of conditions
	serverName, ca, certificate, policy, proto   string // of an upstream
	chain, clientCA, mode, certHost              string // of a certificate
	treePath, listen, trustedCA, version, socket string // of a node's agent
}

// harmlessText gives a tree with everything in it that the others may have.
func harmlessText(t testing.TB) hostile {
	t.Helper()
	pair := testCertificate(t, "shop.test")
	return hostile{tenant: "acme", name: "shop", host: "shop.test", path: "/api", address: "10.0.0.4:80", zone: "a",
		override: "add_header X-A b;", body: "no", header: "x-a", value: "b", location: "/other", editName: "x-edit", editValue: "c$d", toPath: "/x", toPrefix: "/y", toHost: "in.test", toScheme: "https", network: "10.0.0.0/8", key: "x-api-key",
		method: "GET", condName: "x-cond", condValue: "a b", query: "q", queryVal: "a b",
		serverName: "api.internal", ca: pair.Chain, certificate: "shop", policy: "least_request", proto: "http",
		chain: pair.Chain, clientCA: pair.Chain, mode: "require", certHost: "shop.test",
		treePath: "/var/lib/sluice/tree/current", listen: "127.0.0.1:8080", trustedCA: "/etc/ssl/certs/ca-certificates.crt", version: "1.24.0", socket: "unix:/run/o.sock"}
}

// fields lists the values, to put something else in the place of each.
func (h *hostile) fields() map[string]*string {
	return map[string]*string{"tenant": &h.tenant, "name": &h.name, "host": &h.host, "path": &h.path, "address": &h.address, "zone": &h.zone,
		"override": &h.override, "body": &h.body, "header": &h.header, "value": &h.value, "location": &h.location, "editName": &h.editName, "editValue": &h.editValue,
		"toPath": &h.toPath, "toPrefix": &h.toPrefix, "toHost": &h.toHost, "toScheme": &h.toScheme, "network": &h.network, "key": &h.key,
		"method": &h.method, "condName": &h.condName, "condValue": &h.condValue, "query": &h.query, "queryVal": &h.queryVal,
		"serverName": &h.serverName, "ca": &h.ca, "certificate": &h.certificate, "policy": &h.policy, "proto": &h.proto,
		"chain": &h.chain, "clientCA": &h.clientCA, "mode": &h.mode, "certHost": &h.certHost,
		"treePath": &h.treePath, "trustedCA": &h.trustedCA, "version": &h.version, "socket": &h.socket}
}

// render makes three routes (to upstreams, fixed, and a redirect), three upstreams and a
// certificate of the values.
func (h *hostile) render(t testing.TB) (Tree, []gateway.Problem) {
	t.Helper()
	key := func(suffix string) gateway.UpstreamKey {
		return gateway.UpstreamKey{Tenant: h.tenant, Name: h.name + suffix}
	}
	override := gateway.Ref{Kind: gateway.KindOverride, Tenant: h.tenant, Name: h.name}
	endpoints := []gateway.Endpoint{{Address: h.address, Zone: h.zone, Weight: 1, InRotation: true}, {Address: "10.0.0.9:80", Weight: 1, InRotation: true}}
	upstream := func(suffix, proto string, tls *gateway.UpstreamTLS) *gateway.EffectiveUpstream {
		return &gateway.EffectiveUpstream{Key: key(suffix), Protocol: proto, TLS: tls, Endpoints: endpoints, Balance: gateway.Balance{Policy: h.policy}}
	}
	route := func(suffix string, targets ...string) *gateway.EffectiveRoute {
		r := &gateway.EffectiveRoute{Tenant: h.tenant, Name: h.name + suffix, Nginx: []gateway.NginxText{{Override: override, Text: h.override}}}
		if suffix == "" || suffix == "-c" {
			edit := &gateway.HeaderEdit{Set: map[string]string{"x-set": h.editValue, "content-type": h.editValue}, Add: map[string]string{h.editName + "-add": h.editValue}, Remove: []string{h.editName}}
			r.RequestHeaders, r.ResponseHeaders = edit, edit
		}
		switch suffix {
		case "":
			r.Rewrite = &gateway.Rewrite{Prefix: h.toPrefix, Host: h.toHost}
			r.Redirect = &gateway.Redirect{Scheme: h.toScheme, Status: 302}
		case "-path":
			r.Rewrite = &gateway.Rewrite{Path: h.toPath}
		case "-to":
			r.Redirect = &gateway.Redirect{Host: h.toHost, Prefix: h.toPrefix, Status: 302}
		}
		for _, u := range targets {
			r.Targets = append(r.Targets, gateway.Target{Upstream: key(u), Weight: 1})
		}
		return r
	}
	fixed, redirect := route("-fixed"), route("-redirect")
	fixed.Respond = &gateway.Respond{Status: 403, Body: h.body, Headers: map[string]string{h.header: h.value}}
	redirect.Respond = &gateway.Respond{Status: 302, Headers: map[string]string{"location": h.location}}
	fixed.IPAccess = &gateway.IPAccess{Allow: []string{h.network}, Deny: []string{"10.1.0.0/16"}}
	limited := route("-limited", "a", "b")
	limited.RateLimit = &gateway.RateLimit{Requests: 5, Per: 1e9, Burst: new(4), Key: gateway.LimitKey{By: "header", Header: h.key}, Status: 429}
	limited.ConnectionLimit = &gateway.ConnectionLimit{Max: 5, Key: limited.RateLimit.Key, Status: 429}
	limited.Mirror = &gateway.EffectiveMirror{Upstream: key("c"), Percent: 10}
	prefix := func(p string) gateway.PathMatch { return gateway.PathMatch{Prefix: p} }
	s := &gateway.Snapshot{
		Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: h.tenant}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts: []*gateway.Host{{Name: h.host, Tenant: h.tenant, Rules: []gateway.Rule{{Path: gateway.PathMatch{Exact: h.path}, Route: route("", "a", "b")}, {Path: prefix(h.path + "/limited"), Route: limited},
			{Path: prefix("/fixed"), Route: fixed}, {Path: prefix("/redirect"), Route: redirect}, {Path: prefix("/grpc"), Route: route("-c", "c")},
			{Path: prefix(h.path + "/path"), Route: route("-path", "b")}, {Path: prefix(h.path + "/to"), Route: route("-to")},
			{Path: prefix("/if"), Conditions: gateway.Conditions{Methods: []string{h.method}, Headers: []gateway.HeaderMatch{{Name: h.condName, Exact: h.condValue}}}, Route: route("", "a", "b")},
			{Path: prefix("/if"), Conditions: gateway.Conditions{Headers: []gateway.HeaderMatch{{Name: h.condName, Present: true}}, Query: []gateway.QueryMatch{{Name: h.query, Exact: h.queryVal}}}, Route: fixed}}}},
		Upstreams: []*gateway.EffectiveUpstream{upstream("a", h.proto, nil), upstream("b", "https", &gateway.UpstreamTLS{CA: h.ca, ServerName: h.serverName, Certificate: h.certificate}),
			upstream("c", "h2", &gateway.UpstreamTLS{ServerName: h.serverName})},
		Certificates: []*gateway.EffectiveCertificate{{Key: gateway.CertificateKey{Tenant: h.tenant, Name: h.certificate}, Hosts: []string{h.certHost},
			Chain: h.chain, PrivateKey: gateway.Secret(testCertificate(t, "shop.test").Key), ClientAuth: &gateway.ClientAuth{Mode: h.mode, CA: h.clientCA}}},
		NginxDirectives: []string{"add_header"},
	}
	slices.SortFunc(s.Upstreams, func(a, b *gateway.EffectiveUpstream) int { return a.Key.Compare(b.Key) })
	return Render(s, "shared", gateway.NodeFacts{TreePath: h.treePath, Listen: []string{h.listen}, ListenTLS: []string{"127.0.0.1:8443"}, NginxVersion: h.version,
		Modules: allModules, TrustedCA: h.trustedCA, Outcomes: h.socket, DigestListen: "127.0.0.1:8999"})
}

// shapes lists what a tree says without its values: each directive with the blocks around it
// and the number of its words, such as "servers: server location proxy_pass 2".
func shapes(t testing.TB, tree Tree) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, f := range tree.Files {
		if path.Ext(f.Path) != ".conf" {
			continue
		}
		c, err := Parse(f.Path, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		c.Walk(func(parents []*Directive, d *Directive) {
			var b strings.Builder
			b.WriteString(path.Dir(f.Path) + ":")
			for _, p := range parents {
				b.WriteString(" " + p.Name())
			}
			name := d.Name()
			if len(parents) > 0 && slices.Contains([]string{"geo", "map", "split_clients"}, parents[len(parents)-1].Name()) {
				name = "ENTRY"
			}
			fmt.Fprintf(&b, " %s %d", name, len(d.Words))
			if d.Block != nil {
				b.WriteString(" {")
			}
			out[b.String()]++
		})
	}
	return out
}

// other are shapes that the harmless tree has not, and others may have: paths that are closed,
// methods of balancing, servers of a further name, an override with other values.
var other = []string{
	"base: server 1 {", "base: server return 2", "base: server server_name 2", "base: server listen 3", "base: server listen 4", "base: server large_client_header_buffers 3", "base: server listen 5",
	"base: server http2 2", "servers: server http2 2", "servers: server listen 3", "base: server ssl_certificate 2", "base: server ssl_certificate_key 2",
	"base: server_names_hash_bucket_size 2", "base: access_log 2",
	"servers: server location if 4 {", "servers: server location if return 2", "servers: server location return 2", "servers: server location return 3", "servers: server location set 3",
	"servers: server location types 1 {", "servers: server location default_type 2", "servers: server location absolute_redirect 2", "servers: server ssl_verify_client 2", "servers: server if return 2", "servers: server if 4 {",
	"servers: server location add_header 2", "servers: server location add_header 3", "servers: server location add_header 4",
	"upstreams: upstream random 1", "upstreams: upstream random 3", "base: log_format 3", "base: log_format 4",
}

// checkPlaces holds a tree to the harmless one: every directive has a shape that is known, and
// there are not more servers, locations and upstreams.
func checkPlaces(t testing.TB, tree Tree) {
	t.Helper()
	h := harmlessText(t)
	tame, _ := h.render(t)
	want, got := shapes(t, tame), shapes(t, tree)
	for shape := range got {
		if want[shape] == 0 && !slices.Contains(other, shape) {
			t.Errorf("%q is new", shape)
		}
	}
	for _, block := range []string{"servers: server 1 {", "servers: server location 2 {", "servers: server location 3 {", "upstreams: upstream 2 {", "splits: split_clients 3 {", "access: geo 2 {", "access: geo ENTRY 2"} {
		most := want[block]
		if block == "servers: server 1 {" || strings.HasPrefix(block, "servers: server location") {
			most *= 2 // a certificate's name inside a wildcard has the same rules once more
		}
		if got[block] > most {
			t.Errorf("%d times %q, expected at most %d", got[block], block, most)
		}
	}
	for _, f := range tree.Files {
		if ext := path.Ext(f.Path); ext != ".conf" && strings.Trim(f.Data, "-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \n") != "" {
			t.Errorf("%s holds more than PEM:\n%q", f.Path, f.Data)
		}
	}
}

// evil are the values that want to leave their place.
var evil = []string{
	`"`, `'`, `;`, `}`, `{`, `$host`, `${host}`, `\`, `#`, "\n", "\r\nX: y", "\x00", "\x1b[31m", "käse", "\xff\xfe", " ", "",
	`"; } server { listen 1; #`, `'; include /etc/passwd; '`, "x\n}\nssl_engine x;", `\"; load_module x;`, `a b c`, "*", "..", "../../etc/passwd", "/", "~^.*$", "= /", "%00", "%0a}",
	strings.Repeat("x", 4096), strings.Repeat("é;", 2048), strings.Repeat(`"`, 4096), strings.Repeat("$", 300), strings.Repeat("a.", 126) + "test",
}

// TestEvilValues puts each of the values into each place; nginx itself has to take what comes
// out, and to mean by it what we do.
func TestEvilValues(t *testing.T) {
	tame, seen := harmlessText(t), sync.Map{}
	for name := range tame.fields() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, value := range evil {
				h := harmlessText(t)
				*h.fields()[name] = value
				tree, _ := h.render(t)
				checkPlaces(t, tree)
				if err := tree.Verify(); err != nil {
					t.Errorf("%q: %v", value, err)
				}
				if again := harmlessText(t); t.Failed() {
					*again.fields()[name] = value
					t.Fatalf("with %q as %s", value, name)
				}
				if _, known := seen.LoadOrStore(tree.Digest, true); known {
					continue // most places take few of the values
				}
				if name == "chain" || name == "clientCA" || name == "version" {
					continue // Build lets none of these through; nginx knows no such files and directives
				}
				nginxTest(t, tree, "variables_hash_max_size 8192; variables_hash_bucket_size 256;") // as docs/nginx.md has it for long names
				if t.Failed() {
					t.Fatalf("with %q as %s", value, name)
				}
			}
		})
	}
}

// FuzzHostile does so with whatever the fuzzer thinks of, in several places at once.
func FuzzHostile(f *testing.F) {
	for i, value := range evil {
		f.Add(value, evil[(i+7)%len(evil)], evil[(i+13)%len(evil)], uint32(1<<(i%25))|uint32(1)<<((i*5)%25))
	}
	f.Fuzz(func(t *testing.T, a, b, c string, places uint32) {
		h := harmlessText(t)
		fields := h.fields()
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if places&(1<<i) != 0 {
				*fields[name] = []string{a, b, c}[i%3]
			}
		}
		tree, _ := h.render(t)
		checkPlaces(t, tree)
		if err := tree.Verify(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("with %+v", h)
		}
	})
}
