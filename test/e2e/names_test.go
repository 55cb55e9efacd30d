package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/knottest"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// naming is two processes on one store, with a real kube-apiserver and a real name server.
type naming struct {
	t     *testing.T
	kube  *kubetest.Cluster
	zone  *knottest.Server
	nodes []*instance
	begin uint32 // the zone's serial
}

func startNaming(t *testing.T) *naming {
	t.Helper()
	n := &naming{t: t, kube: kubetest.Start(t)}
	n.kube.CreateNamespace("shop")
	n.kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	n.zone = knottest.Start(t, map[string]string{"example.test.": "$TTL 60\n@ SOA ns a 1 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n"})
	n.begin = n.zone.Serial(t, "example.test.")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(knottest.Key.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`store: {etcd: {endpoints: [%q]}}
kubernetes: [{name: default, kubeconfig: %q}]
names:
  rule: "{{service}}.{{namespace}}.svc.example.test"
  addresses: [192.0.2.1]
  grace: 0s
  rfc2136: {server: %q, zone: example.test, tsig: {name: %s, algorithm: %s, secretFile: %q}}
`, storetest.StartCluster(t, storetest.Options{Members: 1}).Config().Etcd.Endpoints[0], n.kube.Kubeconfig, n.zone.Addr,
		knottest.Key.Name, knottest.Key.Algorithm, secret)
	for range 2 {
		s := configure(t, config)
		s.launch()
		n.nodes = append(n.nodes, s)
		t.Cleanup(func() {
			if s.cmd != nil {
				n.stop(s)
			}
		})
	}
	return n
}

func (n *naming) stop(s *instance) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		n.t.Errorf("sluice ended with %v\n%s", err, s.log)
	}
	s.cmd = nil
}

// put writes an object of tenant acme, or the tenant itself.
func (n *naming) put(kind, path, name, spec string) {
	n.t.Helper()
	object := map[string]any{"kind": kind, "name": name, "spec": json.RawMessage(spec)}
	if kind != "Tenant" {
		object["tenant"] = "acme"
	}
	if err := n.nodes[0].api(http.MethodPut, path, object, nil); err != nil {
		n.t.Fatal(err)
	}
}

// updates checks how many updates changed the zone.
func (n *naming) updates(want uint32, when string) {
	n.t.Helper()
	if got := n.zone.Serial(n.t, "example.test.") - n.begin; got != want {
		n.t.Errorf("%d updates %s, want %d", got, when, want)
	}
}

// leader waits until one of the processes leads, and has the status.
func (n *naming) leader(want api.NameStatus, among ...*instance) (who *instance) {
	n.t.Helper()
	until(n.t, time.Minute, fmt.Sprintf("one leader with %+v", want), func() error {
		var seen []string
		leading := 0
		for _, s := range among {
			var out api.Status
			if err := s.api(http.MethodGet, "/status", nil, &out); err != nil {
				return err
			}
			if out.Names == nil {
				return errors.New("no status of names")
			}
			if out.Names.Leading {
				leading++
			}
			if *out.Names == want {
				who = s
			}
			seen = append(seen, fmt.Sprintf("%+v", *out.Names))
		}
		if who == nil || leading != 1 {
			return errors.New(strings.Join(seen, "; "))
		}
		return nil
	})
	return who
}

// clusterDown waits until a process knows that its cluster cannot be reached.
func (n *naming) clusterDown(s *instance) {
	n.t.Helper()
	until(n.t, time.Minute, "the cluster being down", func() error {
		var out api.Status
		if err := s.api(http.MethodGet, "/status", nil, &out); err != nil {
			return err
		}
		for _, src := range out.Sources {
			if src.Name == "kubernetes/default" && !src.Up {
				return nil
			}
		}
		return fmt.Errorf("sources %+v", out.Sources)
	})
}

