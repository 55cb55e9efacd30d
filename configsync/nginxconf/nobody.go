package nginxconf

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const nobodyStem = "certs/_nobody"

// nobody adds a certificate for no name. Its key protects nothing, so it need not be random,
// and equal snapshots give equal trees; Ed25519 is what can be signed without chance.
func (r *renderer) nobody() {
	seed := sha256.Sum256([]byte("sluice: the certificate of no name"))
	key := ed25519.NewKeyFromSeed(seed[:])
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "no certificate for this name"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	cert, err := x509.CreateCertificate(nil, t, t, key.Public(), key)
	if err != nil {
		panic("nginxconf: sign the certificate of no name: " + err.Error())
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("nginxconf: write the key of no name: " + err.Error())
	}
	ref := gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet}
	r.addText(nobodyStem+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})), 0, ref)
	r.addText(nobodyStem+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), secretMode, ref)
}
