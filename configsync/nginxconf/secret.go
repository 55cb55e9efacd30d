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
	"regexp"
	"strings"
)

// keyExt ends the names of files with private keys, and of no others.
const keyExt = ".key"

var privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)

// HasSecret says whether a text holds a private key, which nobody is ever shown.
func HasSecret(text string) bool { return privateKey.MatchString(text) }

// hiddenName begins what stands in the place of a secret.
const hiddenName = "sluice_hidden_secret"

// Hide is what is shown instead of a secret: a directive with its fingerprint, so that secrets
// still can be told apart and compared. Of a private key it is that of the public half, which a
// certificate's status shows as well.
func Hide(text string) string {
	if IsHidden(text) {
		return text
	}
	sum := fingerprintOf(text)
	if der, err := publicOf(text); err == nil {
		full := sha256.Sum256(der)
		sum = hex.EncodeToString(full[:])
	}
	return fmt.Sprintf("%s sha256:%s bytes=%d;\n", hiddenName, sum, len(text))
}

// IsHidden says whether a text stands in the place of a secret.
func IsHidden(text string) bool { return strings.HasPrefix(text, hiddenName+" ") }

// Shown is what people may see of a file that was found at a place in a tree: all of it, or
// what is shown instead of a private key.
func Shown(name, text string) string {
	if path.Ext(name) == keyExt && text != "" || HasSecret(text) {
		return Hide(text)
	}
	return text
}

// Shown is what people may see of the file.
func (f *File) Shown() string { return Shown(f.Path, f.Data) }

// publicOf is the public half of a private key in PEM, in PKIX form.
func publicOf(text string) ([]byte, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errors.New("no PEM block")
	}
	public, err := publicHalf(b.Bytes)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(public)
}

func publicHalf(der []byte) (crypto.PublicKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key.Public(), nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key.Public(), nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
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
