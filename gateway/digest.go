package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// digest is a SHA-256 over canonical JSON: sorted slices and encoding/json's fixed field
// and map key order.
type digest [sha256.Size]byte

func digestOf(v any) digest {
	b, err := json.Marshal(v)
	if err != nil {
		panic("gateway: plain data always marshals: " + err.Error())
	}
	return sha256.Sum256(b)
}

// String is the first 16 bytes in hex: enough to tell apart, short enough to read.
func (d digest) String() string { return hex.EncodeToString(d[:16]) }
