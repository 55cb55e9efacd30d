package names

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// site is a snapshot of tenants ("NAME HOST...") and of upstreams ("TENANT/NAME REVISION
// CLUSTER/NAMESPACE/SERVICE...").
func site(t testing.TB, tenants, upstreams []string, routes ...*gateway.Route) *gateway.Snapshot {
	t.Helper()
	in := gateway.Inputs{Routes: routes}
	for i, line := range tenants {
		words := strings.Fields(line)
		in.Tenants = append(in.Tenants, &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: words[0], CreatedRevision: int64(i)}, Spec: gateway.TenantSpec{Hosts: words[1:]}})
	}
	for _, line := range upstreams {
		words := strings.Fields(line)
		u := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream}}
		u.Tenant, u.Name, _ = strings.Cut(words[0], "/")
		if _, err := fmt.Sscan(words[1], &u.CreatedRevision); err != nil {
			t.Fatal(err)
		}
		for _, place := range words[2:] {
			p := strings.Split(place, "/")
			u.Spec.Discover = append(u.Spec.Discover, gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Cluster: p[0], Namespace: p[1], Service: p[2]}})
		}
		in.Upstreams = append(in.Upstreams, u)
	}
	return gateway.Build(in, 1)
}

// told reads an assignment as "HOST=CLUSTER/NAMESPACE/SERVICE", "HOST->TENANT/UPSTREAM" and
// "PROBLEM TENANT/UPSTREAM".
func told(a Assignment) []string {
	var out []string
	for host, s := range a.Services {
		out = append(out, fmt.Sprintf("%s=%s/%s/%s", host, s.Cluster, s.Namespace, s.Service))
	}
	for _, r := range a.Routes {
		out = append(out, fmt.Sprintf("%s->%s/%s", r.Spec.Hosts[0], r.Tenant, r.Spec.To[0].Upstream))
	}
	for _, p := range a.Problems {
		out = append(out, fmt.Sprintf("%s %s/%s", p.Code, p.Object.Tenant, p.Object.Name))
	}
	slices.Sort(out)
	return out
}

