package controller

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// patience is how long a test waits for what has to happen; other work may slow it down.
const patience = 2 * time.Minute

// TestAgainstARealAPIServer starts one API server for all, with the rights of the manifest
// that people get: what is missing there fails here.
func TestAgainstARealAPIServer(t *testing.T) {
	cluster := kubetest.Start(t)
	cluster.CreateFile("../../../deploy/kubernetes/rbac.yaml")
	cluster.CreateFile("../../../deploy/kubernetes/ingressclass.yaml")
	account := cluster.Account("sluice", "sluice")
	for name, test := range map[string]func(*testing.T, *kubetest.Cluster, string, string){
		"objects come change and go":          objectsComeAndGo,
		"status is written when it has to be": statusIsWritten,
		"events tell once":                    eventsTellOnce,
		"secrets stay secret":                 secretsStaySecret,
	} {
		t.Run(name, func(t *testing.T) {
			namespace := strings.ReplaceAll(name, " ", "-")
			cluster.Create(fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {sluice.io/tenant: acme}}", namespace))
			test(t, cluster, account, namespace)
			cluster.Delete("/apis/networking.k8s.io/v1/namespaces/" + namespace + "/ingresses")
		})
	}
	t.Run("one writes", func(t *testing.T) { oneWrites(t, cluster, account) })
	t.Run("the lease", func(t *testing.T) { leaseChangesHands(t, account) })
	t.Run("events are renewed", func(t *testing.T) { eventsAreRenewed(t, cluster, account) })
	t.Run("an account without rights", func(t *testing.T) { accountWithoutRights(t, cluster) })
	t.Run("watches that fall silent", func(t *testing.T) { silentWatches(t, cluster, account) })
	t.Run("an event that was lost", func(t *testing.T) { lostEvent(t, cluster, account) })
	t.Run("restart of the server", func(t *testing.T) { restart(t, cluster, account) })
}

// followed is a running controller and the objects that came last.
type followed struct {
	*Controller
	t    *testing.T
	log  *lines
	stop func()

	mu      sync.Mutex
	sets    int
	objects map[gateway.Ref]gateway.Object
}

// lines is a log that may be read at any time.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// follow runs a controller, and builds what it hands over as the control loop does.
func follow(t *testing.T, kubeconfig string) *followed {
	t.Helper()
	return followWith(t, kubernetes.Config{Name: "test", Kubeconfig: kubeconfig})
}

func followWith(t *testing.T, cluster kubernetes.Config) *followed {
	t.Helper()
	f := &followed{t: t, log: &lines{}}
	tenant := &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Hosts: []string{"*.example.com"}}}
	build := func(objects []gateway.Object) *gateway.Snapshot {
		in := gateway.Inputs{Tenants: []*gateway.Tenant{tenant}, Now: time.Now()}
		for _, o := range objects {
			switch o := o.(type) {
			case *gateway.Upstream:
				in.Upstreams = append(in.Upstreams, o)
			case *gateway.Route:
				in.Routes = append(in.Routes, o)
			case *gateway.Certificate:
				in.Certificates = append(in.Certificates, o)
			}
		}
		return gateway.Build(in, 1)
	}
	snapshots := make(chan *gateway.Snapshot, 1)
	var err error
	f.Controller, err = New(Config{
		Cluster: cluster, Ingress: ingress.Config{Addresses: []string{"192.0.2.1", "lb.example.com"}},
		Node: "node", Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Set: func(cluster string, objects []gateway.Object) {
			if cluster != "test" {
				t.Errorf("objects of cluster %q", cluster)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sets++
			f.objects = map[gateway.Ref]gateway.Object{}
			for _, o := range objects {
				f.objects[o.Head().Ref()] = o
			}
			select {
			case <-snapshots:
			default:
			}
			snapshots <- build(objects)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(build(nil))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(ctx); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-snapshots:
				f.Apply(s)
			}
		}
	})
	f.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(f.stop)
	return f
}

// names lists the objects of a namespace that there are now.
func (f *followed) names(namespace string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range slices.SortedFunc(maps.Keys(f.objects), gateway.Ref.Compare) {
		if m := f.objects[r].Head(); m.Labels["sluice.io/namespace"] == namespace {
			name := strings.TrimPrefix(r.Name, "test."+namespace+".")
			if r.Kind == gateway.KindRoute {
				name = m.Labels["sluice.io/ingress"]
			}
			out = append(out, string(r.Kind)+" "+name)
		}
	}
	return strings.Join(out, ", ")
}

