package protocol

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// signedAs begins what is signed, so that a signature is good for nothing else.
const signedAs = "sluice bundle v1\n"

// Statement says what a bundle is for and where it stands in the line of its fleet's bundles.
type Statement struct {
	Fleet string `json:"fleet"`
	// Facts is what the node that asked for it calls its own facts; the control plane repeats it.
	// One that was made for a node with another nginx is told by it.
	Facts string `json:"facts"`
	// Digest is that of the tree.
	Digest string `json:"digest"`
	Numbering
	IssuedAt time.Time `json:"issuedAt"`
}

// Numbering is the place of a bundle in the line of its fleet's bundles.
type Numbering struct {
	// Number grows: a node applies no lower one than before, unless Rollback is set.
	Number uint64 `json:"number"`
	// Previous is the highest number that was given out before. With Rollback it is the highest
	// one that is taken back: a node that has applied a higher one since refuses.
	Previous uint64 `json:"previous"`
	// Rollback says that people, or a halted rollout, want the lower number.
	Rollback bool `json:"rollback,omitempty"`
}

// Envelope is a statement that the control plane vouches for.
type Envelope struct {
	// Statement is the JSON of one, byte for byte as it was signed.
	Statement []byte `json:"statement"`
	// Signature is Ed25519 (RFC 8032).
	Signature []byte `json:"signature"`
}

// Bundle is a tree with what vouches for it.
type Bundle struct {
	Envelope Envelope       `json:"envelope"`
	Tree     nginxconf.Tree `json:"tree"`
}

// Sign puts a statement into an envelope.
func Sign(s Statement, key ed25519.PrivateKey) (Envelope, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return Envelope{}, fmt.Errorf("write the statement of bundle %s: %w", s.Digest, err)
	}
	return Envelope{Statement: text, Signature: ed25519.Sign(key, append([]byte(signedAs), text...))}, nil
}

// Open returns the statement, when one of the keys has signed it.
func (e Envelope) Open(keys [][]byte) (Statement, error) {
	var s Statement
	text := append([]byte(signedAs), e.Statement...)
	for _, k := range keys {
		if len(k) == ed25519.PublicKeySize && ed25519.Verify(k, text, e.Signature) {
			if err := json.Unmarshal(e.Statement, &s); err != nil {
				return s, fmt.Errorf("read the statement: %w", err)
			}
			return s, nil
		}
	}
	return s, errors.New("no key of the control plane that this node knows has signed it, so it was changed on the way or comes from somebody else")
}
