package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// mixing is one upstream of three places: a Service, a prefix of a registry, and machines by
// hand. 198.18.0.1 to .3 are pods, .4 and .5 instances, .6 and .7 machines.
type mixing struct {
	*instance
	place map[string]string // backends' names to the place that they are in
}

const mixedTenant = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

// declare writes the upstream with the given entries for its places.
func (m *mixing) declare(kubernetes, etcd, manual string) {
	m.t.Helper()
	spec := fmt.Sprintf(`{"endpoints": [{"address": "198.18.0.6:8081", "zone": "hall", "weight": 3}, {"address": "198.18.0.7:8081", "zone": "hall"}], "discover": [
		{"kubernetes": {"namespace": "shop", "service": "api", "port": "http"}%s}, {"etcd": {"registry": "legacy", "prefix": "/services/api/"}%s}%s]}`, kubernetes, etcd, manual)
	object := map[string]any{"kind": "Upstream", "name": "api", "tenant": "acme", "spec": json.RawMessage(spec)}
	if err := m.api(http.MethodPut, "/tenants/acme/upstreams/api", object, nil); err != nil {
		m.t.Fatal(err)
	}
}

// endpoint waits until an address shows what is wanted: weight, own weight, group, zone and
// who names it, the strongest first.
func (m *mixing) endpoint(address, want string) {
	m.t.Helper()
	until(m.t, time.Minute, address+" as "+want, func() error {
		var v api.UpstreamView
		if err := m.api(http.MethodGet, "/tenants/acme/upstreams/api/endpoints", nil, &v); err != nil {
			return err
		}
		for _, e := range v.Upstream.Endpoints {
			if got := fmt.Sprintf("%d of %d, group %d, zone %q, by %v %s", e.Weight, e.OwnWeight, e.Priority, e.Zone, e.Sources, e.Place); e.Address == address {
				if got == want {
					return nil
				}
				return fmt.Errorf("it is %s", got)
			}
		}
		return fmt.Errorf("it is not there: %v", v.Upstream.Endpoints)
	})
}

// shares sends requests and compares each place's share of them with the declared one, in
// percent.
func (m *mixing) shares(name string, want map[string]float64) {
	m.t.Helper()
	const requests = 1000
	got := map[string]int{}
	for range requests {
		by, status := m.answeredBy("shop.example.com")
		if status != http.StatusOK || m.place[by] == "" {
			m.t.Fatalf("%s: answered by %q with %d", name, by, status)
		}
		got[m.place[by]]++
	}
	off := 0.0
	for _, place := range []string{"kubernetes", "etcd", "manual"} {
		share := 100 * float64(got[place]) / requests
		off = max(off, math.Abs(share-want[place]))
		if math.Abs(share-want[place]) > 1 {
			m.t.Errorf("%s: %s has %.2f %% of the requests, declared are %.0f", name, place, share, want[place])
		}
	}
	fmt.Printf("figure mix_%s_off_percent %.2f %% goal 1\n", name, off)
}

// Sources of three kinds share the requests of one upstream as declared, however many
// endpoints each has, and the stronger one decides about an address that two name.
func TestMixedSources(t *testing.T) {
	var addresses []string
	for i := range 7 {
		addresses = append(addresses, fmt.Sprintf("198.18.0.%d", i+1))
	}
	if !inOwnNetwork(t, addresses...) {
		return
	}
	m := &mixing{place: map[string]string{}}
	for i, a := range addresses {
		place := []string{"kubernetes", "kubernetes", "kubernetes", "etcd", "etcd", "manual", "manual"}[i]
		m.place[fmt.Sprint("b", i+1)] = place
		backend(t, fmt.Sprint("b", i+1), a+":8081")
	}
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	slice := sliceOf(addresses[0] + ":8081")
	for _, a := range addresses[1:3] {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
	}
	slice = kube.CreateSlice(slice)
	registry := storetest.StartCluster(t, storetest.Options{Members: 1})
	client := registry.Client(t)
	put := func(key, value string) {
		if _, err := client.Put(t.Context(), "/services/api/"+key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("1", `{"address": "198.18.0.4:8081", "weight": 3}`)
	put("2", `{"address": "198.18.0.5:8081", "weight": 1}`)
	// The guard would keep what this test takes out of the Service, since it still answers.
	m.instance = configure(t, fmt.Sprintf("shrinkGuard: {percent: 100}\nkubernetes: [{name: default, kubeconfig: %q}]\netcd: [{name: legacy, endpoints: [%q]}]\nobjects: [%s]\n",
		kube.Kubeconfig, registry.Config().Etcd.Endpoints[0], objectFile(t, mixedTenant)))
	m.start()

	m.declare(`, "weight": 70`, `, "weight": 20`, `, {"manual": {}, "weight": 10}`)
	m.endpoint("198.18.0.3:8081", `28 of 1, group 0, zone "", by [kubernetes] default/shop/api:http`)
	m.endpoint("198.18.0.4:8081", `18 of 3, group 0, zone "", by [etcd] legacy:/services/api/`)
	m.endpoint("198.18.0.6:8081", `9 of 3, group 0, zone "hall", by [manual] `)
	m.shares("declared", map[string]float64{"kubernetes": 70, "etcd": 20, "manual": 10})

	slice.Endpoints = slice.Endpoints[:1]
	slice = kube.UpdateSlice(slice)
	m.endpoint("198.18.0.4:8081", `6 of 3, group 0, zone "", by [etcd] legacy:/services/api/`)
	m.shares("scaled_down", map[string]float64{"kubernetes": 70, "etcd": 20, "manual": 10})

	put("2", `{"address": "198.18.0.6:8081", "weight": 1, "zone": "kv"}`) // a machine by hand
	m.endpoint("198.18.0.6:8081", `3 of 0, group 0, zone "hall", by [manual etcd] `)
	m.shares("named_twice", map[string]float64{"kubernetes": 70, "etcd": 20, "manual": 10})
	m.declare(`, "weight": 70`, `, "weight": 20, "precedence": 41`, `, {"manual": {}, "weight": 10}`)
	m.endpoint("198.18.0.6:8081", `1 of 0, group 0, zone "kv", by [etcd manual] legacy:/services/api/`)
	m.place["b6"] = "etcd"
	m.shares("other_precedence", map[string]float64{"kubernetes": 70, "etcd": 20, "manual": 10})

	m.place["b6"] = "manual"
	m.declare(`, "weight": 70`, `, "weight": 0`, `, {"manual": {}, "weight": 10, "priority": 1}`)
	m.endpoint("198.18.0.7:8081", `1 of 0, group 1, zone "hall", by [manual] `)
	m.endpoint("198.18.0.4:8081", `0 of 3, group 0, zone "", by [etcd] legacy:/services/api/`)
	m.shares("fail_over", map[string]float64{"kubernetes": 100})
	ready, leaving := false, true
	slice.Endpoints[0].Conditions = discoveryv1.EndpointConditions{Ready: &ready, Serving: &leaving, Terminating: &leaving}
	kube.UpdateSlice(slice)
	until(t, 2*time.Minute, "the machines taking over", func() error {
		if by, status := m.answeredBy("shop.example.com"); m.place[by] != "manual" {
			return fmt.Errorf("answered by %q with %d", by, status)
		}
		return nil
	})
	m.shares("failed_over", map[string]float64{"manual": 100})
}
