package configsync_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// newAuthority is the control plane's, on a store of its own, until the end of the test.
func newAuthority(t *testing.T, s *store.Store, lifetime time.Duration, now func() time.Time) *enrol.Authority {
	t.Helper()
	a := enrol.New(enrol.Config{Secrets: s.Shared("fleet-authority"), Refused: s.Shared("fleet-refused"),
		Tokens: s.Ledger("fleet-tokens"), Nodes: s.Ledger("fleet-nodes"), Lifetime: lifetime, Now: now, Log: logger(t)})
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

// secure serves agents as the binary does; address is empty for any.
func secure(t *testing.T, a *enrol.Authority, address string, next http.Handler) *httptest.Server {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	cfg := a.ServerTLS()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	s := httptest.NewUnstartedServer(a.Guard(next))
	_ = s.Listener.Close()
	s.Listener = tls.NewListener(l, cfg)
	s.Start()
	s.URL = "https://" + l.Addr().String()
	return s
}

// token makes one for any node of the world's fleet.
func (w *world) token() string {
	w.t.Helper()
	text, _, err := w.authority.NewToken(w.t.Context(), "shared", "", 0, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// numbered is what vouches for the bundles of a world.
func numbered(s *store.Store) enrol.Numbers { return enrol.Numbers{Ledger: s.Ledger("fleet-numbers")} }

func openStore(t *testing.T) *store.Store { return storetest.OpenTemp(t) }
