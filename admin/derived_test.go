package admin_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// made are objects as package control has them, of tenant acme, and one of another tenant.
func made() []gateway.Object {
	meta := func(kind gateway.Kind, tenant, name, resource string) gateway.Meta {
		return gateway.Meta{Kind: kind, Tenant: tenant, Name: name, CreatedRevision: math.MaxInt64, CreatedBy: "kubernetes/east", UpdatedBy: "kubernetes/east",
			DerivedFrom: &gateway.DerivedFrom{Source: "kubernetes/east", Cluster: "east", Namespace: "shop", Kind: resource, Name: "web"}}
	}
	long := "east.shop.web." + strings.Repeat("x", 100)
	return []gateway.Object{
		&gateway.Upstream{Meta: meta(gateway.KindUpstream, "acme", long, "Service"),
			Spec: gateway.UpstreamSpec{Discover: []gateway.Discover{{Kubernetes: &gateway.KubernetesDiscover{Cluster: "east", Namespace: "shop", Service: "web"}}}}},
		&gateway.Route{Meta: meta(gateway.KindRoute, "acme", "east.shop.web.1", "Ingress"),
			Spec: gateway.RouteSpec{Hosts: []string{"shop.example.com"}, Match: []gateway.Match{{Path: gateway.PathMatch{Prefix: "/web"}}}, To: []gateway.RouteTarget{{Upstream: long}}}},
		&gateway.Certificate{Meta: meta(gateway.KindCertificate, "acme", "east.shop.cert", "Secret"), Spec: gateway.CertificateSpec{Certificate: "PEM", Key: "the key"}},
		&gateway.Route{Meta: meta(gateway.KindRoute, "other", "east.shop.web.2", "Ingress"), Spec: gateway.RouteSpec{Hosts: []string{"other.example.com"}}},
	}
}

// Derived objects are in every list beside those that were written, with where they are from;
// each tenant's list has its own only.
func TestDerivedObjectsAreListed(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.control.derived = made()
	w.control.rebuild(t)
	for path, want := range map[string]string{
		"/objects":                         "Tenant acme, Certificate acme/east.shop.cert*, Upstream acme/api, Upstream acme/LONG*, Route acme/cart, Route acme/east.shop.web.1*, Route acme/shop, Route other/east.shop.web.2*",
		"/objects?kind=Route&tenant=other": "Route other/east.shop.web.2*",
		"/tenants/acme/routes":             "Route acme/cart, Route acme/east.shop.web.1*, Route acme/shop",
		"/tenants/acme/upstreams":          "Upstream acme/api, Upstream acme/LONG*",
		"/tenants/other/routes":            "Route other/east.shop.web.2*",
		"/tenants/acme/certificates":       "Certificate acme/east.shop.cert*",
	} {
		rec := w.do("GET", "/api/v1"+path, "")
		var list struct{ Items []gateway.Meta }
		if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || rec.Code != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, rec.Code, err, rec.Body)
		}
		var got []string
		for _, m := range list.Items {
			text := strings.ReplaceAll(m.Ref().String(), made()[0].Head().Name, "LONG")
			if m.DerivedFrom != nil {
				text += "*"
				if m.DerivedFrom.Cluster != "east" || m.DerivedFrom.Name != "web" || m.CreatedRevision != 0 || m.Revision != 0 {
					t.Errorf("%s: %+v", path, m)
				}
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", path, strings.Join(got, ", "), want)
		}
		if strings.Contains(rec.Body.String(), "the key") {
			t.Errorf("%s shows a private key: %s", path, rec.Body)
		}
	}
	if made := w.control.derived[0].Head(); made.CreatedRevision != math.MaxInt64 {
		t.Error("the object that control owns was changed")
	}
}

