package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/freeport"
	"github.com/sluice-gateway/sluice/test/kubetest"
	"github.com/sluice-gateway/sluice/test/load"
)

// outage is how long a source is away. `make figures` has SLUICE_OUTAGE=2m.
func outage(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(os.Getenv("SLUICE_OUTAGE"))
	if err != nil {
		return 15 * time.Second
	}
	return d
}

// underLoad sends requests until the returned function is called, which wants all of them
// answered and returns how many were not.
func (s *instance) underLoad() (stop func() (failed int)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan load.Result, 1)
	go func() {
		done <- load.Run(ctx, load.Config{URL: "http://" + s.http + "/", Host: "shop.example.com", Conns: 10, RatePerSecond: 200, Duration: time.Hour, Timeout: 20 * time.Second})
	}()
	s.t.Cleanup(cancel)
	return func() int {
		s.t.Helper()
		cancel()
		r := <-done
		s.t.Log(r)
		if r.Failures > 0 || r.Requests < 100 {
			s.t.Errorf("under load: %s", r)
		}
		return r.Failures
	}
}

// converged prints how long it takes until the endpoints are the addresses.
func (s *instance) converged(figure string, addresses ...string) {
	s.t.Helper()
	took := until(s.t, time.Minute, "the endpoints of now", func() error { return s.knows(addresses...) })
	fmt.Printf("figure %s %.3f s goal 5\n", figure, took.Seconds())
	if took > 50*time.Second {
		s.t.Errorf("%s: %v", figure, took)
	}
}

// The API server that Sluice asks is away while endpoints move: another master goes on. No
// request fails meanwhile, since what is gone is passed by, and the new ones are known soon
// after the server is back.
func TestKubernetesOutage(t *testing.T) {
	at, hosts := podAddresses(5)
	if !inNamespace(t, hosts...) {
		return
	}
	pods := map[string]*pod{}
	for _, a := range at[:3] {
		pods[a] = startPod(t, a)
	}
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	service := newService(kube, at[:3]...)
	s := configure(t, fmt.Sprintf("kubernetes: [{name: default, kubeconfig: %q}]\nobjects: [%s]\n", kube.Kubeconfig,
		objectFile(t, fmt.Sprintf(discovered, "{kubernetes: {namespace: shop, service: api, port: http}}"))))
	s.start()
	stop := s.underLoad()
	kube.StartSecond()
	kube.StopAPI()
	end := time.Now().Add(outage(t))
	for i, from := range at[1:3] {
		to := at[3+i]
		pods[to] = startPod(t, to)
		service.ready(to)
		service.terminating(from)
		pods[from].terminate()
		if err := pods[from].wait(); err != nil {
			t.Error(err)
		}
		service.gone(from)
		time.Sleep(time.Second)
	}
	time.Sleep(time.Until(end))
	if err := s.knows(at[:3]...); err != nil {
		t.Errorf("while the server is away the last good set is kept: %v", err)
	}
	kube.StartAPI()
	s.converged("kube_outage_converged_s", at[0], at[3], at[4])
	time.Sleep(time.Second)
	fmt.Printf("figure kube_outage_failed %d errors goal 0\n", stop())
}

// Of the three members of a registry one dies, which nobody notices, and then all; instances
// move when they are back, and are known soon. Another registry, which never answers, is no
// matter of this one.
func TestEtcdOutage(t *testing.T) {
	var at []string
	for range 4 {
		at = append(at, freeport.Address(t))
	}
	pods := map[string]*pod{}
	for _, a := range at[:3] {
		pods[a] = startPod(t, a)
	}
	cluster := storetest.StartCluster(t, storetest.Options{})
	client := cluster.Client(t)
	put := func(i int) {
		t.Helper()
		until(t, time.Minute, "a write", func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, err := client.Put(ctx, fmt.Sprintf("/services/api/%d", i), fmt.Sprintf(`{"address": %q, "weight": "1"}`, at[i]))
			return err
		})
	}
	remove := func(i int) {
		t.Helper()
		if _, err := client.Delete(context.Background(), fmt.Sprintf("/services/api/%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	put(1)
	s := configure(t, fmt.Sprintf("etcd:\n- {name: legacy, endpoints: [%q, %q, %q], prefixes: [/services/]}\n- {name: broken, endpoints: [\"http://127.0.0.1:1\"]}\nobjects: [%s]\n",
		cluster.Endpoints[0], cluster.Endpoints[1], cluster.Endpoints[2],
		objectFile(t, fmt.Sprintf(discovered, "{etcd: {registry: legacy, prefix: /services/api/}}"))))
	s.start()
	until(t, time.Minute, "both instances", func() error { return s.knows(at[0], at[1]) })
	stop := s.underLoad()

	cluster.Kill(0)
	put(2)
	s.converged("etcd_member_lost_converged_s", at[0], at[1], at[2])

	cluster.Kill(1)
	cluster.Kill(2)
	end := time.Now().Add(outage(t))
	pods[at[3]] = startPod(t, at[3])
	pods[at[1]].terminate() // it has moved, and nobody can be told
	if err := pods[at[1]].wait(); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Until(end))
	if err := s.knows(at[0], at[1], at[2]); err != nil {
		t.Errorf("while the registry is away the last good set is kept: %v", err)
	}
	cluster.Restart(t, 0, 1, 2)
	put(3)
	remove(1)
	s.converged("etcd_outage_converged_s", at[0], at[2], at[3])
	time.Sleep(time.Second)
	fmt.Printf("figure etcd_outage_failed %d errors goal 0\n", stop())
}
