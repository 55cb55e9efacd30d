package configsync_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// clock is the real one, moved.
type clock struct{ by atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *clock) move(by time.Duration) { c.by.Add(int64(by)) }

// newAuthority is a replica of the control plane's, until the end of the test.
func newAuthority(t *testing.T, s *store.Store, now func() time.Time) *enrol.Authority {
	t.Helper()
	a := enrol.New(enrol.Config{Secrets: s.Shared("fleet-authority"), Refused: s.Shared("fleet-refused"),
		Tokens: s.Ledger("fleet-tokens"), Nodes: s.Ledger("fleet-nodes"), Now: now, Log: logger(t)})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Errorf("the authority ended: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	if err := a.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// secure serves the agents of a world as the binary does; address is empty for any.
func secure(t *testing.T, w *world, address string) *httptest.Server {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.authority.ServerTLS()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	next := w.authority.Guard(w.tamper.between(w.controller.Handler()))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Date", w.clock.now().UTC().Format(http.TimeFormat))
		next.ServeHTTP(rw, req)
	}))
	_ = s.Listener.Close()
	s.Listener = tls.NewListener(l, cfg)
	s.Start()
	s.URL = "https://" + l.Addr().String()
	return s
}

// tokenFile puts a token for an edge where its agent looks, unless there is one.
func (w *world) tokenFile(e *edge) string {
	w.t.Helper()
	file := filepath.Join(e.Dir, "enrol-token")
	if _, err := os.Stat(file); err != nil {
		w.newToken(e)
	}
	return file
}

// newToken puts another one there.
func (w *world) newToken(e *edge) {
	w.t.Helper()
	text, _, err := w.authority.NewToken(w.t.Context(), "shared", e.name, 0, "test")
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Dir, "enrol-token"), []byte(text+"\n"), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func numbered(s *store.Store) enrol.Numbers { return enrol.Numbers{Ledger: s.Ledger("fleet-numbers")} }

func openStore(t *testing.T) *store.Store { return storetest.OpenTemp(t) }