// They can be read by name, and what is served says where it is from.
func TestDerivedObjectsAreRead(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.control.derived = made()
	w.control.rebuild(t)
	long := made()[0].Head().Name
	for path, want := range map[string]string{
		"/tenants/acme/upstreams/" + long:                `"derivedFrom":{"source":"kubernetes/east","cluster":"east","namespace":"shop","kind":"Service","name":"web"}`,
		"/tenants/acme/upstreams/" + long + "/endpoints": `"derivedFrom":{"source":"kubernetes/east","cluster":"east","namespace":"shop","kind":"Service","name":"web"}`,
		"/upstreams":                           `"derivedFrom":{"source":"kubernetes/east"`,
		"/certificates":                        `"derivedFrom":{"source":"kubernetes/east","cluster":"east","namespace":"shop","kind":"Secret","name":"web"}`,
		"/tenants/acme/routes/east.shop.web.1": `"kind":"Ingress"`,
	} {
		if rec := w.do("GET", "/api/v1"+path, ""); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if rec := w.do("GET", "/api/v1/tenants/acme/upstreams/api/endpoints", ""); strings.Contains(rec.Body.String(), "derivedFrom") {
		t.Errorf("a written upstream is derived: %s", rec.Body)
	}
}

// Every write of such a name is refused with where to change it. An object that was written
// before counts, and can be changed and deleted.
func TestDerivedObjectsAreNotWritten(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.must("PUT", "/api/v1/tenants/acme/routes/east.shop.web.3", `{"kind":"Route","tenant":"acme","name":"east.shop.web.3","spec":{"hosts":["shop.example.com"],"to":[{"upstream":"api"}]}}`)
	w.control.derived = made()
	w.control.rebuild(t)
	route := `{"kind":"Route","tenant":"acme","name":"east.shop.web.1","spec":{"hosts":["shop.example.com"],"to":[{"upstream":"api"}]}}`
	long := made()[0].Head().Name
	for _, c := range []struct{ method, path, body, from string }{
		{"PUT", "/tenants/acme/routes/east.shop.web.1", route, "Ingress shop/web of cluster east"},
		{"PUT", "/tenants/acme/routes/east.shop.web.1?dryRun=true", route, "Ingress shop/web of cluster east"},
		{"DELETE", "/tenants/acme/routes/east.shop.web.1", "", "Override can change"},
		{"POST", "/apply", `{"objects":[` + route + `]}`, "Ingress shop/web of cluster east"},
		{"POST", "/tenants/acme/upstreams/" + long + "/endpoints", `{"address":"10.0.0.9:80"}`, "Service shop/web of cluster east"},
		{"PUT", "/tenants/acme/upstreams/" + long + "/endpoints", `{"endpoints":[]}`, "change it there"},
		{"DELETE", "/tenants/acme/upstreams/" + long + "/endpoints/10.0.0.9:80", "", "change it there"},
	} {
		rec := w.do(c.method, "/api/v1"+c.path, c.body)
		if rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), c.from) || !strings.Contains(rec.Body.String(), `"code":"conflict"`) {
			t.Errorf("%s %s: %d %s", c.method, c.path, rec.Code, rec.Body)
		}
	}
	w.control.derived = append(w.control.derived, &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "acme", Name: "east.shop.web.3",
		DerivedFrom: &gateway.DerivedFrom{Source: "kubernetes/east"}}})
	rec := w.do("GET", "/api/v1/tenants/acme/routes/east.shop.web.3", "")
	if rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), "derivedFrom") {
		t.Errorf("the written one does not count: %d %s", rec.Code, rec.Body)
	}
	w.must("PUT", "/api/v1/tenants/acme/routes/east.shop.web.3", strings.ReplaceAll(route, "web.1", "web.3"))
	w.must("DELETE", "/api/v1/tenants/acme/routes/east.shop.web.3", "")
}

func TestListNames(t *testing.T) {
	w := newWorld(t, nil)
	all := w.do("GET", "/api/v1/names", "").Body.String()
	mine := w.do("GET", "/api/v1/names?tenant=acme", "").Body.String()
	if !strings.Contains(all, `"host":"x.y.example.com"`) || !strings.Contains(all, `"error":"refused"`) || !strings.Contains(all, `"rule":"{{service}}`) {
		t.Errorf("all: %s", all)
	}
	if strings.Contains(mine, "x.y.example.com") || !strings.Contains(mine, "api.shop.example.com") {
		t.Errorf("of acme: %s", mine)
	}
}
