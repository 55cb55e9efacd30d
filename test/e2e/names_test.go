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

// Two processes on one store, a real kube-apiserver and a real name server: one of the two
// announces the name of a service, once; the other one takes over without announcing it
// again; nothing is withdrawn while the cluster is down; and then it is, once.
func TestNamesOfServices(t *testing.T) {
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	zone := knottest.Start(t, map[string]string{"example.test.": "$TTL 60\n@ SOA ns a 1 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n"})
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
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
`, cluster.Config().Etcd.Endpoints[0], kube.Kubeconfig, zone.Addr, knottest.Key.Name, knottest.Key.Algorithm, secret)
	nodes := []*instance{configure(t, config), configure(t, config)}
	stop := func(s *instance) {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("sluice ended with %v\n%s", err, s.log)
		}
		s.cmd = nil
	}
	for _, s := range nodes {
		s.launch()
		t.Cleanup(func() {
			if s.cmd != nil {
				stop(s)
			}
		})
	}
	names := func(s *instance) (api.NameStatus, error) {
		var out api.Status
		if err := s.api(http.MethodGet, "/status", nil, &out); err != nil {
			return api.NameStatus{}, err
		}
		if out.Names == nil {
			return api.NameStatus{}, errors.New("no status of names")
		}
		return *out.Names, nil
	}
	// leader waits until one of the processes leads and has the status.
	leader := func(want api.NameStatus, among ...*instance) (who *instance) {
		t.Helper()
		until(t, time.Minute, "a leader with "+fmt.Sprintf("%+v", want), func() error {
			var seen []string
			leading := 0
			for _, s := range among {
				st, err := names(s)
				if err != nil {
					return err
				}
				if st.Leading {
					leading++
				}
				if st == want {
					who = s
				}
				seen = append(seen, fmt.Sprintf("%+v", st))
			}
			if who == nil || leading != 1 {
				return errors.New(strings.Join(seen, "; "))
			}
			return nil
		})
		return who
	}
	put := func(kind, path, name, spec string) {
		t.Helper()
		object := map[string]any{"kind": kind, "name": name, "spec": raw(spec)}
		if kind != "Tenant" {
			object["tenant"] = "acme"
		}
		if err := nodes[0].api(http.MethodPut, path, object, nil); err != nil {
			t.Fatal(err)
		}
	}
	begin := zone.Serial(t, "example.test.")
	updates := func(want uint32, when string) {
		t.Helper()
		if got := zone.Serial(t, "example.test.") - begin; got != want {
			t.Errorf("%d updates %s, want %d", got, when, want)
		}
	}
	put("Tenant", "/tenants/acme", "acme", `{"hosts": ["shop.example.com"]}`)
	put("Upstream", "/tenants/acme/upstreams/api", "api", `{"discover": [{"kubernetes": {"namespace": "shop", "service": "api"}}]}`)
	first := leader(api.NameStatus{Leading: true, Announced: 1}, nodes...)
	updates(1, "on create")
	put("Upstream", "/tenants/acme/upstreams/api", "api", `{"discover": [{"kubernetes": {"namespace": "shop", "service": "api", "port": "http"}}]}`)
	other := nodes[0]
	if other == first {
		other = nodes[1]
	}
	stop(first)
	leader(api.NameStatus{Leading: true, Announced: 1}, other)
	updates(1, "on change and on a change of leader")

	kube.StopAPI()
	until(t, time.Minute, "the cluster being down", func() error {
		var out api.Status
		if err := other.api(http.MethodGet, "/status", nil, &out); err != nil {
			return err
		}
		for _, s := range out.Sources {
			if s.Name == "kubernetes/default" && !s.Up {
				return nil
			}
		}
		return fmt.Errorf("sources %+v", out.Sources)
	})
	if err := other.api(http.MethodDelete, "/tenants/acme/upstreams/api", nil, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // more than two looks
	updates(1, "while the cluster is down")
	kube.StartAPI()
	leader(api.NameStatus{Leading: true}, other)
	updates(2, "on delete")
	fmt.Println("figure dns_name_updates create 1 change 0 takeover 0 delete 1 goal 1 0 0 1")
}

// raw is JSON as it is.
func raw(text string) json.RawMessage { return json.RawMessage(text) }
