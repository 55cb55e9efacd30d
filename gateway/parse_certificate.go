package gateway

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// badCertificate is why a certificate cannot be used: the field, a stable code and a
// sentence.
type badCertificate struct{ field, code, message string }

func (e *badCertificate) Error() string { return e.message }

// ParseCertificate reads a chain and its key in PEM, and checks that they belong together.
// Its errors are sentences that say what to do.
func ParseCertificate(chain string, key Secret) (*tls.Certificate, error) {
	c, bad := parsePair(chain, key)
	if bad != nil {
		return nil, bad
	}
	return c, nil
}

func parsePair(chain string, key Secret) (*tls.Certificate, *badCertificate) {
	certs, err := parseCertificates(chain)
	if err != nil {
		return nil, &badCertificate{"spec.certificate", "certificate_invalid", "The certificate cannot be read: " + err.Error() + "."}
	}
	if err := checkChain(certs); err != nil {
		return nil, &badCertificate{"spec.certificate", "chain_invalid", sentence(err)}
	}
	if key == "" || key == SecretPlaceholder {
		return nil, &badCertificate{"spec.key", "key_missing", "The private key is missing: write it in PEM under spec.key."}
	}
	pair, err := tls.X509KeyPair([]byte(chain), []byte(key))
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return nil, &badCertificate{"spec.key", "key_mismatch", "The private key is not that of the first certificate: write the key that the certificate was made for, and the chain with the certificate itself first."}
	case err != nil: // the error of crypto/tls tells the form, never the key
		return nil, &badCertificate{"spec.key", "key_invalid", "The private key cannot be read: write it in PEM (PKCS #8, PKCS #1 or SEC 1), without a password."}
	}
	pair.Leaf = certs[0]
	return &pair, nil
}

// parseCertificates reads every certificate of a PEM text.
func parseCertificates(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	rest := []byte(text)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("a private key stands among the certificates: write it under spec.key, where it is never shown")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a block of type %q stands among the certificates: take it out", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if bytes.Contains(rest, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("the PEM block after certificate %d is not complete", len(out))
	}
	if len(out) == 0 {
		return nil, errors.New("there is no PEM block of type CERTIFICATE in it")
	}
	return out, nil
}

// checkChain finds a chain in the wrong order, which some clients take and others refuse.
func checkChain(certs []*x509.Certificate) error {
	for i := range len(certs) - 1 {
		if !bytes.Equal(certs[i].RawIssuer, certs[i+1].RawSubject) {
			return fmt.Errorf("certificate %d of the chain (%s) did not issue certificate %d (%s): put the certificate itself first and each issuer after what it issued",
				i+2, certs[i+1].Subject, i+1, certs[i].Subject)
		}
	}
	return nil
}

// CertPool reads certificates in PEM as a set of authorities.
func CertPool(text string) (*x509.CertPool, error) {
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

// DescribeCertificate tells what a certificate says about itself. The key is not looked at.
func DescribeCertificate(chain string) *CertificateStatus {
	certs, err := parseCertificates(chain)
	if err != nil {
		return &CertificateStatus{Error: "The certificate cannot be read: " + err.Error() + "."}
	}
	return describe(certs[0])
}

func describe(leaf *x509.Certificate) *CertificateStatus {
	return &CertificateStatus{
		Names:          certificateNames(leaf),
		Subject:        leaf.Subject.String(),
		Issuer:         leaf.Issuer.String(),
		NotBefore:      leaf.NotBefore.UTC(),
		NotAfter:       leaf.NotAfter.UTC(),
		Fingerprint:    fingerprint(leaf.Raw),
		KeyFingerprint: fingerprint(leaf.RawSubjectPublicKeyInfo),
	}
}

// certificateNames are the DNS names of a certificate as hosts are written; names that
// no host can have are left out.
func certificateNames(leaf *x509.Certificate) []string {
	var names []string
	for _, n := range leaf.DNSNames {
		if h, err := NormalHost(n); err == nil && h != "*" {
			names = append(names, h)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func fingerprint(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// covers says whether a name of a certificate is good for host: itself, or a wildcard for
// exactly one label (RFC 6125 section 6.4.3).
func covers(name, host string) bool {
	if name == host {
		return true
	}
	parent, ok := strings.CutPrefix(name, "*.")
	if !ok {
		return false
	}
	label, after, ok := strings.Cut(host, ".")
	return ok && after == parent && label != "*" && label != ""
}
