package nginxconf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
)

// keyExt ends the names of files with private keys, and of no others.
const keyExt = ".key"

// Shown is what people may see of the file: all of it, or of a private key its fingerprint.
func (f *File) Shown() string { return ShownAt(f.Path, f.Data) }

// ShownAt is the same for a file that was found at a place in a tree.
func ShownAt(name, data string) string {
	if path.Ext(name) != keyExt {
		return data
	}
	public, err := publicOf(data)
	if err != nil {
		return fmt.Sprintf("(secret: %d bytes that are no private key)\n", len(data))
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "(secret: a private key of an unknown kind)\n"
	}
	sum := sha256.Sum256(der)
	return "(secret: the private key whose public key has the SHA-256 " + hex.EncodeToString(sum[:]) + ")\n"
}

// publicOf is the public half of a private key in PEM. The fingerprint of that half is the
// one that a certificate's status shows, and tells nothing about the key.
func publicOf(text string) (crypto.PublicKey, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errors.New("no PEM block")
	}
	if key, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return key.Public(), nil
	}
	if key, err := x509.ParseECPrivateKey(b.Bytes); err == nil {
		return key.Public(), nil
	}
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key.Public(), nil
	case *ecdsa.PrivateKey:
		return key.Public(), nil
	case ed25519.PrivateKey:
		return key.Public(), nil
	}
	return nil, fmt.Errorf("a key of type %T", key)
}
