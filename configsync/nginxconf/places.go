package nginxconf

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Places are the values that belong to one node and not to what its configuration means, such
// as its folders and addresses, and what to call them instead. Two nodes that differ in
// nothing else are alike.
type Places []Place

// Place is one such value with its name in braces.
type Place struct{ Value, Name string }

// PlacesOf are those of a node. digest is that of the bundle on its disk.
func PlacesOf(f gateway.NodeFacts, digest string) Places {
	var p Places
	add := func(value, name string) {
		if len(value) > 1 && !strings.ContainsAny(value, " \t\r\n;{}\"'\\") {
			p = append(p, Place{value, name})
		}
	}
	if f.TreePath != "" {
		add(path.Dir(f.TreePath), "{tree}")
	}
	if f.ConfPath != "" {
		add(path.Dir(f.ConfPath), "{conf}")
	}
	add(digest, "{digest}")
	add(f.DigestListen, "{digest-listen}")
	for i, l := range f.Listen {
		// A port alone could be any number.
		if strings.Contains(l, ":") {
			add(l, "{listen-"+strconv.Itoa(i)+"}")
		}
	}
	// The longest first: one may lie inside another.
	slices.SortStableFunc(p, func(a, b Place) int { return cmp.Compare(len(b.Value), len(a.Value)) })
	return p
}

// Name puts names in the place of the values in a text.
func (p Places) Name(text string) string {
	for _, place := range p {
		text = replaceWhole(text, place.Value, place.Name)
	}
	return text
}

// Fill puts values in the place of the names in a text.
func (p Places) Fill(text string) string {
	for _, place := range p {
		text = strings.ReplaceAll(text, place.Name, place.Value)
	}
	return text
}

// replaceWhole replaces old where no letter, digit, dash or dot goes on with it.
func replaceWhole(text, old, new string) string {
	if !strings.Contains(text, old) {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, old)
		if i < 0 {
			return b.String() + text
		}
		rest := text[i+len(old):]
		b.WriteString(text[:i])
		whole := (i == 0 || !partOfWord(text[i-1])) && (rest == "" || !partOfWord(rest[0]))
		if whole {
			b.WriteString(new)
		} else {
			b.WriteString(old)
		}
		text = rest
	}
}

func partOfWord(c byte) bool {
	return c == '-' || c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
