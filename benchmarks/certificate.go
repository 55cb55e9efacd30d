package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

// writeCertificate makes a self-signed P-256 certificate for host, in the forms that the
// peers read.
func (s *site) writeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		IPAddresses: []net.IP{{127, 0, 0, 1}}, // wrk asks for what stands in its URL

		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	s.CertFile, s.KeyFile = filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for name, parts := range map[string][][]byte{s.CertFile: {certPEM}, s.KeyFile: {keyPEM}, filepath.Join(s.Dir, "both.pem"): {certPEM, keyPEM}} {
		if err := joinPEM(name, parts...); err != nil {
			return err
		}
	}
	return nil
}
