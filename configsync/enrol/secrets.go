package enrol

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// backdate keeps certificates good for whoever's clock is behind, within reason.
	backdate = 24 * time.Hour
	// keyLifetimes is for how many lifetimes of a node's certificate a key signs bundles. Nodes
	// learn of the next key when they renew, at least once in one lifetime.
	keyLifetimes = 3
)

// shared is what the store keeps, in clear as its other secrets.
type shared struct {
	Authority []byte `json:"authority"` // certificate as DER
	Key       []byte `json:"key"`       // PKCS #8
	// Current signs bundles since Rotated, and Next will: nodes know both. Seeds of Ed25519.
	Current []byte    `json:"current"`
	Next    []byte    `json:"next"`
	Rotated time.Time `json:"rotated"`
}

// secrets is the same, ready for use. It is never changed.
type secrets struct {
	shared
	authority *x509.Certificate
	pool      *x509.CertPool
	key       *ecdsa.PrivateKey
	bundle    ed25519.PrivateKey
}

// makeSecrets makes those of a new installation.
func makeSecrets(now time.Time) (shared, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return shared{}, fmt.Errorf("make the authority's key: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Sluice fleets"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return shared{}, fmt.Errorf("make the authority: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	return shared{Authority: der, Key: secret, Current: seed(), Next: seed(), Rotated: now}, err
}

// rotated makes the key that nodes know as the next one the current one.
func (s shared) rotated(now time.Time) shared {
	s.Current, s.Next, s.Rotated = s.Next, seed(), now
	return s
}

// readSecrets reads what the store keeps.
func readSecrets(text []byte) (*secrets, error) {
	s := &secrets{}
	if err := json.Unmarshal(text, &s.shared); err != nil {
		return nil, err
	}
	var err error
	if s.authority, err = x509.ParseCertificate(s.Authority); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return nil, err
	}
	var ok bool
	if s.key, ok = key.(*ecdsa.PrivateKey); !ok || !s.key.PublicKey.Equal(s.authority.PublicKey) {
		return nil, errors.New("the key is not the authority's")
	}
	if len(s.Current) != ed25519.SeedSize || len(s.Next) != ed25519.SeedSize {
		return nil, errors.New("the keys for bundles are damaged")
	}
	s.bundle = ed25519.NewKeyFromSeed(s.Current)
	s.pool = x509.NewCertPool()
	s.pool.AddCert(s.authority)
	return s, nil
}

// bundleKeys are the public keys that nodes are told.
func (s *secrets) bundleKeys() [][]byte {
	return [][]byte{public(s.Current), public(s.Next)}
}

func public(seed []byte) []byte {
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func seed() []byte {
	b := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return b
}

// serial is 127 random bits, as RFC 5280 section 4.1.2.2 wants: positive and never used twice.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // as above
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}
