package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FileName is the name of the first administrator's token in the data directory.
const FileName = "admin.token"

// minSecret is the shortest token that is accepted: 16 characters are beyond guessing when
// they are random, and an empty or toy token is surely a mistake.
const minSecret = 16

// Identity is who a request comes from.
type Identity struct {
	// Name is what the audit log shows.
	Name string
	// Role: "admin" is the only one for now.
	Role string
}

// Tokens is the set of accepted tokens. It is immutable, and holds hashes only, so that a
// dump of memory or a log of the struct gives nothing away.
type Tokens struct {
	known []known
}

type known struct {
	who  Identity
	hash [sha256.Size]byte
}

// NewTokens accepts one administrator's secret.
func NewTokens(name, secret string) (*Tokens, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the token of %q has %d characters: use at least %d random ones", name, len(secret), minSecret)
	}
	return &Tokens{known: []known{{Identity{Name: name, Role: "admin"}, sha256.Sum256([]byte(secret))}}}, nil
}

// Who finds the owner of a secret. It compares with every token and in constant time, so
// that timing tells nothing.
func (t *Tokens) Who(secret string) (Identity, bool) {
	hash := sha256.Sum256([]byte(secret))
	var who Identity
	found := false
	for _, k := range t.known {
		if subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1 {
			who, found = k.who, true
		}
	}
	return who, found
}

// LoadOrCreate reads the first administrator's token from dir, or makes one of 32 random
// bytes and writes it with mode 0600. It says whether it was made now.
func LoadOrCreate(dir string) (secret string, created bool, err error) {
	path := filepath.Join(dir, FileName)
	secret, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	secret = base64.RawURLEncoding.EncodeToString(raw)
	if err := writeFile(path, secret+"\n"); err != nil {
		return "", false, fmt.Errorf("write the first administrator's token: %w", err)
	}
	return secret, true, nil
}

// Load reads a token file. An empty or too short one is an error: it would lock out
// everybody or nobody.
func Load(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the administrator's token: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if len(secret) < minSecret {
		return "", fmt.Errorf("%s holds no usable token (%d characters, at least %d are needed): delete the file and start again to get a new one", path, len(secret), minSecret)
	}
	return secret, nil
}

// writeFile makes the file appear whole or not at all, and survive a power failure.
func writeFile(path, text string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, FileName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
