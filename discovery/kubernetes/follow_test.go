package kubernetes

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// followed is a running source and the text of the sets that came, by upstream.
type followed struct {
	*Source
	t     *testing.T
	wants chan []discovery.Want
	sets  chan gateway.EndpointSet
	seen  map[string][]string
	stop  func()
}

func follow(t *testing.T, kubeconfig string) *followed {
	t.Helper()
	return followWith(t, Config{Kubeconfig: kubeconfig})
}

func followWith(t *testing.T, cfg Config) *followed {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	source, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := &followed{
		Source: source, t: t,
		wants: make(chan []discovery.Want), sets: make(chan gateway.EndpointSet),
		seen: map[string][]string{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, f.wants, f.sets) }()
	f.stop = func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
			done <- nil // for the next call
		case <-time.After(patience):
			t.Error("Run did not return when its context ended")
		}
	}
	t.Cleanup(f.stop)
	return f
}

// want tells the source what to follow: "namespace/service:port", each for an upstream
// with the name of the service.
func (f *followed) want(list ...string) {
	f.t.Helper()
	var wants []discovery.Want
	for _, text := range list {
		name, port, _ := strings.Cut(text, ":")
		namespace, service, _ := strings.Cut(name, "/")
		ref := gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: namespace, Service: service, Port: port}}
		wants = append(wants, discovery.Want{Key: ref.SetKey(gateway.UpstreamKey{Tenant: "acme", Name: service}), Ref: ref})
	}
	deadline := time.After(patience)
	for {
		select {
		case f.wants <- wants:
			return
		case set := <-f.sets:
			f.note(set)
		case <-deadline:
			f.t.Fatal("the source does not take its wants")
		}
	}
}

func (f *followed) note(set gateway.EndpointSet) {
	lines := strings.TrimSpace(text(content{endpoints: set.Endpoints, problems: set.Problems, out: set.Out}))
	f.seen[set.Upstream.Name] = append(f.seen[set.Upstream.Name], strings.ReplaceAll(lines, "\n", ", "))
}

// expect waits until the newest set of the upstream reads like this, or starts like this
// if it ends in "..."; "" is an empty one.
func (f *followed) expect(upstream, want string) {
	f.t.Helper()
	start, open := strings.CutSuffix(want, "...")
	deadline := time.After(patience)
	for {
		if seen := f.seen[upstream]; len(seen) > 0 {
			if last := seen[len(seen)-1]; last == want || open && strings.HasPrefix(last, start) {
				return
			}
		}
		select {
		case set := <-f.sets:
			f.note(set)
		case <-deadline:
			f.t.Fatalf("sets of %s are %q, status %+v; want %q at last", upstream, f.seen[upstream], f.Status(), want)
		}
	}
}

// until waits for a status, taking sets meanwhile.
func (f *followed) until(what string, is func(discovery.SourceStatus) bool) {
	f.t.Helper()
	deadline := time.After(patience)
	for !is(f.Status()) {
		select {
		case set := <-f.sets:
			f.note(set)
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			f.t.Fatalf("status is not %q: %+v", what, f.Status())
		}
	}
}

// quiet asserts that no set comes for a moment.
func (f *followed) quiet() {
	f.t.Helper()
	select {
	case set := <-f.sets:
		f.t.Errorf("unexpected set %s: %v", set.Upstream, set.Endpoints)
	case <-time.After(300 * time.Millisecond):
	}
}

func up(s discovery.SourceStatus) bool   { return s.Up && s.Error == "" }
func down(s discovery.SourceStatus) bool { return !s.Up && s.Error != "" }

// ready is a slice of a service with port http 8080 and ready endpoints.
func ready(namespace, name, service string, addresses ...string) *discoveryv1.EndpointSlice {
	portName, number := "http", int32(8080)
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &number}},
	}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
	}
	return s
}
