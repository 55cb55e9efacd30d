package configsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// desk is a controller with one node whose agent reports edits of its files.
type desk struct {
	t *testing.T
	*Controller
	snapshot *gateway.Snapshot
	now      time.Time
	facts    gateway.NodeFacts
}

func newDesk(t *testing.T) *desk { return newDeskWith(t, nil) }

func newDeskWith(t *testing.T, store Reverts) *desk {
	e := &desk{t: t, now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC), facts: gateway.NodeFacts{TreePath: "/t/current", ConfPath: "/etc/nginx/nginx.conf", PID: 7}}
	e.Controller = New(Config{Reverts: store, Now: func() time.Time { return e.now }})
	e.snapshot = testSnapshot([]string{"shared"}, "10.0.0.4:80", "add_header X-A 1;")
	e.snapshot.NginxDirectives = []string{"proxy_buffering", "proxy_read_timeout", "add_header"}
	u := e.snapshot.Upstreams[0]
	u.Endpoints[0].Sources = []gateway.SourceKind{gateway.SourceManual}
	u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: "10.0.0.5:80", Weight: 1, InRotation: true, Sources: []gateway.SourceKind{gateway.SourceKubernetes}})
	e.Apply(e.snapshot)
	return e
}

// report is what the agent says after a file was edited: pairs as for strings.NewReplacer.
func (e *desk) report(path string, pairs ...string) (protocol.SyncResponse, []gateway.Hunk) {
	e.t.Helper()
	r := gateway.NodeReport{Fleet: "shared", Node: "edge-1", Facts: e.facts}
	mustSync(e.t, e.Controller, r)
	tree, err := e.DesiredTree("shared", "edge-1")
	if err != nil {
		e.t.Fatal(err)
	}
	r.OnDisk, r.Running, r.Fingerprint, r.RunningFingerprint = tree.Digest, tree.Digest, "f"+strings.Join(pairs, ""), "f"
	uploaded := &protocol.NodeTree{Fingerprint: r.Fingerprint}
	places := nginxconf.PlacesOf(e.facts, tree.Digest)
	for _, f := range tree.Files {
		is := f.Data
		if f.Path == path {
			is = strings.NewReplacer(pairs...).Replace(is)
			if is == f.Data {
				e.t.Fatalf("nothing to edit in\n%s", is)
			}
			d := gateway.FileDrift{Path: path, Change: "modified", Hunks: nginxconf.Compare(path, nginxconf.NewSide(path, f.Data, places), nginxconf.NewSide(path, is, places))}
			r.Drift = append(r.Drift, d)
		}
		uploaded.Files = append(uploaded.Files, protocol.NodeFile{Path: f.Path, Data: []byte(is)})
	}
	out := mustSync(e.t, e.Controller, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.keepTree(e.fleets["shared"].nodes["edge-1"], uploaded); err != nil {
		e.t.Fatal(err)
	}
	if len(r.Drift) == 0 {
		return out, nil
	}
	return out, r.Drift[0].Hunks
}

const (
	serverPath   = "servers/acme.shop.test.conf"
	upstreamPath = "upstreams/acme.api.conf"
)

// TestAdoption: what becomes of edits, and why others can't be adopted.
func TestAdoption(t *testing.T) {
	weight := func(w int) *int { return &w }
	for _, c := range []struct {
		name, path, old, new string
		want                 gateway.Adoption
		refused              string
	}{
		{name: "a value of a location", path: serverPath, old: "proxy_read_timeout 60s;", new: "proxy_read_timeout 5m;",
			want: gateway.Adoption{Override: &gateway.Override{Spec: gateway.OverrideSpec{Route: "shop", Nginx: "proxy_read_timeout 5m;", Reason: "why"}}}},
		{name: "one more directive", path: serverPath, old: "proxy_read_timeout 60s;", new: "proxy_read_timeout 60s; proxy_buffering off;",
			want: gateway.Adoption{Override: &gateway.Override{Spec: gateway.OverrideSpec{Route: "shop", Nginx: "proxy_buffering off;", Reason: "why"}}}},
		{name: "what no policy allows", path: serverPath, old: "proxy_read_timeout 60s;", new: "proxy_read_timeout 60s; proxy_limit_rate 9k;", refused: "no policy allows it"},
		{name: "what is never allowed", path: serverPath, old: "proxy_read_timeout 60s;", new: "proxy_read_timeout 60s; root /;", refused: "never accepted from an override"},
		{name: "a block", path: serverPath, old: "proxy_read_timeout 60s;", new: "proxy_read_timeout 60s; if ($arg_a) { return 403; }", refused: "single directives only"},
		{name: "one less", path: serverPath, old: "proxy_read_timeout 60s;", new: "", refused: "can't take \"proxy_read_timeout\" away"},
		{name: "outside of locations", path: serverPath, old: "proxy_redirect off;", new: "proxy_redirect off; proxy_buffering off;", refused: "outside of a location of a route"},
		{name: "a comment", path: serverPath, old: "proxy_redirect off;", new: "proxy_redirect off; # why", refused: "no place for comments"},
		{name: "of another override", path: serverPath, old: "add_header X-A 1;", new: "add_header X-A 2;", refused: "the line comes from Override acme/o"},
		{name: "in a file of everybody", path: "base/common.conf", old: "map $http_upgrade", new: "gzip on; map $http_upgrade", refused: "belongs to no object"},
		{name: "one more endpoint", path: upstreamPath, old: "server 10.0.0.5:80;", new: "server 10.0.0.5:80; server 10.0.0.9:80 weight=3;", want: gateway.Adoption{Endpoint: &gateway.ManualEndpoint{Address: "10.0.0.9:80", Weight: weight(3)}}},
		{name: "another weight", path: upstreamPath, old: "server 10.0.0.4:80;", new: "server 10.0.0.4:80 weight=2;", want: gateway.Adoption{Endpoint: &gateway.ManualEndpoint{Address: "10.0.0.4:80", Weight: weight(2)}}},
		{name: "an endpoint goes down", path: upstreamPath, old: "server 10.0.0.5:80;", new: "server 10.0.0.5:80 down;", want: gateway.Adoption{Pin: &gateway.PinSpec{Upstream: "api", Address: "10.0.0.5:80", State: gateway.PinDown}}},
		{name: "one less by hand", path: upstreamPath, old: "server 10.0.0.4:80;", new: "", want: gateway.Adoption{Remove: "10.0.0.4:80"}},
		{name: "one less of Kubernetes", path: upstreamPath, old: "server 10.0.0.5:80;", new: "", want: gateway.Adoption{Pin: &gateway.PinSpec{Upstream: "api", Address: "10.0.0.5:80", State: gateway.PinDrained}}},
		{name: "a name", path: upstreamPath, old: "server 10.0.0.5:80;", new: "server 10.0.0.5:80; server web.test:80;", refused: "endpoints are addresses"},
		{name: "a parameter", path: upstreamPath, old: "server 10.0.0.5:80;", new: "server 10.0.0.5:80 max_fails=3;", refused: "\"max_fails=3\" has no place"},
		{name: "two things at once", path: upstreamPath, old: "server 10.0.0.5:80;", new: "server 10.0.0.5:80 weight=2 down;", refused: "two objects"},
		{name: "balancing", path: upstreamPath, old: "server 10.0.0.4:80;", new: "least_conn; server 10.0.0.4:80;", refused: "only its servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newDesk(t)
			_, hunks := e.report(c.path, c.old, c.new)
			if len(hunks) != 1 {
				t.Fatalf("hunks %+v", hunks)
			}
			got, err := e.Adoption("shared", hunks[0].ID, "why")
			if c.refused != "" {
				if !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "Revert it, or allow it") {
					t.Errorf("got %+v, %v; want a refusal with %q", got, err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if o := got.Override; o != nil {
				if o.Name != "adopted-"+hunks[0].ID || o.Tenant != "acme" || c.want.Override == nil || o.Spec != c.want.Override.Spec {
					t.Errorf("got %+v", o)
				}
				return
			}
			if show(got) != show(c.want) || got.Upstream.String() != "acme/api" {
				t.Errorf("got %s, want %s", show(got), show(c.want))
			}
		})
	}
}

func show(a gateway.Adoption) string {
	text := "remove " + a.Remove
	if a.Endpoint != nil {
		text += fmt.Sprintf(" endpoint %s weight %d priority %d", a.Endpoint.Address, *a.Endpoint.Weight, a.Endpoint.Priority)
	}
	if a.Pin != nil {
		text += fmt.Sprintf(" pin %+v", *a.Pin)
	}
	return text
}

// TestRevertIsAskedOnce: the agent is told, and told nothing more once it has carried it out.
func TestRevertIsAskedOnce(t *testing.T) {
	e := newDesk(t)
	out, hunks := e.report(serverPath, "60s", "5m")
	if out.Settle != nil {
		t.Errorf("nobody asked for %+v", out.Settle)
	}
	if _, err := e.Revert(t.Context(), "shared", "ffffffffffff", nil, "alice"); !errors.Is(err, gateway.ErrNotFound) || !strings.Contains(err.Error(), hunks[0].ID) {
		t.Errorf("no such hunk: %v", err)
	}
	if _, err := e.Revert(t.Context(), "shared", hunks[0].ID, []string{"edge-2"}, "alice"); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("a node without it: %v", err)
	}
	nodes, err := e.Revert(t.Context(), "shared", hunks[0].ID, nil, "alice")
	if err != nil || !slices.Equal(nodes, []string{"edge-1"}) {
		t.Fatalf("%v %v", nodes, err)
	}
	n := e.fleets["shared"].nodes["edge-1"]
	ask := func(heard, carried string) *protocol.Settle {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.settleNews(n, heard, carried)
	}
	s := ask("", "")
	if s == nil || !slices.Equal(s.Revert, []string{hunks[0].ID}) || s.Digest == "" {
		t.Fatalf("settle %+v", s)
	}
	if again := ask("", ""); again == nil || again.Digest != s.Digest {
		t.Errorf("an agent that lost the answer is not told again: %+v", again)
	}
	if busy := ask(s.Digest, ""); busy != nil {
		t.Errorf("an agent that is at it is told again: %+v", busy)
	}
	if anew := ask("", ""); anew == nil || anew.Digest != s.Digest {
		t.Errorf("an agent that was started anew before it was done is not told again: %+v", anew)
	}
	if after := ask(s.Digest, s.Digest); after == nil || after.Digest != "" || len(after.Revert) != 0 {
		t.Errorf("after it was carried out: %+v", after)
	}
	if nothing := ask("", s.Digest); nothing != nil {
		t.Errorf("settle %+v", nothing)
	}
	e.now = e.now.Add(time.Second)
	if _, err := e.Revert(t.Context(), "shared", hunks[0].ID, nil, "alice"); err != nil {
		t.Fatal(err)
	}
	if second := ask(s.Digest, s.Digest); second == nil || len(second.Revert) != 1 || second.Digest == s.Digest {
		t.Errorf("asked for again: %+v", second)
	}
}

// TestAllowances: a node whose edits are all allowed is in sync until the date, and its agent
// knows which ones go on.
func TestAllowances(t *testing.T) {
	e := newDesk(t)
	_, hunks := e.report(serverPath, "proxy_read_timeout 60s;", "proxy_read_timeout 5m;", "proxy_send_timeout 60s;", "proxy_send_timeout 5m;")
	state := func(want gateway.NodeState, allowed int, mismatch gateway.Mismatch) {
		t.Helper()
		n, err := e.Node("shared", "edge-1")
		if err != nil || n.State != want || n.Allowed != allowed || n.Mismatch != mismatch {
			t.Errorf("%v, state %s, %d allowed, mismatch %q; want %s, %d, %q", err, n.State, n.Allowed, n.Mismatch, want, allowed, mismatch)
		}
	}
	state(gateway.NodeDrifted, 0, gateway.MismatchDiskRunning)
	next := *e.snapshot
	for i, h := range hunks {
		next.Allowances = append(next.Allowances, &gateway.Allowance{Meta: gateway.Meta{Kind: gateway.KindAllowance, Name: h.ID, UpdatedBy: "alice"},
			Spec: gateway.AllowanceSpec{Fleet: "shared", Hunk: h.ID, Until: e.now.Add(time.Hour), Reason: "OPS-1"}})
		snapshot := next
		e.Apply(&snapshot)
		state(map[bool]gateway.NodeState{true: gateway.NodeInSync, false: gateway.NodeDrifted}[i == 1], i+1, gateway.MismatchDiskRunning)
	}
	out, _ := e.report(serverPath, "proxy_read_timeout 60s;", "proxy_read_timeout 5m;", "proxy_send_timeout 60s;", "proxy_send_timeout 5m;")
	if out.Settle == nil || len(out.Settle.Allowed) != 2 {
		t.Errorf("settle %+v", out.Settle)
	}
	h, err := e.Hunk("shared", hunks[0].ID)
	if err != nil || h.On[0].Allowed == nil || h.On[0].Allowed.By != "alice" || h.On[0].Allowed.Reason != "OPS-1" {
		t.Errorf("%v %+v", err, h)
	}
	e.now = e.now.Add(2 * time.Hour)
	e.report(serverPath, "proxy_read_timeout 60s;", "proxy_read_timeout 5m;", "proxy_send_timeout 60s;", "proxy_send_timeout 5m;")
	state(gateway.NodeDrifted, 0, gateway.MismatchDiskRunning)
}

// TestNoKeysInTrees: neither nodes nor revisions show a private key.
func TestNoKeysInTrees(t *testing.T) {
	e := newDesk(t)
	_, _ = e.report(serverPath, "60s", "5m")
	n := e.fleets["shared"].nodes["edge-1"]
	const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
	n.tree.Files = append(n.tree.Files, protocol.NodeFile{Path: "/etc/nginx/a.conf", Data: []byte(key)})
	n.rendering.tree.Files = append(n.rendering.tree.Files, nginxconf.File{Path: "certs/a.conf", Data: key})
	node, err := e.NodeTree("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	desired, err := e.DesiredTree("shared", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := e.Revision("shared", desired.Digest[:8])
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%+v %+v", desired, revision)
	for _, f := range node.Files {
		all += string(f.Data)
	}
	if strings.Contains(all, "MIIE") || strings.Count(all, "sluice_hidden_secret") != 3 {
		t.Errorf("a key is shown: %s", all)
	}
	for digest, want := range map[string]error{"abc": gateway.ErrInvalid, "0000000000": gateway.ErrNotFound} {
		if _, err := e.Revision("shared", digest); !errors.Is(err, want) {
			t.Errorf("revision %q: %v", digest, err)
		}
	}
}
