package etcd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// patience is how long a test waits for what has to happen; other work may slow it down.
const patience = 30 * time.Second

// followed is a running source, and the text of the newest set of each upstream.
type followed struct {
	*Source
	t      *testing.T
	wants  chan []discovery.Want
	sets   chan gateway.EndpointSet
	newest map[string]string
}

func follow(t *testing.T, cfg Config) *followed {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	f := &followed{
		Source: New(cfg), t: t,
		wants:  make(chan []discovery.Want),
		sets:   make(chan gateway.EndpointSet),
		newest: map[string]string{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, f.wants, f.sets) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return when its context ended")
		}
	})
	return f
}

// want tells the source what to follow: "name=prefix" for upstream acme/name.
func (f *followed) want(list ...string) {
	f.t.Helper()
	var wants []discovery.Want
	for _, text := range list {
		name, prefix, _ := strings.Cut(text, "=")
		ref := gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: prefix}}
		wants = append(wants, discovery.Want{Key: ref.SetKey(gateway.UpstreamKey{Tenant: "acme", Name: name}), Ref: ref})
	}
	for {
		select {
		case f.wants <- wants:
			return
		case set := <-f.sets:
			f.note(set)
		case <-time.After(patience):
			f.t.Fatal("the source does not take its wants")
		}
	}
}

func (f *followed) note(set gateway.EndpointSet) { f.newest[set.Upstream.Name] = describe(set) }

// expect waits until the newest set of the upstream reads like this.
func (f *followed) expect(upstream, text string) {
	f.t.Helper()
	deadline := time.After(patience)
	for f.newest[upstream] != text {
		select {
		case set := <-f.sets:
			f.note(set)
		case <-deadline:
			f.t.Fatalf("set of %s is %q, want %q", upstream, f.newest[upstream], text)
		}
	}
}

// quiet asserts that no set comes for a moment.
func (f *followed) quiet() {
	f.t.Helper()
	select {
	case set := <-f.sets:
		f.t.Errorf("unexpected set %s: %s", set.Upstream, describe(set))
	case <-time.After(200 * time.Millisecond):
	}
}

// describe is "address*weight" of every endpoint, what is out, why it is empty, and the
// problems after a "!".
func describe(set gateway.EndpointSet) string {
	var parts []string
	for _, e := range set.Endpoints {
		parts = append(parts, fmt.Sprintf("%s*%d%s", e.Address, e.Weight, e.Tags))
		if e.Terminating {
			parts = append(parts, "terminating")
		}
	}
	for _, address := range set.Out {
		parts = append(parts, address+" out")
	}
	if set.Absence != "" {
		parts = append(parts, string(set.Absence))
	}
	for _, p := range set.Problems {
		parts = append(parts, "! "+p)
	}
	if parts == nil {
		return "empty"
	}
	return strings.Join(parts, " ")
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
