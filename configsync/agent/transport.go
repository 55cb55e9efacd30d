package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// transport makes connections to the control plane. Those that were opened with an older
// certificate end when they are idle.
type transport struct {
	id *identity

	mu     sync.Mutex
	shared *http.Client // guarded by mu
}

func newTransport(i *identity) *transport {
	t := &transport{id: i}
	t.shared = t.make(t.trusted)
	return t
}

// client shows the node's certificate to the control plane that signed it.
func (t *transport) client() *http.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shared
}

// renew drops connections that show the certificate before.
func (t *transport) renew() {
	t.mu.Lock()
	old := t.shared
	t.shared = t.make(t.trusted)
	t.mu.Unlock()
	old.CloseIdleConnections()
}

// pinned speaks to the control plane whose authority has that hash, and to nobody else.
func (t *transport) pinned(hash [32]byte) *http.Client {
	return t.make(func(chain []*x509.Certificate) error {
		i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return sha256.Sum256(c.Raw) == hash })
		if i < 0 {
			return errors.New("this is not the control plane that made the enrolment token: its authority is another one. Is --server right, and is nobody in between?")
		}
		return t.verify(chain, chain[i], t.id.now())
	})
}

func (t *transport) trusted(chain []*x509.Certificate) error {
	h := t.id.current()
	if h == nil {
		return errNotEnrolled
	}
	return t.verify(chain, h.authority, t.id.now())
}

func (t *transport) make(check func(chain []*x509.Certificate) error) *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second, IdleConnTimeout: 90 * time.Second, Proxy: http.ProxyFromEnvironment,
		// A control plane that vanished without a word is noticed, and the connection not used again.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			// The names of the control plane's hosts don't matter: its authority signs for the
			// control plane alone, and check asks for that.
			InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it
			VerifyConnection:   func(s tls.ConnectionState) error { return check(s.PeerCertificates) },
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if h := t.id.current(); h != nil {
					return &h.certificate, nil
				}
				return &tls.Certificate{}, nil
			},
		},
	}}
}

// clockError: the control plane's certificate is not good by this machine's clock.
type clockError struct{ leaf *x509.Certificate }

// Error is what is known without asking for the time.
func (e *clockError) Error() string {
	return fmt.Sprintf("the control plane's certificate is good from %s to %s", stamp(e.leaf.NotBefore), stamp(e.leaf.NotAfter))
}

// verify checks that chain[0] is the control plane's, by an authority that is trusted.
func (t *transport) verify(chain []*x509.Certificate, authority *x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("the control plane shows no certificate")
	}
	roots, leaf := x509.NewCertPool(), chain[0]
	roots.AddCert(authority)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return &clockError{leaf}
	}
	if err != nil {
		return fmt.Errorf("this is not the control plane that this node is enrolled with: %w", err)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != protocol.ControlURI {
		return errors.New("whoever answers has a certificate of the control plane's authority and is not the control plane")
	}
	return nil
}

// call sends in as JSON (nil: no body) and reads the answer into out (nil: not read).
func (i *identity) call(ctx context.Context, c *http.Client, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, i.cfg.Server+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if clock := (*clockError)(nil); errors.As(err, &clock) {
		return i.explainClock(ctx, clock)
	}
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	i.noteClock(res.Header)
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBundle))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return i.refusedError(method, path, res.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}
