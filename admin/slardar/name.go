package slardar

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

var (
	// validKey is what Slardar takes as the name of an upstream, its "skey".
	validKey = regexp.MustCompile(`^[-_a-zA-Z0-9.]+$`)
	// validName is what the name of an object may be.
	validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	// invalid are the characters that an object's name can not hold.
	invalid = regexp.MustCompile(`[^a-z0-9.-]+`)
)

// The labels of objects that were written through this contract.
const (
	// LabelKey holds the name under which Slardar's clients know an upstream, and marks the
	// route that was made for it.
	LabelKey = "slardar/name"
	// LabelLevels is "named" when the levels of an upstream have names, which stand in the
	// zones of its endpoints.
	LabelLevels = "slardar/levels"
	// LabelStream marks the upstream of a TCP port, which is a name among ports only.
	LabelStream = "slardar/stream"

	named = "named"
)

// maxName is how long the name of an object may be.
const maxName = 63

// objectName is the name of the object for a Slardar key: the key itself where it can be
// one, else its readable part with a digest, so that My_App and my-app stay apart.
func objectName(key string) string {
	if len(key) <= maxName && validName.MatchString(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	digest := hex.EncodeToString(sum[:4])
	readable := strings.Trim(invalid.ReplaceAllString(strings.ToLower(key), "-"), "-.")
	if len(readable) > maxName-len(digest)-1 {
		readable = strings.TrimRight(readable[:maxName-len(digest)-1], "-.")
	}
	if readable == "" {
		return "upstream-" + digest
	}
	return readable + "-" + digest
}

// keyOf is the name under which Slardar's clients know an object.
func keyOf(m *gateway.Meta) string {
	if key := m.Labels[LabelKey]; key != "" {
		return key
	}
	return m.Name
}
