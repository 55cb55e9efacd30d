package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

const secret = "test-token-0123456789"

// world is the API on a real store in a temporary folder and the real gateway.Build. Only
// the nginx fleet is given by hand: its own tests run real nginx.
type world struct {
	t       *testing.T
	store   stored
	control *control
	fleets  *fleets
	handler http.Handler
	done    chan struct{}
	// outcomes are what feedback has told health.
	outcomes []gateway.Outcome
	// enrolment is what was done about nodes and tokens.
	enrolment []string
}

func newWorld(t *testing.T, change func(*admin.Config)) *world {
	t.Helper()
	tokens, err := auth.NewTokens("admin", secret)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: stored{storetest.OpenTemp(t)}, fleets: &fleets{}, done: make(chan struct{})}
	w.control = &control{store: w.store, watchers: map[chan *gateway.Snapshot]bool{}}
	w.control.rebuild(t)
	cfg := admin.Config{
		Store: w.store, Control: w.control, Fleets: w.fleets, Tokens: tokens,
		Sources: func() []api.SourceStatus {
			return []api.SourceStatus{{Name: "manual", Kind: gateway.SourceManual, Up: true}}
		},
		StoreStatus: func(ctx context.Context) api.StoreStatus {
			st := w.store.Status(ctx)
			return api.StoreStatus{Mode: string(st.Mode), Up: st.Err == nil, Revision: st.Revision}
		},
		Health:    observed{},
		Shrink:    kept{"acme/api": 3},
		Alerts:    raised{},
		Enrolment: enrolled{&w.enrolment},
		Listeners: func() []api.ListenerStatus { return nil },
		FleetCheck: func() *api.FleetCheckStatus {
			return &api.FleetCheckStatus{Level: "namespaces", Version: "1.22.1"}
		},
		Names: func() *api.NameStatus { return &api.NameStatus{Leading: true, Announced: 3} },
		NameList: func() api.NameList {
			return api.NameList{Rule: "{{service}}.{{namespace}}.example.com", Leading: true, Items: []api.ServiceName{
				{Host: "api.shop.example.com", Tenant: "acme", Phase: api.Announced, To: []string{"192.0.2.1"}},
				{Host: "x.y.example.com", Tenant: "other", Phase: api.Announcing, To: []string{}, Error: "refused"}}}
		},
		Normalise: func(path string) (string, error) {
			if strings.Contains(path, "%2f..") {
				return "", errors.New("a dot segment is hidden in the path")
			}
			return path, nil
		},
		UI:      fstest.MapFS{"index.html": {Data: []byte(`<meta name="csp-nonce" content="__CSP_NONCE__">`)}},
		Version: "test", Node: "edge-1", StartedAt: time.Unix(1700000000, 0).UTC(),
		Done: w.done, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Ping: 50 * time.Millisecond, Poll: 10 * time.Millisecond,
		Slardar: &slardar.Parts{
			Tenant:        "upyun",
			Heartbeats:    func(gateway.UpstreamKey) []gateway.Heartbeat { return nil },
			Observe:       func(o gateway.Outcome) { w.outcomes = append(w.outcomes, o) },
			ConfigVersion: func() int64 { return 1 },
		},
	}
	if change != nil {
		change(&cfg)
	}
	if w.handler, err = admin.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// do sends a request with the administrator's token, unless header says otherwise.
func (w *world) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	w.control.rebuild(w.t)
	return rec
}

// must is do for what a test builds on.
func (w *world) must(method, path, body string) {
	w.t.Helper()
	if rec := w.do(method, path, body); rec.Code != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
}

// shop is a tenant with an upstream of two endpoints and two routes.
func (w *world) shop() {
	w.t.Helper()
	w.must("POST", "/api/v1/apply", `{"objects":[
		{"kind":"Tenant","name":"acme","spec":{"hosts":["shop.example.com","*.acme.example.com"]}},
		{"kind":"Upstream","name":"api","tenant":"acme","labels":{"app":"shop"},"spec":{"endpoints":[{"address":"10.0.0.4:8080"},{"address":"10.0.0.5:8080"}]}},
		{"kind":"Route","name":"shop","tenant":"acme","spec":{"hosts":["shop.example.com"],"to":[{"upstream":"api"}]}},
		{"kind":"Route","name":"cart","tenant":"acme","spec":{"hosts":["shop.example.com"],"match":[{"path":{"prefix":"/cart"}}],"to":[{"upstream":"api"}],"timeout":"5s"}}]}`)
}

// stored adapts the store, as the binary does.
type stored struct{ *store.Store }

func (s stored) List(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, error) {
	objs, _, err := s.Store.List(ctx, kind, tenant)
	return objs, err
}

func (s stored) Apply(ctx context.Context, actor string, changes []gateway.Change) ([]gateway.Object, error) {
	objs, err := s.Store.Apply(ctx, changes, store.Write{Actor: actor})
	return objs, err
}

