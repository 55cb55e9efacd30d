package protocol

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// tokenPrefix tells what the text is, to people and to scanners for leaked secrets.
const tokenPrefix = "sluice-enrol"

// Token lets one node enrol once. Its text is all that a new node has to trust.
type Token struct {
	// Secret is known to the token's holder only; the control plane keeps its hash.
	Secret [32]byte
	// Authority is the SHA-256 of the control plane's authority as DER, by which the node
	// knows whom it speaks to before it sends the secret.
	Authority [32]byte
}

// NewToken makes a token with a fresh secret. authority is a certificate as DER.
func NewToken(authority []byte) Token {
	t := Token{Authority: sha256.Sum256(authority)}
	_, _ = rand.Read(t.Secret[:]) // never fails: crypto/rand
	return t
}

// Text is the token as people carry it: one word without white space.
func (t Token) Text() string {
	return tokenPrefix + "." + base64.RawURLEncoding.EncodeToString(t.Secret[:]) + "." + base64.RawURLEncoding.EncodeToString(t.Authority[:])
}

// ParseToken reads a token's text; white space around it is left out. The error never holds the text.
func ParseToken(text string) (Token, error) {
	var t Token
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 3 || parts[0] != tokenPrefix {
		return t, fmt.Errorf("%w: this is not an enrolment token: it begins with %q and is one line of `sluice fleet token FLEET`", gateway.ErrInvalid, tokenPrefix+".")
	}
	for i, into := range [][]byte{t.Secret[:], t.Authority[:]} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i+1])
		if err != nil || len(b) != len(into) {
			return Token{}, fmt.Errorf("%w: the enrolment token is damaged: its parts are 43 letters, digits, - and _ each; copy it again", gateway.ErrInvalid)
		}
		copy(into, b)
	}
	return t, nil
}
