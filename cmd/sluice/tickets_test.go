package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/proxy"
	"github.com/sluice-gateway/sluice/proxy/certs"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// A session that one edge gave is resumed by another one on the same store, also after a
// rotation of the keys, and no more after two.
func TestSessionsResumeOnOtherEdges(t *testing.T) {
	s := storetest.OpenTemp(t)
	vault := s.Shared("session-tickets")
	ca := certtest.NewCA(t, "ca", time.Now())
	pair := ca.Issue(t, time.Now(), "a.example.com")
	snap := &gateway.Snapshot{Generation: 1, Certificates: []*gateway.EffectiveCertificate{{
		Key: gateway.CertificateKey{Tenant: "acme", Name: "a"}, Hosts: []string{"a.example.com"}, Chain: pair.Chain, PrivateKey: gateway.Secret(pair.Key)}}}
	var rotated [2]atomic.Int64
	var addr [2]string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range addr {
		p := proxy.New(proxy.Config{})
		p.Apply(snap)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr[i] = ln.Addr().String()
		ended := make(chan error, 2)
		go func() { ended <- p.Serve(ln, proxy.Listener{Name: "https", TLS: &proxy.TLS{}}) }()
		tickets := certs.NewTickets(certs.TicketsConfig{Vault: vault, Log: slog.New(slog.DiscardHandler), Apply: func(keys [][32]byte) { p.SetTicketKeys(keys); rotated[i].Add(1) }})
		go func() { ended <- tickets.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			_ = p.Shutdown(ctx)
			for range 2 {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		})
	}
	both := func(n int64) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); rotated[0].Load() < n || rotated[1].Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("keys were set %d and %d times, want %d", rotated[0].Load(), rotated[1].Load(), n)
			}
		}
	}
	both(1)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			sessions := &sessionOf{}
			shake := func(edge int) bool {
				return handshake(t, addr[edge], &tls.Config{RootCAs: ca.Pool, ServerName: "a.example.com", MaxVersion: version, ClientSessionCache: sessions})
			}
			shake(0)
			first := *sessions
			resumed := func() string { // of the first session, which is offered again and again
				*sessions = first
				one := shake(0)
				*sessions = first
				return fmt.Sprint(one, shake(1))
			}
			before := rotated[0].Load()
			for n, want := range []string{"true true", "true true", "false false"} {
				if got := resumed(); got != want {
					t.Errorf("after %d rotations: resumed %s, want %s", n, got, want)
				}
				expire(t, vault)
				both(before + int64(2*n+2)) // the expired ones, and those that follow
			}
		})
	}
}

// sessionOf keeps the last session.
type sessionOf struct{ s *tls.ClientSessionState }

func (o *sessionOf) Get(string) (*tls.ClientSessionState, bool) { return o.s, o.s != nil }
func (o *sessionOf) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.s = s
	}
}

// handshake says whether the session was resumed. It does a request, so that the tickets
// that follow a handshake of TLS 1.3 are read.
func handshake(t *testing.T, addr string, cfg *tls.Config) bool {
	t.Helper()
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().DidResume
}

// expire makes the keys 13 hours old.
func expire(t *testing.T, vault certs.Vault) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := vault.Watch(ctx, func(value []byte, revision int64) {
		defer cancel()
		if ctx.Err() != nil {
			return
		}
		var keys certs.TicketKeys
		if err := json.Unmarshal(value, &keys); err != nil {
			t.Error(err)
		}
		keys.Rotated = time.Now().Add(-13 * time.Hour)
		b, _ := json.Marshal(keys)
		if ok, err := vault.Swap(t.Context(), b, revision); !ok || err != nil {
			t.Errorf("swap: %t, %v", ok, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