func until(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (f *followed) expect(namespace, want string) {
	f.t.Helper()
	until(f.t, "objects of "+namespace, func() error {
		if got := f.names(namespace); got != want {
			return fmt.Errorf("%q, want %q; problems %v", got, want, f.Problems())
		}
		return nil
	})
}

func ingressYAML(namespace, name, path, service string) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: %s, name: %s}
spec:
  ingressClassName: sluice
  rules:
  - host: %[1]s.example.com
    http: {paths: [{path: %[3]s, pathType: Prefix, backend: {service: {name: %[4]s, port: {number: 80}}}}]}`, namespace, name, path, service)
}

func serviceYAML(namespace, name string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {namespace: %s, name: %s}\nspec: {ports: [{port: 80}]}", namespace, name)
}

func ingressPath(namespace, name string) string {
	return "/apis/networking.k8s.io/v1/namespaces/" + namespace + "/ingresses/" + name
}

func objectsComeAndGo(t *testing.T, c *kubetest.Cluster, account, ns string) {
	f := follow(t, account)
	until(t, "synced", func() error {
		if !f.Synced() {
			return fmt.Errorf("not synced: %v\n%s", f.Problems(), f.log)
		}
		return nil
	})
	c.Create(serviceYAML(ns, "api"))
	c.Create(ingressYAML(ns, "web", "/", "api"))
	f.expect(ns, "Route web, Upstream api.80")
	c.Create(ingressYAML(ns, "more", "/more", "api"))
	f.expect(ns, "Route more, Route web, Upstream api.80")
	c.Delete(ingressPath(ns, "web"))
	f.expect(ns, "Route more, Upstream api.80")
	c.Patch(ingressPath(ns, "more"), "spec: {ingressClassName: other}")
	f.expect(ns, "")
	c.Patch(ingressPath(ns, "more"), "spec: {ingressClassName: sluice}")
	c.Patch("/api/v1/namespaces/"+ns, `metadata: {labels: {"sluice.io/tenant": null}}`)
	f.expect(ns, "")
	until(t, "the problem", func() error {
		for _, p := range f.Problems() {
			if p.Code == "tenant_unknown" && p.Object.Name == "test/"+ns+"/more" {
				return nil
			}
		}
		return fmt.Errorf("problems %+v", f.Problems())
	})
	c.Patch("/api/v1/namespaces/"+ns, `metadata: {labels: {"sluice.io/tenant": acme}}`)
	f.expect(ns, "Route more, Upstream api.80")
}

// shown are the addresses that an Ingress has in the API, and its resource version.
func shown(t *testing.T, c *kubetest.Cluster, ns, name string) (addresses, version string) {
	t.Helper()
	var i networkingv1.Ingress
	if err := c.Get(ingressPath(ns, name), &i); err != nil {
		t.Fatal(err)
	}
	return strings.Join(addressesOf(&i), " "), i.ResourceVersion
}

func expectShown(t *testing.T, c *kubetest.Cluster, ns, name, want string) {
	t.Helper()
	until(t, "addresses of "+name, func() error {
		if got, _ := shown(t, c, ns, name); got != want {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

func statusIsWritten(t *testing.T, c *kubetest.Cluster, account, ns string) {
	const addresses = "192.0.2.1 lb.example.com"
	f := follow(t, account)
	c.Create(serviceYAML(ns, "api"))
	c.Create(ingressYAML(ns, "web", "/", "api"))
	expectShown(t, c, ns, "web", addresses)
	_, version := shown(t, c, ns, "web")
	c.Create(ingressYAML(ns, "more", "/more", "api"))
	expectShown(t, c, ns, "more", addresses)
	if _, now := shown(t, c, ns, "web"); now != version {
		t.Errorf("the status of an Ingress that has its addresses was written again: version %s after %s", now, version)
	}
	c.Patch(ingressPath(ns, "web")+"/status", "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}")
	expectShown(t, c, ns, "web", addresses) // somebody else's are replaced
	c.Patch(ingressPath(ns, "more"), "spec: {ingressClassName: other}")
	expectShown(t, c, ns, "more", "") // ours are taken back
	c.Create(strings.Replace(ingressYAML(ns, "foreign", "/", "api"), "ingressClassName: sluice", "ingressClassName: other", 1))
	c.Patch(ingressPath(ns, "foreign")+"/status", "status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}")
	c.Delete(ingressPath(ns, "web"))
	c.Create(ingressYAML(ns, "web", "/", "api"))
	expectShown(t, c, ns, "web", addresses)
	expectShown(t, c, ns, "foreign", "203.0.113.9")
	if p := f.Problems(); len(p) > 0 {
		t.Errorf("problems %+v", p)
	}
}

// events are those about an Ingress, sorted, and how many there are of each.
func events(t *testing.T, c *kubetest.Cluster, ns, name string) map[string]int {
	t.Helper()
	var list eventsv1.EventList
	if err := c.Get("/apis/events.k8s.io/v1/namespaces/"+ns+"/events", &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, e := range list.Items {
		if e.Regarding.Kind == "Ingress" && e.Regarding.Name == name && e.ReportingController == ingress.Controller {
			out[e.Type+" "+e.Reason+" "+e.Note]++
		}
	}
	return out
}

func expectEvents(t *testing.T, c *kubetest.Cluster, ns, name string, want map[string]int) {
	t.Helper()
	until(t, "events of "+name, func() error {
		got := events(t, c, ns, name)
		for begin, n := range want {
			found := 0
			for text, k := range got {
				if strings.HasPrefix(text, begin) {
					found += k
				}
			}
			if found != n {
				return fmt.Errorf("%v, want %d of %q", got, n, begin)
			}
		}
		return nil
	})
}

func eventsTellOnce(t *testing.T, c *kubetest.Cluster, account, ns string) {
	f := follow(t, account)
	c.Create(strings.Replace(ingressYAML(ns, "web", "/", "api"), "rules:", "tls: [{hosts: [a.example.com], secretName: cert}]\n  rules:\n  - host: foreign.org\n    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}", 1))
	missing := `Warning ServiceMissing spec.rules[0].http.paths[0].backend.service: There is no Service "api"`
	want := map[string]int{missing: 1, `Warning SecretMissing spec.tls[0]: There is no Secret "cert"`: 1, `Warning HostNotOwned Host "foreign.org"`: 1}
	expectEvents(t, c, ns, "web", want)
	until(t, "told", func() error { // it holds no more than this
		if n := len(events(t, c, ns, "web")); n != 3 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})

	c.Create(serviceYAML(ns, "api")) // settled
	f.expect(ns, "Route web, Route web, Upstream api.80")
	c.Create(ingressYAML(ns, "probe", "/probe", "gone"))
	expectEvents(t, c, ns, "probe", map[string]int{"Warning ServiceMissing": 1}) // the writer has been there
	expectEvents(t, c, ns, "web", want)

	c.Delete("/api/v1/namespaces/" + ns + "/services/api") // wrong again
	want[missing] = 2
	expectEvents(t, c, ns, "web", want)

	f.stop() // another process finds that everything was told
	g := follow(t, account)
	c.Create(ingressYAML(ns, "probe2", "/probe2", "gone"))
	expectEvents(t, c, ns, "probe2", map[string]int{"Warning ServiceMissing": 1})
	expectEvents(t, c, ns, "web", want)
	g.stop()
}

// Neither log nor problems nor events ever hold what is in a Secret.
func secretsStaySecret(t *testing.T, c *kubetest.Cluster, account, ns string) {
	f := follow(t, account)
	const private = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	c.Create(serviceYAML(ns, "api"))
	c.Create(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: cert}\ntype: kubernetes.io/tls\nstringData: {tls.crt: not a certificate, tls.key: %q}",
		ns, "-----BEGIN PRIVATE KEY-----\n"+private+"\n-----END PRIVATE KEY-----"))
	c.Create(strings.Replace(ingressYAML(ns, "web", "/", "api"), "rules:", "tls: [{hosts: ["+ns+".example.com], secretName: cert}]\n  rules:", 1))
	f.expect(ns, "Certificate cert, Route web, Upstream api.80")
	expectEvents(t, c, ns, "web", map[string]int{"Warning CertificateInvalid": 1})
	f.stop()
	f.mu.Lock()
	shownObjects := fmt.Sprintf("%+v", f.objects)
	for _, o := range f.objects {
		shownObjects += fmt.Sprintf("%+v", o)
	}
	f.mu.Unlock()
	for what, text := range map[string]string{"log": f.log.String(), "problems": fmt.Sprint(f.Problems()), "events": fmt.Sprint(events(t, c, ns, "web")), "objects": shownObjects} {
		if text == "" || strings.Contains(text, private) {
			t.Errorf("%s: %s", what, text)
		}
	}
}

// Of two controllers one writes; when it stops, the other goes on.
func oneWrites(t *testing.T, c *kubetest.Cluster, account string) {
	c.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: one, labels: {sluice.io/tenant: acme}}")
	c.Create(serviceYAML("one", "api"))
	first := follow(t, account)
	c.Create(ingressYAML("one", "a", "/a", "api"))
	expectShown(t, c, "one", "a", "192.0.2.1 lb.example.com")
	second := follow(t, account)
	until(t, "second", func() error {
		if !second.Synced() {
			return fmt.Errorf("not synced")
		}
		return nil
	})
	c.Create(ingressYAML("one", "b", "/b", "gone"))
	expectEvents(t, c, "one", "b", map[string]int{"Warning ServiceMissing": 1})
	var lease struct {
		Spec struct {
			HolderIdentity   string
			LeaseTransitions int
		}
	}
	const path = "/apis/coordination.k8s.io/v1/namespaces/sluice/leases/sluice-ingress"
	if err := c.Get(path, &lease); err != nil || lease.Spec.HolderIdentity != first.writer.lease.holder {
		t.Errorf("the Lease is held by %+v, %v; want %s", lease, err, first.writer.lease.holder)
	}
	first.stop()
	c.Create(ingressYAML("one", "d", "/d", "api"))
	expectShown(t, c, "one", "d", "192.0.2.1 lb.example.com")
	if err := c.Get(path, &lease); err != nil || lease.Spec.HolderIdentity != second.writer.lease.holder {
		t.Errorf("the Lease is held by %+v, %v; want %s", lease, err, second.writer.lease.holder)
	}
	expectEvents(t, c, "one", "b", map[string]int{"Warning ServiceMissing": 1}) // told by the first
	c.Delete("/apis/networking.k8s.io/v1/namespaces/one/ingresses")
}

// An account that may do nothing makes a problem that says so, and nothing is handed over.
func accountWithoutRights(t *testing.T, c *kubetest.Cluster) {
	c.Create("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: sluice, name: nobody}")
	f := follow(t, c.Account("sluice", "nobody"))
	until(t, "problem", func() error {
		p := f.Problems()
		if len(p) == 5 && p[0].Code == "cluster_lost" && strings.Contains(p[0].Message, "forbidden") {
			return nil
		}
		return fmt.Errorf("problems %+v", p)
	})
	if s := f.Status(); s.Up || s.Pending != 1 || !s.StaleSince.IsZero() || !s.LastEvent.IsZero() || !strings.Contains(s.Error, "forbidden") {
		t.Errorf("status %+v", s)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Synced() || f.sets != 0 {
		t.Errorf("%d sets of objects without having seen one", f.sets)
	}
}

// While the API server is away everything stays; afterwards it goes on.
func restart(t *testing.T, c *kubetest.Cluster, account string) {
	c.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: again, labels: {sluice.io/tenant: acme}}")
	c.Create(serviceYAML("again", "api"))
	c.Create(ingressYAML("again", "a", "/a", "api"))
	f := follow(t, account)
	f.expect("again", "Route a, Upstream api.80")
	if s := f.Status(); !s.Up || s.Name != "kubernetes/test/ingress" || s.LastEvent.IsZero() || !s.StaleSince.IsZero() || s.Pending != 0 {
		t.Errorf("status %+v", s)
	}
	before := time.Now()
	c.StopAPI()
	until(t, "lost", func() error {
		for _, p := range f.Problems() {
			if p.Code == "cluster_lost" {
				return nil
			}
		}
		return fmt.Errorf("no problem")
	})
	f.expect("again", "Route a, Upstream api.80")
	if s := f.Status(); s.Up || s.Error == "" || s.StaleSince.Before(before) {
		t.Errorf("status while it is lost: %+v", s)
	}
	c.StartAPI()
	c.Create(ingressYAML("again", "b", "/b", "api"))
	f.expect("again", "Route a, Route b, Upstream api.80")
	expectShown(t, c, "again", "b", "192.0.2.1 lb.example.com")
	until(t, "no problem", func() error {
		if p := f.Problems(); len(p) > 0 {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
}