func TestAssign(t *testing.T) {
	const host = "api.shop.svc.test"
	acme := []string{"acme *.svc.test"}
	for _, c := range []struct {
		name      string
		rule      string // default {{service}}.{{namespace}}.svc.test
		tenants   []string
		upstreams []string
		want      []string
	}{
		{name: "nothing is followed", tenants: acme, upstreams: []string{"acme/hand 1"}},
		{name: "a service", tenants: acme, upstreams: []string{"acme/u 1 east/shop/api"}, want: []string{host + "->acme/u", host + "=east/shop/api"}},
		{name: "the default cluster", rule: "{{cluster}}.{{service}}.{{namespace}}.svc.test", tenants: acme, upstreams: []string{"acme/u 1 /shop/api"},
			want: []string{"default." + host + "->acme/u", "default." + host + "=default/shop/api"}},
		{name: "an upstream of two services", tenants: acme, upstreams: []string{"acme/u 1 east/shop/api east/shop/web"},
			want: []string{host + "->acme/u", host + "=east/shop/api", "web.shop.svc.test->acme/u", "web.shop.svc.test=east/shop/web"}},
		{name: "two upstreams of a service: the older one", tenants: acme, upstreams: []string{"acme/a 7 east/shop/api", "acme/b 3 east/shop/api"},
			want: []string{host + "->acme/b", host + "=east/shop/api"}},
		{name: "one service in two clusters, in one upstream", tenants: acme, upstreams: []string{"acme/u 1 east/shop/api west/shop/api"},
			want: []string{host + "->acme/u", host + "=east/shop/api"}},
		{name: "two services of one name: the older upstream", tenants: acme, upstreams: []string{"acme/a 7 east/shop/api", "acme/b 3 west/shop/api"},
			want: []string{host + "->acme/b", host + "=west/shop/api", "name_taken acme/a"}},
		{name: "two services of one name and one age", tenants: acme, upstreams: []string{"acme/a 3 west/shop/api", "acme/b 3 east/shop/api"},
			want: []string{host + "->acme/b", host + "=east/shop/api", "name_taken acme/a"}},
		{name: "the owner of the host goes before an older one", tenants: []string{"zeta *.svc.test", "acme x.test"}, upstreams: []string{"acme/a 1 east/shop/api", "zeta/z 9 east/shop/api"},
			want: []string{host + "->zeta/z", host + "=east/shop/api"}},
		{name: "the owner of the host goes before an older one of another service", tenants: []string{"zeta *.svc.test", "acme x.test"}, upstreams: []string{"acme/a 1 east/shop/api", "zeta/z 9 west/shop/api"},
			want: []string{host + "->zeta/z", host + "=west/shop/api", "name_taken acme/a"}},
		{name: "nobody's host", tenants: []string{"acme x.test"}, upstreams: []string{"acme/u 1 east/shop/api"}, want: []string{host + "=east/shop/api", "name_not_owned acme/u"}},
		{name: "somebody else's host", tenants: []string{"acme *.svc.test", "shop *.shop.svc.test"}, upstreams: []string{"acme/u 1 east/shop/api"},
			want: []string{host + "=east/shop/api", "name_not_owned acme/u"}},
		{name: "a tenant in the rule", rule: "{{service}}.{{namespace}}.{{tenant}}.test", tenants: []string{"acme *.acme.test", "shop *.shop.test"},
			upstreams: []string{"acme/u 1 east/shop/api", "shop/u 2 east/shop/api"},
			want:      []string{"api.shop.acme.test->acme/u", "api.shop.acme.test=east/shop/api", "api.shop.shop.test->shop/u", "api.shop.shop.test=east/shop/api"}},
		{name: "a name that is too long", rule: "{{service}}-{{namespace}}.svc.test", tenants: acme, upstreams: []string{"acme/u 1 east/shop/" + strings.Repeat("x", 60)}, want: []string{"name_invalid acme/u"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pattern := c.rule
			if pattern == "" {
				pattern = "{{service}}.{{namespace}}.svc.test"
			}
			a := Assign(rule(t, pattern), site(t, c.tenants, c.upstreams))
			if diff := cmp.Diff(c.want, told(a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The sentences say who has what, and who can do what about it.
func TestProblemsOfNames(t *testing.T) {
	a := Assign(rule(t, "{{service}}.{{namespace}}.svc.test"), site(t, []string{"acme *.svc.test", "shop *.web.svc.test"},
		[]string{"acme/a 7 east/shop/api", "acme/b 3 west/shop/api", "acme/c 1 east/web/x"}))
	var got []string
	for _, p := range a.Problems {
		got = append(got, p.Message)
	}
	want := []string{
		"Service shop/api of cluster east gets no name: api.shop.svc.test is that of service shop/api of cluster west. Put {{cluster}} or {{tenant}} into names.rule.",
		`Requests for the name x.web.svc.test of service web/x do not get there: the host is that of tenant "shop". An administrator adds it to spec.hosts of tenant "acme", or a wildcard that covers it.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Routes are handed over with the first snapshot, and again when services or owners change.
func TestRouter(t *testing.T) {
	var handed [][]string
	r := NewRouter(rule(t, "{{service}}.{{namespace}}.svc.test"), func(objects []gateway.Object) {
		hosts := []string{}
		for _, o := range objects {
			hosts = append(hosts, o.Head().Name)
		}
		handed = append(handed, hosts)
	})
	if r.Applied() {
		t.Error("applied before the first snapshot")
	}
	acme, upstreams := []string{"acme *.svc.test"}, []string{"acme/u 1 east/shop/api"}
	r.Apply(site(t, acme, nil))
	first := site(t, acme, upstreams)
	r.Apply(first)
	r.Apply(first)
	moved := *first
	moved.Generation++
	r.Apply(&moved)
	r.Apply(site(t, []string{"acme x.test"}, upstreams))
	r.Apply(site(t, acme, upstreams))
	r.Apply(site(t, acme, nil))
	host := []string{"api.shop.svc.test"}
	if diff := cmp.Diff([][]string{{}, host, {}, host, {}}, handed); diff != "" || !r.Applied() {
		t.Error(diff)
	}
}
