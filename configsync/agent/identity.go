package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// identity is the node's key and certificate, and what they let it trust. The link enrols and
// renews; the others only use it.
type identity struct {
	cfg  Config
	now  func() time.Time
	http *transport

	// These are the link's alone. No renewal is tried before renewTry; rejected says that the
	// control plane does not take the certificate, and useless is a token that it did not take.
	renewTry time.Time
	rejected bool
	useless  protocol.Token

	mu     sync.Mutex
	held   *held         // guarded by mu; nil: not enrolled
	behind time.Duration // guarded by mu; the control plane's clock minus this machine's
}

// held is what identity.json holds. It is never changed.
type held struct {
	Fleet string `json:"fleet"`
	Node  string `json:"node"`
	Key   []byte `json:"key"` // PKCS #8
	protocol.Credentials

	certificate tls.Certificate
	leaf        *x509.Certificate
	authority   *x509.Certificate
}

// The files of the state folder. Only its owner may read them.
const (
	identityFile  = "identity.json" // key and certificate, written together
	enrollingFile = "enrolling.key" // the key of an enrolment that is under way
	floorFile     = "applied.json"  // the highest number that was applied
)

func newIdentity(cfg Config) *identity {
	i := &identity{cfg: cfg, now: cfg.Now}
	i.http = newTransport(i)
	return i
}

// open reads what an earlier life left.
func (i *identity) open() error {
	if err := os.MkdirAll(i.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	path := filepath.Join(i.cfg.StateDir, identityFile)
	h, err := readHeld(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		_, err = i.cfg.token()
		return err
	case err != nil:
		return fmt.Errorf("%w; remove the file and enrol the node anew with a token", err)
	case h.Fleet != i.cfg.Fleet || h.Node != i.cfg.Node:
		return fmt.Errorf("%s is the certificate of node %q of fleet %q, and this is node %q of fleet %q: give back the old names, or remove the file and enrol the node anew with a token",
			path, h.Node, h.Fleet, i.cfg.Node, i.cfg.Fleet)
	}
	i.held = h
	return nil
}

func readHeld(path string) (*held, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h := &held{}
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := h.parse(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return h, nil
}

// parse makes what came as bytes usable.
func (h *held) parse() error {
	key, err := x509.ParsePKCS8PrivateKey(h.Key)
	if err != nil {
		return err
	}
	if h.leaf, err = x509.ParseCertificate(h.Certificate); err != nil {
		return err
	}
	if h.authority, err = x509.ParseCertificate(h.Authority); err != nil {
		return err
	}
	pair, ok := key.(*ecdsa.PrivateKey)
	if !ok || !pair.PublicKey.Equal(h.leaf.PublicKey) {
		return errors.New("the certificate is not for the node's key")
	}
	if len(h.BundleKeys) == 0 {
		return errors.New("the control plane's keys for bundles are missing")
	}
	h.certificate = tls.Certificate{Certificate: [][]byte{h.Certificate}, PrivateKey: pair, Leaf: h.leaf}
	return nil
}

func (i *identity) current() *held {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.held
}

// keep writes new credentials, and uses them for all connections from now on.
func (i *identity) keep(key *ecdsa.PrivateKey, c protocol.Credentials) error {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	h := &held{Fleet: i.cfg.Fleet, Node: i.cfg.Node, Key: secret, Credentials: c}
	if err := h.parse(); err != nil {
		return fmt.Errorf("the control plane's answer: %w", err)
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := writeSecret(filepath.Join(i.cfg.StateDir, identityFile), b, nil); err != nil {
		return err
	}
	i.mu.Lock()
	i.held = h
	i.mu.Unlock()
	i.http.renew()
	return nil
}

// enrollingKey is the key to enrol with. It is on disk before it is used, so that an agent that
// was killed before the answer came can use its token again.
func (i *identity) enrollingKey() (*ecdsa.PrivateKey, error) {
	path := filepath.Join(i.cfg.StateDir, enrollingFile)
	b, err := os.ReadFile(path)
	if err == nil {
		if key, err := x509.ParseECPrivateKey(b); err == nil {
			return key, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if b, err = x509.MarshalECPrivateKey(key); err != nil {
		return nil, err
	}
	return key, writeSecret(path, b, nil)
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the node's key: %w", err)
	}
	return key, nil
}

// certificateRequest asks for a certificate for a key; the control plane decides what is in it.
func certificateRequest(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return der, nil
}
