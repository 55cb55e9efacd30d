package enrol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// site is an authority on a real store, with a clock of its own.
type site struct {
	*Authority
	t     *testing.T
	store *store.Store
	past  atomic.Int64 // seconds that the clock was moved by
}

func (s *site) now() time.Time              { return time.Now().Add(time.Duration(s.past.Load()) * time.Second) }
func (s *site) move(by time.Duration)       { s.past.Add(int64(by / time.Second)) }
func node(fleet, name string) protocol.Peer { return protocol.Peer{Fleet: fleet, Node: name} }

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: storetest.OpenTemp(t)}
	s.Authority = s.replica()
	return s
}

// replica starts one more replica on the same store.
func (s *site) replica() *Authority {
	s.t.Helper()
	a := New(Config{Secrets: s.store.Shared("fleet-authority"), Refused: s.store.Shared("fleet-refused"),
		Tokens: s.store.Ledger("fleet-tokens"), Nodes: s.store.Ledger("fleet-nodes"), Now: s.now})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.Run(ctx); err != nil {
			s.t.Errorf("the authority ended: %v", err)
		}
	})
	s.t.Cleanup(func() {
		stop()
		running.Wait()
	})
	if err := a.Wait(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// applicant is a key that wants to be a node.
type applicant struct {
	key     *ecdsa.PrivateKey
	request []byte
}

func newApplicant(t *testing.T) applicant {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return applicant{key, der}
}

func (s *site) token(fleet, name string) []byte {
	s.t.Helper()
	text, _, err := s.NewToken(s.t.Context(), fleet, name, 0, "admin")
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := protocol.ParseToken(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return token.Secret[:]
}

func (s *site) apply(secret []byte, p protocol.Peer, a applicant) (protocol.Credentials, error) {
	return s.enrol(s.t.Context(), protocol.EnrolRequest{Secret: secret, Fleet: p.Fleet, Node: p.Node, Request: a.request})
}

// ask sends a request with a certificate through a replica's guard.
func (s *site) ask(a *Authority, der []byte) (status int, body string) {
	s.t.Helper()
	h := a.Guard(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := protocol.Check(req.Context(), req.URL.Query().Get("fleet"), req.URL.Query().Get("node")); err != nil {
			protocol.WriteError(w, err)
		}
	}))
	req := httptest.NewRequest(http.MethodGet, "/agent/v1/bundle?fleet=shared&node=n1", nil)
	req.TLS = &tls.ConnectionState{}
	if der != nil {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			s.t.Fatal(err)
		}
		req.TLS.PeerCertificates = []*x509.Certificate{leaf}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

func (s *site) expect(a *Authority, der []byte, status int, text string) {
	s.t.Helper()
	if code, body := s.ask(a, der); code != status || !strings.Contains(body, text) {
		s.t.Errorf("answered %d %s, want %d with %q", code, body, status, text)
	}
}

// A token makes one node; who it may be and when is checked; what comes of it is refused after it
// was revoked, by all replicas and also while it is renewed.
func TestEnrolment(t *testing.T) {
	s := newSite(t)
	n1, who := node("shared", "n1"), newApplicant(t)
	secret := s.token("shared", "n1")
	for _, row := range []struct {
		name   string
		secret []byte
		p      protocol.Peer
		is     error
		text   string
	}{
		{"another fleet", secret, node("private", "n1"), protocol.ErrForbidden, `is for fleet "shared"`},
		{"another node", secret, node("shared", "n2"), protocol.ErrForbidden, `is for node "n1", and this is node "n2"`},
		{"no node", secret, node("shared", "a/b"), nil, "use a host name"},
		{"another token", bytes.Repeat([]byte{1}, 32), n1, protocol.ErrUnauthorized, "is not known here"},
	} {
		if _, err := s.apply(row.secret, row.p, who); err == nil || row.is != nil && !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	first, err := s.apply(secret, n1, who)
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, first.Certificate, 200, "")
	if _, err := s.apply(secret, n1, newApplicant(t)); !errors.Is(err, protocol.ErrUnauthorized) || !strings.Contains(err.Error(), `was used at `) {
		t.Errorf("a second use: %v", err)
	}
	if again, err := s.apply(secret, n1, who); err != nil {
		t.Errorf("the same key, whose answer was lost: %v", err)
	} else {
		s.expect(s.Authority, again.Certificate, 200, "")
	}
	if _, err := s.apply(s.token("shared", ""), n1, newApplicant(t)); err == nil || !strings.Contains(err.Error(), "it has a certificate that is good until") {
		t.Errorf("a token for any node took over one in service: %v", err)
	}
	second, err := s.apply(s.token("shared", "n1"), n1, newApplicant(t))
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, first.Certificate, 403, "was revoked")
	s.expect(s.Authority, second.Certificate, 200, "")
	s.revocation(n1, second)
	if _, err := s.apply(secret, n1, who); !errors.Is(err, protocol.ErrForbidden) {
		t.Errorf("the first key comes back after it was revoked: %v", err)
	}
}

