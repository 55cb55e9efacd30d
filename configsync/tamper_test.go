package configsync_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// tamper stands between the control plane and its agents, and may change what agents are told:
// it has the control plane's certificate and not its key for bundles.
type tamper struct {
	mu     sync.Mutex
	desire string                 // guarded by mu; in place of what is desired, unless empty
	change func(*protocol.Bundle) // guarded by mu; nil: none
	last   protocol.Bundle        // guarded by mu; the newest that went through, unchanged
}

func (m *tamper) set(desire string, change func(*protocol.Bundle)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.desire, m.change = desire, change
}

func (m *tamper) newest() protocol.Bundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

func (m *tamper) between(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != protocol.PathSync && req.URL.Path != protocol.PathBundle {
			next.ServeHTTP(w, req)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, req)
		status, body := m.pass(req.URL.Path, rec.Code, rec.Body.Bytes())
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

// pass may change an answer, and answers by itself for a bundle that is known here alone.
func (m *tamper) pass(path string, status int, body []byte) (int, []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var answer protocol.SyncResponse
	var b protocol.Bundle
	switch {
	case path == protocol.PathSync && status == http.StatusOK && m.desire != "":
		_ = json.Unmarshal(body, &answer)
		answer.Desired = m.desire
		body, _ = json.Marshal(answer)
	case path == protocol.PathBundle && m.change != nil:
		_ = json.Unmarshal(body, &b)
		m.change(&b)
		status = http.StatusOK
		body, _ = json.Marshal(b)
	case path == protocol.PathBundle && status == http.StatusOK:
		_ = json.Unmarshal(body, &b)
		m.last = b
	}
	return status, body
}

// statement reads what an envelope says without asking who says it.
func statement(t *testing.T, b protocol.Bundle) protocol.Statement {
	t.Helper()
	var s protocol.Statement
	if err := json.Unmarshal(b.Envelope.Statement, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// refuses waits until the node has refused a bundle at the first step, with these words.
func (w *world) refuses(digest, text, body string) {
	w.t.Helper()
	w.until("the bundle to be refused: "+text, func() error {
		n, err := w.controller.Node("shared", w.edges[0].name)
		if digest == "" {
			digest = n.Desired
		}
		if err == nil && (n.Failed == nil || n.Failed.Digest != digest || n.Failed.Step != "verify-bundle" || !strings.Contains(n.Failed.Message, text)) {
			err = fmt.Errorf("it is %s: %+v", n.State, n.Failed)
		}
		return err
	})
	w.expectAll("shop.test", 200, body)
}

// Bundles that somebody changed, signed himself, made for others or sent again never reach nginx,
// and the report says why; an honest rollback does.
func TestForgedBundles(t *testing.T) {
	w := newWorld(t, 1)
	one, two := backend(t, "one"), backend(t, "two")
	w.serve("", one)
	w.allAre(gateway.NodeInSync)
	first := w.tamper.newest()
	w.serve("", two)
	w.allAre(gateway.NodeInSync)
	second := w.tamper.newest()
	if a, b := statement(t, first), statement(t, second); a.Number == 0 || b.Number <= a.Number || b.Previous < a.Number || a.Fleet != "shared" {
		t.Fatalf("the bundles say %+v and %+v", a, b)
	}
	_, foreignKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(b *protocol.Bundle, change func(*protocol.Statement)) {
		s := statement(t, *b)
		change(&s)
		if b.Envelope, err = w.authority.Sign(s); err != nil {
			t.Error(err)
		}
	}
	for i, row := range []struct {
		text   string
		change func(*protocol.Bundle)
	}{
		{"is damaged", func(b *protocol.Bundle) { f := &b.Tree.Files[0]; f.Data = f.Data[:len(f.Data)-2] + "#\n" }},
		{"no key of the control plane", func(b *protocol.Bundle) {
			b.Envelope.Statement = bytes.Replace(b.Envelope.Statement, []byte(`"number":`), []byte(`"number":9`), 1)
		}},
		{"no key of the control plane", func(b *protocol.Bundle) { b.Envelope, err = protocol.Sign(statement(t, *b), foreignKey) }},
		{"what is signed is", func(b *protocol.Bundle) { b.Envelope = first.Envelope }},
		{"was asked for", func(b *protocol.Bundle) { *b = first }},
		{`bundle of fleet "private"`, func(b *protocol.Bundle) { sign(b, func(s *protocol.Statement) { s.Fleet = "private" }) }},
		{"another nginx", func(b *protocol.Bundle) { sign(b, func(s *protocol.Statement) { s.Facts = "others" }) }},
	} {
		w.tamper.set("", row.change)
		w.serve("", two, "127.0.0.1:"+fmt.Sprint(1+i))
		w.refuses("", row.text, "two")
		w.serve("", two)
		w.tamper.set("", nil)
		w.allAre(gateway.NodeInSync)
	}
	w.until("the refusals to be settled", func() error {
		if p := w.controller.Problems(); len(p) != 0 {
			return fmt.Errorf("left: %+v", p)
		}
		return nil
	})
	w.rollsBack(first, w.tamper.newest())
}

// rollsBack replays an old bundle, then sends it as a rollback, and then replays what was taken back.
func (w *world) rollsBack(old, now protocol.Bundle) {
	w.t.Helper()
	w.tamper.set(old.Tree.Digest, func(b *protocol.Bundle) { *b = old })
	w.nudge()
	w.refuses(old.Tree.Digest, "an old bundle was sent again", "two")

	s := statement(w.t, old)
	s.Previous, s.Rollback = statement(w.t, now).Number, true
	back, err := w.authority.Sign(s)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tamper.set(old.Tree.Digest, func(b *protocol.Bundle) { b.Tree, b.Envelope = old.Tree, back })
	w.until("the rollback to be applied", func() error {
		_, body, err := get(w.edges[0], "shop.test")
		if err == nil && !strings.Contains(body, "one") {
			err = fmt.Errorf("answered by %q", body)
		}
		return err
	})
	w.tamper.set(now.Tree.Digest, func(b *protocol.Bundle) { *b = now })
	w.nudge()
	w.refuses(now.Tree.Digest, "was taken back by a rollback", "one")
	w.tamper.set("", nil)
	w.serve("", strings.TrimPrefix(w.snapshot.Upstreams[0].Endpoints[0].Address, "http://"), "127.0.0.1:9")
	w.serve("", w.snapshot.Upstreams[0].Endpoints[0].Address)
	w.allAre(gateway.NodeInSync)
	w.expectAll("shop.test", 200, "two")
}

// nudge makes the control plane say something new, so that its agents' requests end.
func (w *world) nudge() {
	w.serve("", w.snapshot.Upstreams[0].Endpoints[0].Address, "127.0.0.1:9")
	w.serve("", w.snapshot.Upstreams[0].Endpoints[0].Address)
}
