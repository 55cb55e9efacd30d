package nginxconf

import (
	"fmt"
	"regexp"
	"strings"
)

var privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)

// HasSecret says whether a text holds a private key, which nobody is ever shown.
func HasSecret(text string) bool { return privateKey.MatchString(text) }

// hiddenName begins what stands in the place of a secret.
const hiddenName = "sluice_hidden_secret"

// Hide is what is shown instead of a secret: a directive with its fingerprint, so that
// secrets still can be told apart and compared.
func Hide(text string) string {
	if IsHidden(text) {
		return text
	}
	return fmt.Sprintf("%s sha256:%s bytes=%d;\n", hiddenName, fingerprintOf(text), len(text))
}

// IsHidden says whether a text stands in the place of a secret.
func IsHidden(text string) bool { return strings.HasPrefix(text, hiddenName+" ") }

// Shown is the text, or what is shown instead when it holds a private key.
func Shown(text string) string {
	if HasSecret(text) {
		return Hide(text)
	}
	return text
}
