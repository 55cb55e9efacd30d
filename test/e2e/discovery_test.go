package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
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

// toTraffic moves the only endpoint between two backends 50 times and prints the median time
// from the call that writes the change to the first request on the new one.
func (s *instance) toTraffic(figure string, move func(to string)) {
	s.t.Helper()
	var took []time.Duration
	for i := range 50 {
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
	}
	slices.Sort(took)
	median := took[len(took)/2]
	fmt.Printf("figure %s %.2f ms goal 100\n", figure, float64(median.Microseconds())/1000)
	if median > time.Second {
		s.t.Errorf("median %v", median)
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
	s.toTraffic("etcd_to_traffic_ms", func(to string) {
		if _, err := client.Put(context.Background(), "/services/api/1", fmt.Sprintf(`{"address": %q}`, at[to])); err != nil {
			t.Fatal(err)
		}
	})
}

// A change of an EndpointSlice in a real kube-apiserver reaches traffic. EndpointSlices can't
// hold loopback addresses, so the whole test runs in a network namespace of its own, where
// its backends have addresses of the range for benchmarks (RFC 2544).
func TestKubernetesToTraffic(t *testing.T) {
	const inside = "SLUICE_E2E_NAMESPACE"
	if os.Getenv(inside) == "" {
		program(t, "sluice") // built outside: the inner process builds its own from the same cache
		cmd := exec.Command(os.Args[0], "-test.run=^TestKubernetesToTraffic$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), inside+"=yes")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "figure ") {
				fmt.Print(line)
			}
		}
		if err != nil {
			t.Fatalf("in the namespace: %v\n%s", err, out)
		}
		return
	}
	at := map[string]string{"one": "198.18.0.1:8081", "two": "198.18.0.2:8081"}
	for _, args := range []string{"link set lo up", "addr add 198.18.0.1/32 dev lo", "addr add 198.18.0.2/32 dev lo"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v %s", args, err, out)
		}
	}
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
	s.toTraffic("kube_to_traffic_ms", func(to string) {
		slice.Endpoints = sliceOf(at[to]).Endpoints
		slice = kube.UpdateSlice(slice)
	})
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
