package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// A certificate of the control plane is made by each replica for itself, and again after two
// thirds of this.
const serverLifetime = 30 * 24 * time.Hour

// handshakePatience is how long a handshake waits for the authority while the control plane starts.
const handshakePatience = 5 * time.Second

// ServerTLS is for the listener of the agents. Certificates of clients are taken as they come:
// Guard checks them for each request, so that answers can say what is wrong, and so that
// connections don't outlive what they were opened with.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequestClientCert,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			ctx, cancel := context.WithTimeout(hello.Context(), handshakePatience)
			defer cancel()
			if err := a.Wait(ctx); err != nil {
				return nil, err
			}
			return a.serverCertificate()
		},
	}
}

func (a *Authority) serverCertificate() (*tls.Certificate, error) {
	s, now := a.secrets.Load(), a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil && a.signer == s && now.Before(a.server.Leaf.NotAfter.Add(-serverLifetime/3)) {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the listener's key: %w", err)
	}
	name, err := url.Parse(protocol.ControlURI)
	if err != nil {
		return nil, err
	}
	leaf, err := s.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Sluice control plane"}, URIs: []*url.URL{name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(serverLifetime), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		return nil, err
	}
	// The authority goes along, for nodes that know no more of it than its hash.
	a.server, a.signer = &tls.Certificate{Certificate: [][]byte{leaf.Raw, s.Authority}, PrivateKey: key, Leaf: leaf}, s
	return a.server, nil
}

// issue signs a certificate for a public key.
func (s *secrets) issue(tmpl *x509.Certificate, key any) (*x509.Certificate, error) {
	tmpl.SerialNumber, tmpl.KeyUsage, tmpl.BasicConstraintsValid = serial(), x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, tmpl, s.authority, key, s.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// credentials issues a node's certificate for a checked key. enrolment says by which token's use,
// so that it can be refused together with those that follow it.
func (a *Authority) credentials(s *secrets, p protocol.Peer, enrolment int64, key any) (protocol.Credentials, error) {
	now := a.cfg.Now()
	leaf, err := s.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: p.Node, Organization: []string{p.Fleet}, SerialNumber: strconv.FormatInt(enrolment, 10)}, URIs: []*url.URL{p.URI()},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(a.cfg.Lifetime), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return protocol.Credentials{}, err
	}
	return protocol.Credentials{Certificate: leaf.Raw, Authority: s.Authority, BundleKeys: s.bundleKeys(), RenewAt: now.Add(a.cfg.Lifetime * 2 / 3).UTC()}, nil
}

// requestedKey is the key of a PKCS #10 request whose sender has it.
func requestedKey(der []byte) (any, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate request: %w: %w", gateway.ErrInvalid, err)
	}
	switch key := r.PublicKey.(type) {
	case ed25519.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the certificate request: %w: keys are ECDSA P-256, P-384 or Ed25519", gateway.ErrInvalid)
}
