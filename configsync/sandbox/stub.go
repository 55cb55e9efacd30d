package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// defaultKind stands for keys that the tree does not hold.
const defaultKind = "ecdsa-256"

// stubPair is a certificate for nobody with its key, in PEM.
type stubPair struct{ certificate, key string }

// pairs are made once for each kind and process: making an RSA key takes a good while.
var pairs = struct {
	mu   sync.Mutex
	made map[string]stubPair
}{made: map[string]stubPair{}}

// stubs says which stub stands in the place of each certificate and key of a tree.
type stubs struct {
	dir  string
	tree *nginxconf.Tree
	st   *stage
	used map[string]bool // kinds
}

func newStubs(tree *nginxconf.Tree, st *stage) *stubs {
	return &stubs{dir: st.dir + "/stub", tree: tree, st: st, used: map[string]bool{}}
}

// secret says whether a file holds a private key.
func secret(data string) bool { return strings.Contains(data, "PRIVATE KEY-----") }

func (s *stubs) certificate(value string) string { return s.place(value, ".crt") }

func (s *stubs) key(value string) string { return s.place(value, ".key") }

// place is the stub's path. One that depends on variables, or holds the data itself, is read
// by no check.
func (s *stubs) place(value, extension string) string {
	if strings.ContainsAny(value, "$:") && !strings.HasPrefix(value, "data:") {
		return value
	}
	kind := s.kind(value)
	s.used[kind] = true
	return s.dir + "/" + kind + extension
}

// kind is the key's type and size, from the certificate or the key in the tree, or from the
// file of the same name beside it.
func (s *stubs) kind(value string) string {
	name := strings.TrimPrefix(value, path.Clean(s.st.treePath)+"/")
	stem := strings.TrimSuffix(name, path.Ext(name))
	for _, f := range s.tree.Files {
		if f.Path != name && strings.TrimSuffix(f.Path, path.Ext(f.Path)) != stem {
			continue
		}
		if kind := kindOf(f.Data); kind != "" {
			return kind
		}
	}
	if kind := kindOf(strings.TrimPrefix(value, "data:")); kind != "" {
		return kind
	}
	return defaultKind
}

// kindOf reads the first certificate or key of a PEM file.
func kindOf(data string) string {
	for block, rest := pem.Decode([]byte(data)); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			return kindOfKey(c.PublicKey)
		}
		if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := k.(crypto.Signer); ok {
				return kindOfKey(signer.Public())
			}
		}
		if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return kindOfKey(k.Public())
		}
		if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return kindOfKey(k.Public())
		}
	}
	return ""
}

func kindOfKey(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa-%d", min(max(k.N.BitLen(), 1024), 8192))
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ecdsa-%d", k.Curve.Params().BitSize)
	case ed25519.PublicKey:
		return "ed25519-256"
	}
	return ""
}

// files are the stubs that were asked for.
func (s *stubs) files() ([]stagedFile, error) {
	var list []stagedFile
	for _, kind := range slices.Sorted(maps.Keys(s.used)) {
		p, err := pairOf(kind)
		if err != nil {
			return nil, fmt.Errorf("make a stub certificate of kind %s: %w", kind, err)
		}
		list = append(list, stagedFile{Path: "stub/" + kind + ".crt", Data: p.certificate}, stagedFile{Path: "stub/" + kind + ".key", Data: p.key})
	}
	return list, nil
}

func pairOf(kind string) (stubPair, error) {
	pairs.mu.Lock()
	defer pairs.mu.Unlock()
	if p, ok := pairs.made[kind]; ok {
		return p, nil
	}
	p, err := newPair(kind)
	if err == nil {
		pairs.made[kind] = p
	}
	return p, err
}

func newPair(kind string) (stubPair, error) {
	key, err := newKey(kind)
	if err != nil {
		return stubPair{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stub"}, DNSNames: []string{"stub.invalid"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(100, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return stubPair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return stubPair{}, err
	}
	return stubPair{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}

func newKey(kind string) (crypto.Signer, error) {
	var size int
	if _, err := fmt.Sscanf(kind, "rsa-%d", &size); err == nil {
		return rsa.GenerateKey(rand.Reader, size)
	}
	switch kind {
	case "ecdsa-224":
		return ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "ecdsa-384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa-521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519-256":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
