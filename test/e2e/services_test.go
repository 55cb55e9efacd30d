package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/test/kubetest"
)

const (
	manyServices = 5000
	eachHas      = 4
)

// A start with 5,000 Services of four endpoints each: until all of them are in rotation, and
// what that takes of memory. The objects are in the store already, as after an update.
func TestManyServices(t *testing.T) {
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	var text strings.Builder
	text.WriteString("kind: Tenant\nname: acme\nspec: {hosts: [\"*.example.com\"]}\n")
	numbers := make(chan int)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for i := range numbers {
				kube.CreateSlice(manyOf(i))
			}
		})
	}
	for i := range manyServices {
		numbers <- i
		fmt.Fprintf(&text, "---\nkind: Upstream\nname: s%d\ntenant: acme\nspec: {discover: [{kubernetes: {namespace: shop, service: s%d, port: http}}]}\n", i, i)
		fmt.Fprintf(&text, "---\nkind: Route\nname: s%d\ntenant: acme\nspec: {hosts: [s%d.example.com], to: [{upstream: s%d}]}\n", i, i, i)
	}
	close(numbers)
	writers.Wait()
	s := configure(t, fmt.Sprintf("kubernetes: [{name: default, kubeconfig: %q}]\nobjects: [%s]\n", kube.Kubeconfig, objectFile(t, text.String())))
	s.launch()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()

	begin := time.Now()
	s.start()
	ready := time.Since(begin)
	fmt.Printf("figure services_5000_ready_s %.2f s goal 10\n", ready.Seconds())
	if ready > 100*time.Second {
		t.Errorf("ready after %v", ready)
	}
	for _, i := range []int{0, manyServices / 2, manyServices - 1} {
		var v upstreamView
		if err := s.api("GET", fmt.Sprintf("/tenants/acme/upstreams/s%d/endpoints", i), nil, &v); err != nil || len(v.Upstream.Endpoints) != eachHas {
			t.Errorf("service %d: %d endpoints when ready, %v", i, len(v.Upstream.Endpoints), err)
		}
	}
	most := memory(t, s.cmd.Process.Pid, "VmHWM")
	time.Sleep(5 * time.Second)
	fmt.Printf("figure services_5000_rss_mb %d MB goal 250\n", memory(t, s.cmd.Process.Pid, "VmRSS"))
	fmt.Printf("figure services_5000_rss_at_start_mb %d MB goal 500\n", most)
}

// manyOf is the slice of service i.
func manyOf(i int) *discoveryv1.EndpointSlice {
	s := sliceOf(fmt.Sprintf("10.%d.%d.0:8080", i/250, i%250))
	s.Name, s.Labels[discoveryv1.LabelServiceName] = fmt.Sprintf("s%d-1", i), fmt.Sprintf("s%d", i)
	for n := 1; n < eachHas; n++ {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.%d.%d.%d", i/250, i%250, n)}})
	}
	return s
}

// memory reads a line of a process's status, in MB.
func memory(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), name+":")
	kb, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if !ok || err != nil {
		t.Fatalf("no %s in the status of %d: %v", name, pid, err)
	}
	return kb / 1024
}
