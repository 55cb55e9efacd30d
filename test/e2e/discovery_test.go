package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// discovered is the shop with an upstream whose endpoints come from elsewhere.
const discovered = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com]}
---
kind: Upstream
name: api
tenant: acme
spec: {discover: [%s]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

// toTraffic moves the only endpoint between two backends n times and returns the times from
// the call that writes the change to the first request on the new one, sorted. The next change
// comes after a pause of up to twice the given one.
func (s *instance) toTraffic(n int, pause time.Duration, move func(to string)) []time.Duration {
	s.t.Helper()
	var took []time.Duration
	for i := range n {
		to := []string{"two", "one"}[i%2] // it begins on one
		begin := time.Now()
		move(to)
		until(s.t, 30*time.Second, "request on "+to, func() error {
			if name, status := s.answeredBy("shop.example.com"); name != to || status != 200 {
				return fmt.Errorf("answered by %q with %d", name, status)
			}
			return nil
		})
		took = append(took, time.Since(begin))
		time.Sleep(pause + time.Duration(rand.Float64()*float64(pause)))
	}
	slices.Sort(took)
	return took
}

// figure prints the time that a share of all has stayed below, and fails at ten times the goal:
// the machine may be busy with other tests.
func figure(t *testing.T, name string, took []time.Duration, share float64, goal time.Duration) {
	t.Helper()
	at := took[min(int(share*float64(len(took))), len(took)-1)]
	fmt.Printf("figure %s %.2f ms goal %d\n", name, float64(at.Microseconds())/1000, goal.Milliseconds())
	if at > 10*goal {
		t.Errorf("%s is %v", name, at)
	}
}

// A key of a registry in an etcd cluster reaches traffic.
func TestEtcdToTraffic(t *testing.T) {
	at := map[string]string{"one": backend(t, "one", ""), "two": backend(t, "two", "")}
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	client := cluster.Client(t)
	s := configure(t, fmt.Sprintf("store: {etcd: {endpoints: [%q]}}\nobjects: [%s]\n", cluster.Config().Etcd.Endpoints[0],
		objectFile(t, fmt.Sprintf(discovered, "{etcd: {prefix: /services/api/}}"))))
	s.start()
	took := s.toTraffic(50, 0, func(to string) {
		if _, err := client.Put(context.Background(), "/services/api/1", fmt.Sprintf(`{"address": %q}`, at[to])); err != nil {
			t.Fatal(err)
		}
	})
	figure(t, "etcd_to_traffic_ms", took, 0.5, 100*time.Millisecond)
}

// A change of an EndpointSlice in a real kube-apiserver reaches traffic. EndpointSlices can't
// hold loopback addresses, so the whole test runs in a network namespace of its own, where
// its backends have addresses of the range for benchmarks (RFC 2544).
func TestKubernetesToTraffic(t *testing.T) {
	if !inNamespace(t, "198.18.0.1", "198.18.0.2") {
		return
	}
	at := map[string]string{"one": "198.18.0.1:8081", "two": "198.18.0.2:8081"}
	for name, address := range at {
		backend(t, name, address)
	}
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	slice := kube.CreateSlice(sliceOf(at["one"]))
	s := configure(t, fmt.Sprintf("kubernetes: [{name: default, kubeconfig: %q}]\nobjects: [%s]\n", kube.Kubeconfig,
		objectFile(t, fmt.Sprintf(discovered, "{kubernetes: {namespace: shop, service: api, port: http}}"))))
	s.start()
	move := func(to string) {
		slice.Endpoints = sliceOf(at[to]).Endpoints
		slice = kube.UpdateSlice(slice)
	}
	took := s.toTraffic(500, 25*time.Millisecond, move)
	figure(t, "kube_to_traffic_p50_ms", took, 0.5, 20*time.Millisecond)
	figure(t, "kube_to_traffic_p99_ms", took, 0.99, 100*time.Millisecond)
	// Changes that follow each other at once share a snapshot every 20 ms.
	figure(t, "kube_to_traffic_burst_p50_ms", s.toTraffic(100, 0, move), 0.5, 100*time.Millisecond)
}

func sliceOf(address string) *discoveryv1.EndpointSlice {
	ap := netip.MustParseAddrPort(address)
	name, port := "http", int32(ap.Port())
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "api-1", Labels: map[string]string{discoveryv1.LabelServiceName: "api"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{ap.Addr().String()}}},
	}
}