func (s stored) History(ctx context.Context, ref gateway.Ref, limit int) ([]api.Version, error) {
	entries, err := s.Store.History(ctx, ref)
	var out []api.Version
	for _, e := range entries[:min(limit, len(entries))] {
		v := api.Version{Revision: e.Revision, At: e.Time, By: e.Actor, Action: api.Action(e.Verb) + "d", Reason: e.Reason}
		if e.Object != nil {
			v.Object = &api.Object{Object: e.Object}
		}
		out = append(out, v)
	}
	return out, err
}

func (s stored) Audit(ctx context.Context, since time.Time, who string, limit int) ([]api.Record, error) {
	records, err := s.Store.Audit(ctx, since, limit)
	var out []api.Record
	for _, r := range records {
		if who != "" && who != r.Actor {
			continue
		}
		e := api.Record{Revision: r.Revision, At: r.Time, By: r.Actor, Reason: r.Reason}
		for _, c := range r.Changes {
			e.Changes = append(e.Changes, api.RecordedChange{Action: api.Action(c.Verb) + "d", Object: c.Ref})
		}
		out = append(out, e)
	}
	return out, err
}

// control decides by gateway.Build whenever a test says so.
type control struct {
	store stored

	mu       sync.Mutex
	snap     *gateway.Snapshot
	watchers map[chan *gateway.Snapshot]bool
	verdicts []gateway.Verdict
	derived  []gateway.Object
}

// DerivedObjects are those that the store does not have.
func (c *control) DerivedObjects() (out []gateway.Object) {
	for _, o := range c.derived {
		if _, err := c.store.Get(context.Background(), o.Head().Ref()); errors.Is(err, gateway.ErrNotFound) {
			out = append(out, o)
		}
	}
	return out
}

func (c *control) Derived(ref gateway.Ref) gateway.Object {
	for _, o := range c.DerivedObjects() {
		if o.Head().Ref() == ref {
			return o
		}
	}
	return nil
}

func (c *control) inputs(changes []gateway.Change) (gateway.Inputs, error) {
	var in gateway.Inputs
	objs, err := c.store.List(context.Background(), "", "")
	if err != nil {
		return in, err
	}
	byRef := map[gateway.Ref]gateway.Object{}
	for _, o := range append(c.DerivedObjects(), objs...) {
		byRef[o.Head().Ref()] = o
	}
	for _, ch := range changes {
		if byRef[ch.Ref] = ch.Object; ch.Object == nil {
			delete(byRef, ch.Ref)
		}
	}
	for _, o := range byRef {
		switch o := o.(type) {
		case *gateway.Tenant:
			in.Tenants = append(in.Tenants, o)
		case *gateway.Fleet:
			in.Fleets = append(in.Fleets, o)
		case *gateway.Policy:
			in.Policies = append(in.Policies, o)
		case *gateway.Upstream:
			in.Upstreams = append(in.Upstreams, o)
			set := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: o.Key(), Source: gateway.SourceManual}}
			for _, e := range o.Spec.Endpoints {
				n := 1
				if e.Weight != nil {
					n = *e.Weight
				}
				set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: e.Address, Weight: n, Priority: e.Priority, Zone: e.Zone, Fails: e.Fails.Filled()})
			}
			in.Sets = append(in.Sets, set)
		case *gateway.Route:
			in.Routes = append(in.Routes, o)
		case *gateway.Override:
			in.Overrides = append(in.Overrides, o)
		case *gateway.Stream:
			in.Streams = append(in.Streams, o)
		case *gateway.Pin:
			in.Pins = append(in.Pins, o)
		case *gateway.Allowance:
			in.Allowances = append(in.Allowances, o)
		case *gateway.Certificate:
			in.Certificates = append(in.Certificates, o)
		}
	}
	in.Verdicts = c.verdicts
	return in, nil
}

func (c *control) rebuild(t testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, err := c.inputs(nil)
	if err != nil {
		t.Fatal(err)
	}
	generation := uint64(1)
	if c.snap != nil {
		generation = c.snap.Generation + 1
	}
	next := gateway.Build(in, generation)
	if c.snap != nil && next.Digest == c.snap.Digest && next.VerdictDigest == c.snap.VerdictDigest {
		return
	}
	c.snap = next
	for ch := range c.watchers {
		select {
		case <-ch:
		default:
		}
		ch <- next
	}
}

func (c *control) Snapshot() *gateway.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.snap
}

func (c *control) Subscribe() (<-chan *gateway.Snapshot, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan *gateway.Snapshot, 1)
	c.watchers[ch] = true
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, ch)
	}
}

func (c *control) DryRun(_ context.Context, changes []gateway.Change) (*gateway.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, err := c.inputs(changes)
	if err != nil {
		return nil, err
	}
	return gateway.Build(in, c.snap.Generation+1), nil
}

// fleets is one fleet, "shared", given by hand.
type fleets struct {
	mu       sync.Mutex
	nodes    []gateway.Node
	trees    map[string]map[string]string // by node
	desired  map[string]string
	problems []gateway.Problem
	rollouts []gateway.Rollout // the newest first
}

func (f *fleets) Nodes(fleet string) ([]gateway.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fleet != "shared" {
		return nil, fmt.Errorf("fleet %q: %w", fleet, gateway.ErrNotFound)
	}
	return append([]gateway.Node(nil), f.nodes...), nil
}

