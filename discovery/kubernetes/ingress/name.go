package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const longestName = 253 // of an object of ours

// objectName joins parts by dots and keeps what is too long unique by a digest. Namespaces
// and Services have no dots in their names, so different parts give different names.
func objectName(parts ...string) string {
	name := strings.Join(parts, ".")
	if len(name) <= longestName {
		return name
	}
	tail := "-" + digest(name)
	return strings.TrimRight(name[:longestName-len(tail)], "-.") + tail
}

// digest is short and stable.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:5])
}
