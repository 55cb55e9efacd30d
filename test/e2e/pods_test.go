package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/sluice-gateway/sluice/test/kubetest"
)

// podProgram is built once for all tests of a process.
var podProgram = sync.OnceValues(func() (string, error) {
	dir, err := programs() // its folder goes away at the end
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pod")
	if out, err := exec.Command("go", "build", "-o", path, "./pod").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pod: %w\n%s", err, out)
	}
	return path, nil
})

// pod is a process that plays a Pod.
type pod struct {
	t       *testing.T
	address string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has
	err     error         // of its end
}

// startPod runs a pod and waits until it answers. Its name is its address.
func startPod(t *testing.T, address string) *pod {
	t.Helper()
	path, err := podProgram()
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{t: t, address: address, ended: make(chan struct{})}
	p.cmd = exec.Command(path, "-name", address, "-listen", address)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	until(t, 30*time.Second, "pod "+address, func() error { return expectStatus("http://"+address+"/", 200) })
	return p
}

// terminate sends SIGTERM.
func (p *pod) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits for a pod's end in peace, for which it has half a minute.
func (p *pod) wait() error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(time.Minute):
		return fmt.Errorf("pod %s does not end", p.address)
	}
}

// service is the EndpointSlice of shop/api as kubelet and the controllers would keep it.
type service struct {
	kube *kubetest.Cluster

	mu    sync.Mutex
	slice *discoveryv1.EndpointSlice // guarded by mu
}

func newService(kube *kubetest.Cluster, addresses ...string) *service {
	s := &service{kube: kube}
	first := sliceOf(addresses[0])
	for _, a := range addresses[1:] {
		first.Endpoints = append(first.Endpoints, sliceOf(a).Endpoints...)
	}
	s.slice = kube.CreateSlice(first)
	return s
}

// ready adds an endpoint that is.
func (s *service) ready(address string) {
	s.change(func(list []discoveryv1.Endpoint) []discoveryv1.Endpoint {
		return append(list, sliceOf(address).Endpoints...)
	})
}

// terminating marks the endpoint of a pod that was told to end.
func (s *service) terminating(address string) {
	no, yes := false, true
	s.change(func(list []discoveryv1.Endpoint) []discoveryv1.Endpoint {
		i := slices.IndexFunc(list, func(e discoveryv1.Endpoint) bool { return e.Addresses[0] == host(address) })
		list[i].Conditions = discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}
		return list
	})
}

// gone removes an endpoint.
func (s *service) gone(address string) {
	s.change(func(list []discoveryv1.Endpoint) []discoveryv1.Endpoint {
		return slices.DeleteFunc(list, func(e discoveryv1.Endpoint) bool { return e.Addresses[0] == host(address) })
	})
}

func (s *service) change(f func([]discoveryv1.Endpoint) []discoveryv1.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slice.Endpoints = f(s.slice.Endpoints)
	s.slice = s.kube.UpdateSlice(s.slice)
}

func host(address string) string { return netip.MustParseAddrPort(address).Addr().String() }

// podAddresses are n addresses for pods, and their hosts.
func podAddresses(n int) (addresses, hosts []string) {
	for i := range n {
		hosts = append(hosts, fmt.Sprintf("198.18.0.%d", i+1))
		addresses = append(addresses, hosts[i]+":8081")
	}
	return addresses, hosts
}

// knows says whether the upstream's endpoints are these, as the API tells.
func (s *instance) knows(addresses ...string) error {
	var v upstreamView
	if err := s.api("GET", endpointsPath, nil, &v); err != nil {
		return err
	}
	var have []string
	for _, e := range v.Upstream.Endpoints {
		have = append(have, e.Address)
	}
	slices.Sort(addresses)
	if !slices.Equal(have, addresses) {
		return fmt.Errorf("endpoints are %s", strings.Join(have, ", "))
	}
	return nil
}
