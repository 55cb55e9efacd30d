package nginximport

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/gateway"
)

// nameTable holds names that are taken.
type nameTable map[string]bool

// name makes an object's name of what something is called in nginx: lower-case letters, digits,
// hyphens and dots, different from all others of the kind.
func (m *importer) name(kind gateway.Kind, text string) string {
	if m.names[kind] == nil {
		m.names[kind] = nameTable{}
	}
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-':
			b.WriteRune(c)
		case c == '*':
			b.WriteString("any")
		default:
			b.WriteByte('-')
		}
	}
	const longest = 200 // room for a number, and for the name of a Pin
	stem := strings.Trim(b.String(), "-.")
	stem = strings.Trim(stem[:min(len(stem), longest)], "-.")
	if stem == "" {
		stem = "unnamed"
	}
	name := stem
	for i := 2; m.names[kind][name]; i++ {
		name = fmt.Sprintf("%s-%d", stem, i)
	}
	m.names[kind][name] = true
	return name
}

// printable is a word of a file that is safe to show.
func printable(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return '?'
		}
		return c
	}, text)
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}