func (f *fleets) Node(fleet, node string) (gateway.Node, error) {
	nodes, err := f.Nodes(fleet)
	for _, n := range nodes {
		if n.Node == node {
			return n, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("node %q of fleet %q: %w", node, fleet, gateway.ErrNotFound)
	}
	return gateway.Node{}, err
}

func (f *fleets) Tree(fleet, node string, desired bool) (map[string]string, error) {
	if _, err := f.Node(fleet, node); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if desired {
		return f.desired, nil
	}
	return f.trees[node], nil
}

// edit is the one edit by hand of the fleet, on edge-1; endpoint is another one, in an upstream,
// and below stands one outside of the rendered tree.
const edit, endpoint, below, second, third = "0123456789ab", "0123456789ac", "0123456789ad", "0123456789ae", "0123456789af"

func (f *fleets) Hunk(fleet, id string) (gateway.NodeHunk, error) {
	h := gateway.NodeHunk{Hunk: gateway.Hunk{ID: id, Path: "upstreams.conf", Where: []string{"server a"}, Change: gateway.HunkChanged, Old: "a;", New: "b;"},
		Kind: gateway.HunkByHand, On: []gateway.HunkNode{{Node: "edge-1"}}}
	switch {
	case fleet != "shared" || id != edit && id != endpoint && id != below && id != second && id != third:
		return h, fmt.Errorf("hunk %q: %w", id, gateway.ErrNotFound)
	case id == below:
		h.Kind = gateway.HunkOutside
	}
	return h, nil
}

func (f *fleets) Groups(fleet string) (gateway.FleetDrift, error) {
	h, err := f.Hunk(fleet, edit)
	return gateway.FleetDrift{Fleet: fleet, Summary: "1 alike, 1 differs in 1 directive", Groups: []gateway.NodeGroup{{Nodes: []string{"edge-2"}}, {Nodes: []string{"edge-1"}, Hunks: []gateway.NodeHunk{h}}}}, err
}

func (f *fleets) Revert(_ context.Context, fleet, id string, nodes []string, _ string) ([]string, error) {
	if _, err := f.Hunk(fleet, id); err != nil || len(nodes) > 0 {
		return nodes, err
	}
	return []string{"edge-1"}, nil
}

func (f *fleets) Adoption(_, id, reason string) (gateway.Adoption, error) {
	switch id {
	case edit, second, third:
		return gateway.Adoption{Override: &gateway.Override{Meta: gateway.Meta{Kind: gateway.KindOverride, Tenant: "acme", Name: "adopted-" + id},
			Spec: gateway.OverrideSpec{Route: "shop", Nginx: "b;", Reason: reason}}}, nil
	case endpoint:
		return gateway.Adoption{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Endpoint: &gateway.ManualEndpoint{Address: "10.0.0.77:8080"}}, nil
	}
	return gateway.Adoption{}, fmt.Errorf("hunk %s can't be adopted: %w: it is nobody's", id, gateway.ErrInvalid)
}

func (f *fleets) Bundles(fleet string) ([]gateway.Bundle, error) {
	if fleet != "shared" {
		return nil, fmt.Errorf("fleet %q: %w", fleet, gateway.ErrNotFound)
	}
	return []gateway.Bundle{{Digest: "abcdef", Facts: "f1", Revisions: []uint64{14, 12}, Nodes: []string{"edge-1"}}}, nil
}

func (f *fleets) Revision(_, digest string) (map[string]string, error) {
	if digest != "abcdef" {
		return nil, fmt.Errorf("revision %q: %w", digest, gateway.ErrNotFound)
	}
	return map[string]string{"upstreams.conf": "old\n"}, nil
}

func (f *fleets) Problems() []gateway.Problem {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.problems
}

// observed is the health of one upstream with one event.
type observed struct{}

func (observed) Upstreams() []gateway.UpstreamHealth {
	u, _ := observed{}.Upstream(gateway.UpstreamKey{Tenant: "acme", Name: "api"})
	return []gateway.UpstreamHealth{u, {Upstream: gateway.UpstreamKey{Tenant: "other", Name: "web"}, Bound: gateway.BoundOff}}
}

func (observed) Upstream(k gateway.UpstreamKey) (gateway.UpstreamHealth, bool) {
	return gateway.UpstreamHealth{Upstream: k, Observer: "edge-1", Eligible: 3, MayEject: 1, Arithmetic: "may eject 1 of 3", Bound: gateway.BoundShare}, k.Name == "api"
}

func (observed) History(q gateway.HealthQuery) []gateway.HealthEvent {
	e := gateway.HealthEvent{At: time.Unix(1700000000, 0).UTC(), Kind: gateway.EventEjected, Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"},
		Address: "10.0.0.4:8080", Rule: "error_ratio", Verdict: &gateway.Verdict{State: gateway.StateEjected,
			Evidence: gateway.Evidence{Counts: &gateway.Counts{Requests: 20, Errors: 12}, Samples: []gateway.Sample{{Kind: "request", Status: 502, Request: 0xabc}}}}}
	if !q.Takes(&e) {
		return nil
	}
	return []gateway.HealthEvent{e}
}