func (s *site) revocation(p protocol.Peer, last protocol.Credentials) {
	t := s.t
	t.Helper()
	other := s.replica()
	leaf, err := x509.ParseCertificate(last.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	holder, err := callerOf(leaf)
	if err != nil {
		t.Fatal(err)
	}
	next, err := other.renew(t.Context(), holder, protocol.RenewRequest{Request: newApplicant(t).request})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, next.Certificate, 200, "")
	if err := s.Revoke(t.Context(), p.Fleet, p.Node); err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, next.Certificate, 403, "was revoked")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if code, _ := s.ask(other, next.Certificate); code == 403 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other replica still takes a revoked certificate")
		}
	}
	s.expect(other, last.Certificate, 403, "was revoked")
	back, err := s.apply(s.token(p.Fleet, ""), p, newApplicant(t)) // the name is free again
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, back.Certificate, 200, "")
	if err := s.Forget(t.Context(), p.Fleet, p.Node); err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, back.Certificate, 403, "was revoked")
	if known, err := s.Enrolled(t.Context(), p.Fleet, p.Node); known || err != nil {
		t.Errorf("a forgotten node is known: %v %v", known, err)
	}
}

// Of many that use a token at the same moment, one gets a certificate.
func TestTokenIsUsedOnce(t *testing.T) {
	s := newSite(t)
	other, secret := s.replica(), s.token("shared", "")
	var wins atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		a, who := []*Authority{s.Authority, other}[i%2], newApplicant(t)
		all.Go(func() {
			_, err := a.enrol(t.Context(), protocol.EnrolRequest{Secret: secret, Fleet: "shared", Node: fmt.Sprint("n", i), Request: who.request})
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, protocol.ErrUnauthorized) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := wins.Load(); n != 1 {
		t.Errorf("%d of 16 got a certificate for one token", n)
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	text, made, err := s.NewToken(t.Context(), "shared", "", 10*time.Second, "admin")
	if err != nil {
		t.Fatal(err)
	}
	token, err := protocol.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.store.Ledger("fleet-tokens").Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for hash, value := range entries {
		if strings.Contains(hash+string(value), text) || bytes.Contains(value, token.Secret[:]) {
			t.Error("the store has the secret")
		}
	}
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 1 || list[0] != made || len(entries) != 1 {
		t.Errorf("listed: %v %v %v", list, entries, err)
	}
	s.move(11 * time.Second)
	if _, err := s.apply(token.Secret[:], node("shared", "n1"), newApplicant(t)); !errors.Is(err, protocol.ErrUnauthorized) || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("an expired token: %v", err)
	}
	second := s.token("shared", "")
	list, err := s.Tokens(t.Context())
	if err != nil || len(list) != 2 || list[1].ID != made.ID {
		t.Fatalf("listed: %v %v", list, err)
	}
	if err := s.RemoveToken(t.Context(), list[0].ID, "admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.apply(second, node("shared", "n1"), newApplicant(t)); err == nil || !strings.Contains(err.Error(), "not known here") {
		t.Errorf("a removed token: %v", err)
	}
	for _, id := range []string{"", "0123456789ab", list[0].ID} {
		if err := s.RemoveToken(t.Context(), id, "admin"); err == nil {
			t.Errorf("token %q could be removed", id)
		}
	}
	for _, bad := range []time.Duration{-1, time.Millisecond, 31 * 24 * time.Hour} {
		if _, _, err := s.NewToken(t.Context(), "shared", "", bad, "admin"); err == nil {
			t.Errorf("a token for %s was made", bad)
		}
	}
	s.move(8 * 24 * time.Hour)
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after a week: %v %v", list, err)
	}
}