// One of two processes announces the name of a service, once; the other one takes over
// without announcing it again; nothing is withdrawn while the cluster is down; and then it
// is, once.
func TestNamesOfServices(t *testing.T) {
	n := startNaming(t)
	const path = "/tenants/acme/upstreams/api"
	n.put("Tenant", "/tenants/acme", "acme", `{"hosts": ["shop.example.com"]}`)
	n.put("Upstream", path, "api", `{"discover": [{"kubernetes": {"namespace": "shop", "service": "api"}}]}`)
	first := n.leader(api.NameStatus{Leading: true, Announced: 1}, n.nodes...)
	n.updates(1, "on create")

	n.put("Upstream", path, "api", `{"discover": [{"kubernetes": {"namespace": "shop", "service": "api", "port": "http"}}]}`)
	other := n.nodes[0]
	if other == first {
		other = n.nodes[1]
	}
	n.stop(first)
	n.leader(api.NameStatus{Leading: true, Announced: 1}, other)
	n.updates(1, "on change and on a change of leader")

	n.kube.StopAPI()
	n.clusterDown(other)
	if err := other.api(http.MethodDelete, path, nil, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // more than two looks
	n.updates(1, "while the cluster is down")
	n.kube.StartAPI()
	n.leader(api.NameStatus{Leading: true}, other)
	n.updates(2, "on delete")
	fmt.Println("figure dns_name_updates create 1 change 0 takeover 0 delete 1 goal 1 0 0 1")
}

const namedTenant = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com, "*.svc.example.test"]}
`

// A new Service in the cluster has a name after one call, and requests for it get there; a
// route that somebody wrote for the name is stronger; when the Service goes, its route goes at
// once, and its name after the grace.
func TestNamesLeadToServices(t *testing.T) {
	if !inOwnNetwork(t, "198.18.0.1", "198.18.0.2") {
		return
	}
	const host = "api.shop.svc.example.test"
	const grace = 20 * time.Second
	kube := kubetest.Start(t)
	kube.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {sluice.io/tenant: acme}}")
	zone := knottest.Start(t, map[string]string{"example.test.": "$TTL 60\n@ SOA ns a 1 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(knottest.Key.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := configure(t, fmt.Sprintf(`kubernetes: [{name: default, kubeconfig: %q, ingress: {}}]
names:
  rule: "{{service}}.{{namespace}}.svc.example.test"
  addresses: [192.0.2.1]
  grace: %v
  rfc2136: {server: %q, zone: example.test, tsig: {name: %s, algorithm: %s, secretFile: %q}}
objects: [%s]
`, kube.Kubeconfig, grace, zone.Addr, knottest.Key.Name, knottest.Key.Algorithm, secret, objectFile(t, namedTenant)))
	s.start()
	n := &naming{t: t, kube: kube, zone: zone, nodes: []*instance{s}, begin: zone.Serial(t, "example.test.")}
	backend(t, "one", "198.18.0.1:8081")
	backend(t, "two", "198.18.0.2:8081")
	s.expectPath(host, "/", "", 404)

	kube.CreateSlice(sliceOf("198.18.0.1:8081"))
	kube.Create(`apiVersion: v1
kind: Service
metadata: {namespace: shop, name: api, annotations: {"sluice.io/host": shop.example.com}}
spec: {ports: [{name: http, port: 80}]}`)
	s.expectPath(host, "/any", "one", 200)
	n.leader(api.NameStatus{Leading: true, Announced: 1}, s)
	n.updates(1, "on create")

	n.put("Upstream", "/tenants/acme/upstreams/hand", "hand", `{"endpoints": [{"address": "198.18.0.2:8081"}]}`)
	n.put("Route", "/tenants/acme/routes/mine", "mine", fmt.Sprintf(`{"hosts": [%q], "to": [{"upstream": "hand"}]}`, host))
	s.expectPath(host, "/any", "two", 200)
	n.problem("path_taken", "acme/"+host, `already taken by route "mine"`)
	if err := s.api(http.MethodDelete, "/tenants/acme/routes/mine", nil, nil); err != nil {
		t.Fatal(err)
	}
	s.expectPath(host, "/any", "one", 200)

	kube.Delete("/api/v1/namespaces/shop/services/api")
	begin := time.Now()
	s.expectPath(host, "/any", "", 404)
	if time.Since(begin) < grace/2 { // else this machine is too busy to tell
		n.updates(1, "while the grace runs")
	}
	n.leader(api.NameStatus{Leading: true}, s)
	n.updates(2, "on delete")
	if took := time.Since(begin); took < grace {
		t.Errorf("the name went %v after its service, and the grace is %v", took, grace)
	}
}

// problem waits until there is one of that code for an object, which says so.
func (n *naming) problem(code, object, says string) {
	n.t.Helper()
	until(n.t, time.Minute, "problem "+code, func() error {
		var list struct{ Items []api.Problem }
		if err := n.nodes[0].api(http.MethodGet, "/problems", nil, &list); err != nil {
			return err
		}
		for _, p := range list.Items {
			if p.Code == code && p.Object.Tenant+"/"+p.Object.Name == object && strings.Contains(p.Message, says) {
				return nil
			}
		}
		return fmt.Errorf("problems %+v", list.Items)
	})
}
