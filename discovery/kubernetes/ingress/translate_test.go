package ingress

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata expect")

// Each testdata/*.txtar is one idea: a reason, resources, the configuration, and what comes
// of them: the hosts of the snapshot, upstreams, certificates, statuses and problems.
func TestTranslate(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d cases, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := readCase(t, archive)
			got := c.run(t)
			for i := range 5 {
				c.shuffle(uint64(i))
				if diff := cmp.Diff(got, c.run(t)); diff != "" {
					t.Fatalf("the order of the resources changes the result:\n%s", diff)
				}
			}
			if *update {
				c.want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(c.want.Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

type translation struct {
	resources Resources
	config    Config
	want      *txtar.File
}

func readCase(t testing.TB, a *txtar.Archive) *translation {
	t.Helper()
	c := &translation{config: Config{Cluster: "default", Addresses: []string{"192.0.2.1"}}}
	for i := range a.Files {
		f := &a.Files[i]
		switch f.Name {
		case "resources.yaml":
			for doc := range strings.SplitSeq(string(f.Data), "---\n") {
				c.add(t, []byte(doc))
			}
		case "config.yaml":
			c.configure(t, f.Data)
		case "want":
			c.want = f
		default:
			t.Fatalf("unknown file %q", f.Name)
		}
	}
	if c.want == nil {
		t.Fatal("the case has no file want")
	}
	return c
}

// configure reads what differs from the usual configuration. Hosts are those that tenants
// claim.
func (c *translation) configure(t testing.TB, text []byte) {
	t.Helper()
	var in struct {
		Class          *string
		Cluster        *string
		Addresses      []string
		Tenants        []TenantRule
		IgnoreServices bool
		Hosts          map[string][]string
	}
	if err := yaml.UnmarshalStrict(text, &in); err != nil {
		t.Fatal(err)
	}
	if in.Class != nil {
		c.config.Class = *in.Class
	}
	if in.Cluster != nil {
		c.config.Cluster = *in.Cluster
	}
	if in.Addresses != nil {
		c.config.Addresses = in.Addresses
	}
	c.config.Tenants, c.config.IgnoreServices = in.Tenants, in.IgnoreServices
	for i, name := range slices.Sorted(maps.Keys(in.Hosts)) {
		c.config.Owners = append(c.config.Owners, &gateway.Tenant{
			Meta: gateway.Meta{Kind: gateway.KindTenant, Name: name, CreatedRevision: int64(i + 1)}, Spec: gateway.TenantSpec{Hosts: in.Hosts[name]}})
	}
}

// add reads one resource. An Ingress without a time is of 2026; a Secret gets a real pair
// for the names in stringData.names, "|" before a name of another pair's key.
func (c *translation) add(t testing.TB, doc []byte) {
	t.Helper()
	if len(bytes.TrimSpace(doc)) == 0 {
		return
	}
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &kind); err != nil {
		t.Fatal(err)
	}
	into := func(o metav1.Object) {
		if err := yaml.UnmarshalStrict(doc, o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if created := o.GetCreationTimestamp(); created.IsZero() {
			o.SetCreationTimestamp(metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		}
	}
	switch kind.Kind {
	case "IngressClass":
		o := &networkingv1.IngressClass{}
		into(o)
		c.resources.Classes = append(c.resources.Classes, o)
	case "Ingress":
		o := &networkingv1.Ingress{}
		into(o)
		c.resources.Ingresses = append(c.resources.Ingresses, o)
	case "Service":
		o := &corev1.Service{}
		into(o)
		c.resources.Services = append(c.resources.Services, o)
	case "Namespace":
		o := &corev1.Namespace{}
		into(o)
		c.resources.Namespaces = append(c.resources.Namespaces, o)
	case "Secret":
		o := &corev1.Secret{}
		into(o)
		if names, ok := o.StringData["names"]; ok {
			chain, key := pairFor(names)
			if other := o.StringData["keyOf"]; other != "" {
				_, key = pairFor(other)
			}
			o.Data = map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}
		}
		c.resources.Secrets = append(c.resources.Secrets, o)
	default:
		t.Fatalf("unknown kind %q", kind.Kind)
	}
}

func (c *translation) shuffle(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	shuffle(r, c.resources.Classes)
	shuffle(r, c.resources.Ingresses)
	shuffle(r, c.resources.Services)
	shuffle(r, c.resources.Secrets)
	shuffle(r, c.resources.Namespaces)
	shuffle(r, c.config.Owners)
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// run translates, builds a snapshot from it alone, and prints both.
func (c *translation) run(t *testing.T) string {
	t.Helper()
	result := Translate(c.resources, c.config)
	in := gateway.Inputs{Tenants: c.config.Owners, Now: time.Now()}
	for _, o := range result.Objects {
		switch o := o.(type) {
		case *gateway.Upstream:
			in.Upstreams = append(in.Upstreams, o)
		case *gateway.Route:
			in.Routes = append(in.Routes, o)
		case *gateway.Certificate:
			in.Certificates = append(in.Certificates, o)
		}
	}
	s := gateway.Build(in, 1)
	var b strings.Builder
	printHosts(&b, s)
	printUpstreams(&b, in.Upstreams)
	for _, c := range s.Certificates {
		fmt.Fprintf(&b, "certificate %s for %s\n", c.Key, strings.Join(c.Hosts, ", "))
	}
	for _, s := range result.Statuses {
		fmt.Fprintf(&b, "status of %s: %v\n", s.Subject, s.Addresses)
	}
	for _, p := range result.Problems {
		fmt.Fprintf(&b, "%s %s on %s, %s: %s\n", strings.ToLower(p.Type), p.Reason, p.Subject, p.Field, p.Message)
	}
	explained := result.Explain(s.Problems)
	for _, p := range explained {
		fmt.Fprintf(&b, "found by Build: %s on %s: %s\n", p.Reason, p.Subject, p.Message)
	}
	for _, p := range s.Problems {
		if len(result.origins[p.Object]) == 0 && p.Object.Kind != gateway.KindTenant {
			t.Errorf("nobody is told of %+v", p)
		}
	}
	return b.String()
}

func printHosts(b *strings.Builder, s *gateway.Snapshot) {
	for _, h := range s.Hosts {
		for _, r := range h.Rules {
			to := "503"
			if len(r.Route.Targets) > 0 {
				to = r.Route.Targets[0].Upstream.String()
			}
			var more string
			if r.Route.SingleLabel {
				more += " one label"
			}
			if r.Route.Timeout != 0 {
				more += " timeout " + r.Route.Timeout.String()
			}
			if r.Route.MaxBodySize != gateway.DefaultMaxBodySize {
				more += " body " + r.Route.MaxBodySize.String()
			}
			fmt.Fprintf(b, "%s %s -> %s%s\n", h.Name, r.Path, to, more)
		}
	}
}

func printUpstreams(b *strings.Builder, list []*gateway.Upstream) {
	for _, u := range list {
		d := u.Spec.Discover[0].Kubernetes
		fmt.Fprintf(b, "upstream %s is %s %s/%s:%s", u.Key(), d.Cluster, d.Namespace, d.Service, d.Port)
		if u.Spec.Protocol != "" {
			fmt.Fprintf(b, " by %s", u.Spec.Protocol)
		}
		if u.Spec.TLS != nil {
			fmt.Fprintf(b, " as %s", u.Spec.TLS.ServerName)
		}
		b.WriteByte('\n')
	}
}