func TestMembers(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"n1", "n2", "n3"} {
		if _, err := s.apply(s.token("shared", name), node("shared", name), newApplicant(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Revoke(t.Context(), "shared", "n2"), s.Forget(t.Context(), "shared", "n3")); err != nil {
		t.Fatal(err)
	}
	list, err := s.Members(t.Context())
	got := map[Member]bool{}
	for _, m := range list {
		got[m] = true
	}
	if err != nil || len(list) != 2 || !got[Member{node("shared", "n1"), false}] || !got[Member{node("shared", "n2"), true}] {
		t.Errorf("%v %+v", err, list)
	}
}

// Certificates that don't count, each with its reason.
func TestGuard(t *testing.T) {
	s := newSite(t)
	good, err := s.apply(s.token("shared", "n1"), node("shared", "n1"), newApplicant(t))
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, nil, 401, "enrol with a token")
	s.expect(s.Authority, good.Certificate, 200, "")
	other, err := s.apply(s.token("shared", "n2"), node("shared", "n2"), newApplicant(t))
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, other.Certificate, 403, `that of node \"n2\" of fleet \"shared\", and the request speaks for node \"n1\"`)
	s.expect(s.Authority, newSite(t).foreign(), 401, "is not one of this control plane")
	server, err := s.serverCertificate()
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.Authority, server.Certificate[0], 401, "incompatible key usage")
	s.move(DefaultLifetime + time.Minute)
	s.expect(s.Authority, good.Certificate, 401, "the control plane's clock says "+stamp(s.now())[:13])
	again, err := s.serverCertificate()
	if err != nil || bytes.Equal(again.Certificate[0], server.Certificate[0]) {
		t.Errorf("the listener's certificate is not replaced in time: %v", err)
	}
	for _, body := range []string{"{", `{"request":""}`} {
		w := httptest.NewRecorder()
		s.Guard(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, protocol.PathEnrol, strings.NewReader(body)))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func (s *site) foreign() []byte {
	c, err := s.apply(s.token("shared", "n1"), node("shared", "n1"), newApplicant(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Certificate
}

// Replicas share one authority, which is kept by the store, and keys for bundles are rotated so
// that nodes know each before it is used.
func TestSecrets(t *testing.T) {
	s := newSite(t)
	other := s.replica()
	before := s.secrets.Load()
	if !bytes.Equal(before.Authority, other.secrets.Load().Authority) {
		t.Fatal("two replicas have two authorities")
	}
	e, err := other.Sign(protocol.Statement{Fleet: "shared", Digest: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Open(before.bundleKeys()); err != nil || got.Digest != "d" || got.IssuedAt.IsZero() {
		t.Errorf("opened: %+v %v", got, err)
	}
	s.move(keyLifetimes*DefaultLifetime + time.Hour)
	third := s.replica() // it sees that a rotation is due
	for deadline := time.Now().Add(time.Minute); bytes.Equal(third.secrets.Load().Current, before.Current); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the keys for bundles are not rotated")
		}
	}
	if e, err = third.Sign(protocol.Statement{Fleet: "shared", Digest: "e"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open(before.bundleKeys()); err != nil {
		t.Errorf("a node that knows the keys from before the rotation: %v", err)
	}
	if _, err := e.Open([][]byte{ed25519.NewKeyFromSeed(before.Current).Public().(ed25519.PublicKey)}); err == nil {
		t.Error("the old key still signs")
	}
}

// What the store has and nobody can read is left alone.
func TestDamagedSecrets(t *testing.T) {
	s := storetest.OpenTemp(t)
	vault := s.Shared("fleet-authority")
	if ok, err := vault.Swap(t.Context(), []byte(`{"authority":"AAAA"}`), 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	a := New(Config{Secrets: vault, Refused: s.Shared("fleet-refused"), Tokens: s.Ledger("t"), Nodes: s.Ledger("n")})
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
	if a.Wait(ctx) == nil {
		t.Error("damaged secrets are used")
	}
	if _, err := a.Sign(protocol.Statement{}); err == nil {
		t.Error("something was signed without a key")
	}
	ctx, stop = context.WithCancel(t.Context())
	_ = vault.Watch(ctx, func(value []byte, _ int64) {
		var kept struct{ Authority []byte }
		if err := json.Unmarshal(value, &kept); err != nil || len(kept.Authority) != 3 {
			t.Errorf("it was replaced by %s", value)
		}
		stop()
	})
}

func TestRequestedKey(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)
	if err != nil {
		t.Fatal(err)
	}
	good := newApplicant(t).request
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	for text, request := range map[string][]byte{"keys are ECDSA": der, "verification": forged, "asn1": []byte("x")} {
		if _, err := requestedKey(request); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	if _, err := requestedKey(good); err != nil {
		t.Error(err)
	}
}

// Replicas count together.
func TestNumbers(t *testing.T) {
	ledger := storetest.OpenTemp(t).Ledger("fleet-numbers")
	var mu sync.Mutex
	var all sync.WaitGroup
	seen := map[uint64]bool{}
	for range 4 {
		all.Go(func() {
			for range 5 {
				n, err := Numbers{ledger}.Number(t.Context(), "shared", "d")
				mu.Lock()
				if err != nil || seen[n.Number] || n.Previous != n.Number-1 || n.Rollback {
					t.Errorf("%+v %v", n, err)
				}
				seen[n.Number] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if n, err := (Numbers{ledger}).Number(t.Context(), "shared", "d"); err != nil || n.Number != 21 {
		t.Errorf("after 20 numbers: %+v %v", n, err)
	}
	if n, err := (Numbers{ledger}).Number(t.Context(), "private", "d"); err != nil || n.Number != 1 {
		t.Errorf("another fleet: %+v %v", n, err)
	}
}
