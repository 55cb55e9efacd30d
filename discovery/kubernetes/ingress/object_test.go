package ingress

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/gateway"
)

const shop = `
-- config.yaml --
hosts: {acme: [shop.example.com]}
-- resources.yaml --
kind: IngressClass
metadata: {name: sluice}
spec: {controller: sluice.io/ingress-controller}
---
kind: Namespace
metadata: {name: shop, labels: {sluice.io/tenant: acme}}
---
kind: Service
metadata: {namespace: shop, name: web}
spec: {ports: [{name: http, port: 80}]}
---
kind: Secret
metadata: {namespace: shop, name: cert}
type: kubernetes.io/tls
stringData: {names: shop.example.com}
---
kind: Ingress
metadata: {namespace: shop, name: web}
spec:
  ingressClassName: sluice
  tls: [{hosts: [shop.example.com], secretName: cert}]
  rules:
  - host: shop.example.com
    http:
      paths:
      - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
-- want --
`

// What the objects look like as a whole. A private key never shows.
func TestObjects(t *testing.T) {
	c := readCase(t, txtar.Parse([]byte(shop)))
	var got []string
	for _, o := range Translate(c.resources, c.config).Objects {
		if c, ok := o.(*gateway.Certificate); ok {
			c.Spec.Certificate = "PEM"
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = yaml.JSONToYAML(text); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	want := `createdBy: kubernetes/default
derivedFrom:
  cluster: default
  kind: Secret
  name: cert
  namespace: shop
  source: kubernetes/default
kind: Certificate
labels:
  sluice.io/cluster: default
  sluice.io/namespace: shop
  sluice.io/secret: cert
name: default.shop.cert
spec:
  certificate: PEM
  hosts:
  - shop.example.com
  key: (secret)
tenant: acme
updatedBy: kubernetes/default
---
createdBy: kubernetes/default
derivedFrom:
  cluster: default
  kind: Ingress
  name: web
  namespace: shop
  source: kubernetes/default
kind: Route
labels:
  sluice.io/cluster: default
  sluice.io/ingress: web
  sluice.io/namespace: shop
name: default.shop.web.4dd9c2f80c
spec:
  hosts:
  - shop.example.com
  match:
  - path:
      prefix: /a
  to:
  - upstream: default.shop.web.80
tenant: acme
updatedBy: kubernetes/default
---
createdBy: kubernetes/default
derivedFrom:
  cluster: default
  kind: Ingress
  name: web
  namespace: shop
  source: kubernetes/default
kind: Route
labels:
  sluice.io/cluster: default
  sluice.io/ingress: web
  sluice.io/namespace: shop
name: default.shop.web.aa75d63c19
spec:
  filters:
  - respond:
      status: 503
  hosts:
  - shop.example.com
  match:
  - path:
      prefix: /gone
tenant: acme
updatedBy: kubernetes/default
---
createdBy: kubernetes/default
derivedFrom:
  cluster: default
  kind: Service
  name: web
  namespace: shop
  source: kubernetes/default
kind: Upstream
labels:
  sluice.io/cluster: default
  sluice.io/namespace: shop
  sluice.io/service: web
name: default.shop.web.80
spec:
  discover:
  - kubernetes:
      cluster: default
      namespace: shop
      port: http
      service: web
tenant: acme
updatedBy: kubernetes/default
`
	if diff := cmp.Diff(want, strings.Join(got, "---\n")); diff != "" {
		t.Error(diff)
	}
}

// A problem carries the tenant that has to settle it; nobody's namespace has none.
func TestProblemsHaveTheirTenant(t *testing.T) {
	c := readCase(t, txtar.Parse([]byte(shop)))
	nobodys := c.resources.Ingresses[0].DeepCopy()
	nobodys.Namespace = "nobodys"
	c.resources.Ingresses = append(c.resources.Ingresses, nobodys)
	got := map[string]string{}
	for _, p := range Translate(c.resources, c.config).Problems {
		got[p.Reason+" "+p.Namespace] = p.Tenant
	}
	if diff := cmp.Diff(map[string]string{ReasonServiceMissing + " shop": "acme", ReasonTenantUnknown + " nobodys": ""}, got); diff != "" {
		t.Error(diff)
	}
}

// A rule that is added, and a Service that appears, leave the names of everything else.
func TestNamesStay(t *testing.T) {
	c := readCase(t, txtar.Parse([]byte(shop)))
	before := refs(Translate(c.resources, c.config))
	i := c.resources.Ingresses[0]
	more := i.Spec.Rules[0].DeepCopy()
	more.Host = "b.example.com"
	i.Spec.Rules = slices.Insert(i.Spec.Rules, 0, *more)
	after := refs(Translate(c.resources, c.config))
	for _, r := range before {
		if !slices.Contains(after, r) {
			t.Errorf("%s is gone after a rule was added", r)
		}
	}
	c.resources.Services = append(c.resources.Services, c.resources.Services[0].DeepCopy())
	c.resources.Services[1].Name, c.resources.Services[1].Spec.Ports[0].Name = "gone", ""
	with := refs(Translate(c.resources, c.config))
	for _, r := range after {
		if !slices.Contains(with, r) {
			t.Errorf("%s is gone after a Service appeared", r)
		}
	}
	if len(after) != len(before)+2 {
		t.Errorf("%d objects before, %d after a rule with two paths was added", len(before), len(after))
	}
}

func refs(r Result) []gateway.Ref {
	var out []gateway.Ref
	for _, o := range r.Objects {
		out = append(out, o.Head().Ref())
	}
	return out
}

// Resources are shared with the cache of the watch, so nothing of them may be changed, and
// equal ones make equal objects.
func TestResourcesStay(t *testing.T) {
	c := readCase(t, txtar.Parse([]byte(shop)))
	kept := Resources{}
	for _, i := range c.resources.Ingresses {
		kept.Ingresses = append(kept.Ingresses, i.DeepCopy())
	}
	for _, s := range c.resources.Secrets {
		kept.Secrets = append(kept.Secrets, s.DeepCopy())
	}
	first, second := Translate(c.resources, c.config), Translate(c.resources, c.config)
	if diff := cmp.Diff(first.Objects, second.Objects); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]*networkingv1.Ingress{kept.Ingresses}, [][]*networkingv1.Ingress{c.resources.Ingresses}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]*corev1.Secret{kept.Secrets}, [][]*corev1.Secret{c.resources.Secrets}); diff != "" {
		t.Error(diff)
	}
}

func TestTenantRuleCheck(t *testing.T) {
	for want, r := range map[string]TenantRule{
		"":                            {Namespace: "team-*", Selector: "tier in (a, b)", Tenant: "t"},
		`namespace: "[a" is not a pa`: {Namespace: "[a", Tenant: "t"},
		"selector: ":                  {Selector: "=a=", Tenant: "t"},
		"tenant: name the tenant":     {},
	} {
		err := r.Check()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}
