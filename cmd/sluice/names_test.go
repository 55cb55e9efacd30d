package main

import (
	"testing"

	"github.com/sluice-gateway/sluice/discovery"
)

// No name goes while one of the things that make services known is away or has not spoken.
func TestHidesServices(t *testing.T) {
	for _, c := range []struct {
		status discovery.SourceStatus
		want   bool
	}{
		{discovery.SourceStatus{Name: "kubernetes/default", Up: true}, false},
		{discovery.SourceStatus{Name: "kubernetes/default"}, true},
		{discovery.SourceStatus{Name: "kubernetes/default", Up: true, Pending: 1}, true},
		{discovery.SourceStatus{Name: "kubernetes/default/ingress", Up: true, Pending: 1}, true},
		{discovery.SourceStatus{Name: "kubernetes/default/ingress"}, true},
		{discovery.SourceStatus{Name: "kubernetes/default/ingress", Up: true}, false},
		{discovery.SourceStatus{Name: "etcd/default"}, false},
	} {
		if got := hidesServices(c.status); got != c.want {
			t.Errorf("%+v: %v", c.status, got)
		}
	}
	app := newTestNames(t)
	if app.servicesComplete() {
		t.Error("complete without the cluster's Ingresses")
	}
}

// newTestNames is a node whose sources are up and whose cluster's Ingresses are not known yet.
func newTestNames(t *testing.T) *App {
	t.Helper()
	a := &App{ready: readiness{complete: make(chan struct{})}}
	close(a.ready.complete)
	a.sources = discovery.New(discovery.Config{Others: func() []discovery.SourceStatus {
		return []discovery.SourceStatus{{Name: "kubernetes/default/ingress", Up: true, Pending: 1}}
	}})
	return a
}
