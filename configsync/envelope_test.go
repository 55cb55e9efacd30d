package configsync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// plainSigner signs nothing, so that tests can read what would be signed.
type plainSigner struct{}

func (plainSigner) Sign(s protocol.Statement) (protocol.Envelope, error) {
	text, err := json.Marshal(s)
	return protocol.Envelope{Statement: text}, err
}

// counter counts in memory.
type counter struct {
	mu   sync.Mutex
	last uint64
	err  error
}

func (c *counter) Number(context.Context, string, string) (protocol.Numbering, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return protocol.Numbering{Number: c.last, Previous: c.last - 1}, c.err
}

// anyNode takes each request for one of the node that it speaks for.
func anyNode(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p := protocol.Peer{Fleet: req.URL.Query().Get("fleet"), Node: req.URL.Query().Get("node")}
		if req.Method == http.MethodPost {
			b, _ := io.ReadAll(req.Body)
			var in protocol.SyncRequest
			_ = json.Unmarshal(b, &in)
			p = protocol.Peer{Fleet: in.Report.Fleet, Node: in.Report.Node}
			req.Body = io.NopCloser(bytes.NewReader(b))
		}
		next.ServeHTTP(w, req.WithContext(protocol.WithPeer(req.Context(), p)))
	})
}

// A node can not speak for another one, and nobody without a name is heard.
func TestPeers(t *testing.T) {
	c := New(Config{})
	c.Apply(testSnapshot([]string{"shared", "private"}, "10.0.0.1:80", ""))
	sync := `{"report":{"fleet":"shared","node":"edge-1","facts":{}}}`
	for _, q := range []struct {
		peer               *protocol.Peer
		method, path, body string
		status             int
	}{
		{nil, "POST", protocol.PathSync, sync, 401},
		{nil, "GET", protocol.PathBundle + "?fleet=shared&node=edge-1", "", 401},
		{&protocol.Peer{Fleet: "shared", Node: "edge-1"}, "POST", protocol.PathSync, sync, 200},
		{&protocol.Peer{Fleet: "shared", Node: "edge-2"}, "POST", protocol.PathSync, sync, 403},
		{&protocol.Peer{Fleet: "private", Node: "edge-1"}, "POST", protocol.PathSync, sync, 403},
		{&protocol.Peer{Fleet: "shared", Node: "edge-2"}, "GET", protocol.PathBundle + "?fleet=shared&node=edge-1", "", 403},
		{&protocol.Peer{Fleet: "shared", Node: "edge-2"}, "PUT", protocol.PathTree + "?fleet=shared&node=edge-1", "{}", 403},
		{&protocol.Peer{Fleet: "shared", Node: "edge-2"}, "POST", protocol.PathOutcomes + "?fleet=shared&node=edge-1", "{}", 403},
	} {
		req := httptest.NewRequest(q.method, q.path, strings.NewReader(q.body))
		if q.peer != nil {
			req = req.WithContext(protocol.WithPeer(req.Context(), *q.peer))
		}
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, req)
		if w.Code != q.status {
			t.Errorf("%v: %s %s: %d %s", q.peer, q.method, q.path, w.Code, w.Body)
		}
	}
}

// Each desired bundle gets one number, above all that were given out before; what comes back after
// a change is a new one.
func TestNumbersOfBundles(t *testing.T) {
	count := &counter{}
	now := time.Now()
	c := New(Config{Signer: plainSigner{}, Numberer: count, Now: func() time.Time { return now }})
	ask := func(o order, want uint64) {
		t.Helper()
		o.fleet, o.node = "shared", "edge-1"
		b, err := c.bundle(t.Context(), o)
		var s protocol.Statement
		if err == nil {
			err = json.Unmarshal(b.Envelope.Statement, &s)
		}
		if err != nil || s.Number != want || s.Fleet != "shared" || s.Facts != o.facts || s.Digest != b.Tree.Digest || b.Tree.Verify() != nil {
			t.Errorf("%+v: %+v %v, want number %d", o, s, err, want)
		}
	}
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	one := mustSync(t, c, report("edge-1")).Desired
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { ask(order{}, 1) })
	}
	all.Wait()
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.2:80", ""))
	two := mustSync(t, c, report("edge-1")).Desired
	ask(order{digest: one}, 1) // a node that is one step behind
	ask(order{digest: two}, 2)
	ask(order{digest: two, facts: "f"}, 3)
	ask(order{digest: two}, 2)
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	ask(order{digest: one}, 4)
	ask(order{digest: one, above: 4}, 4)
	ask(order{digest: one, above: 5}, 5) // a node that had other facts before
	ask(order{digest: one}, 5)
	ask(order{digest: one, above: 9}, 5) // not again within a second
	now = now.Add(2 * time.Second)
	ask(order{digest: one, above: 9}, 6)

	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.3:80", ""))
	unasked := mustSync(t, c, report("edge-1")).Desired
	c.Apply(testSnapshot([]string{"shared"}, "10.0.0.4:80", ""))
	if _, err := c.bundle(t.Context(), order{fleet: "shared", node: "edge-1", digest: unasked}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a bundle without a number that is not desired any more: %v", err)
	}
	count.err = gateway.ErrUnavailable
	if _, err := c.bundle(t.Context(), order{fleet: "shared", node: "edge-1"}); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("without the store: %v", err)
	}
	bare := New(Config{})
	bare.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
	mustSync(t, bare, report("edge-1"))
	if _, err := bare.bundle(t.Context(), order{fleet: "shared", node: "edge-1"}); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("without a signer: %v", err)
	}
}
