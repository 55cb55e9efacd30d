// Package enroltest runs an authority for tests of agents, and serves them as the binary does.
package enroltest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/store"
)

// New makes an authority over a store, which runs until the test ends. now is nil for the
// machine's clock.
func New(t testing.TB, s *store.Store, now func() time.Time, log *slog.Logger) *enrol.Authority {
	t.Helper()
	a := enrol.New(enrol.Config{Secrets: s.Shared("fleet-authority"), Refused: s.Shared("fleet-refused"),
		Tokens: s.Ledger("fleet-tokens"), Nodes: s.Ledger("fleet-nodes"), Now: now, Log: log})
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

// Serve serves agents over mutual TLS on an address; empty for any. The handler is not guarded
// by it.
func Serve(t testing.TB, a *enrol.Authority, address string, handler http.Handler) *httptest.Server {
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
	s := httptest.NewUnstartedServer(handler)
	_ = s.Listener.Close()
	s.Listener = tls.NewListener(l, cfg)
	s.Start()
	s.URL = "https://" + l.Addr().String()
	return s
}
