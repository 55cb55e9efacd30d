package nginxconf

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of files that are compared directive by directive. Deeper ones
// are compared as text: nobody writes them, and nodes could send any.
const maxDepth = 64

// Side is a file to be compared, with what belongs to its node.
type Side struct {
	Text   string
	Places Places
	config *Config // nil: it is no nginx configuration, or too deep
}

// NewSide reads a file.
func NewSide(name, text string, places Places) Side {
	s := Side{Text: text, Places: places}
	c, err := Parse(name, text)
	if err != nil {
		return s
	}
	deep := false
	c.Walk(func(parents []*Directive, _ *Directive) { deep = deep || len(parents) > maxDepth })
	if !deep {
		s.config = c
	}
	return s
}

// Normal is the file without what means nothing: comments, white space, quoting, an order
// that nginx does not mind, and what belongs to the node. Files with equal normal forms mean
// the same. What is no nginx configuration is its own normal form.
func (s Side) Normal() string {
	if s.config == nil {
		return s.Places.Name(s.Text)
	}
	n := normaliser{places: s.Places, known: map[*Directive]string{}}
	return n.list(nil, s.config.Directives)
}

// normaliser remembers what it has worked out, since comparing asks again on every level.
type normaliser struct {
	places Places
	known  map[*Directive]string
}

// head is the directive up to ";" or "{".
func (n *normaliser) head(d *Directive) string {
	words := make([]string, len(d.Words))
	for i, w := range d.Words {
		words[i] = n.places.Name(w.Value)
	}
	return quoteAll(words)
}

// directive is the normal form of parent's directive d.
func (n *normaliser) directive(d *Directive) string {
	if text, ok := n.known[d]; ok {
		return text
	}
	text := n.head(d)
	switch {
	case d.Block == nil:
		text += ";"
	case d.Block.IsLua:
		text += " {" + strings.TrimSpace(strings.ReplaceAll(d.Block.Lua, "\r\n", "\n")) + "}"
	default:
		text += " {\n" + n.list(d, d.Block.Directives) + "}"
	}
	n.known[d] = text
	return text
}

// list puts the classes one after the other; what minds no order is sorted.
func (n *normaliser) list(parent *Directive, list []*Directive) string {
	type line struct{ class, text string }
	classes := classesOf(parent, list, hasInclude(list))
	lines := make([]line, len(list))
	for i, d := range list {
		lines[i] = line{classes[i], n.directive(d)}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if a.class == "" && b.class == "" {
			return cmp.Compare(a.text, b.text)
		}
		return cmp.Compare(a.class, b.class)
	})
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return b.String()
}

// labels name the directives of a list for people: "server shop.example.com". The second of
// the same name is followed by (2).
func (n *normaliser) labels(list []*Directive) []string {
	out, seen := make([]string, len(list)), map[string]int{}
	for i, d := range list {
		if d.Block == nil {
			continue
		}
		label := n.label(d)
		if seen[label]++; seen[label] > 1 {
			label += " (" + strconv.Itoa(seen[label]) + ")"
		}
		out[i] = label
	}
	return out
}

func (n *normaliser) label(d *Directive) string {
	if d.Name() != "server" || len(d.Words) > 1 {
		return shortLabel(n.head(d))
	}
	for _, name := range []string{"server_name", "listen"} {
		for _, inner := range d.Block.Directives {
			if inner.Name() == name && len(inner.Words) > 1 {
				return shortLabel("server " + n.places.Name(inner.Words[1].Value))
			}
		}
	}
	return "server"
}

// shortLabel keeps a label readable; what is cut off still tells it apart.
func shortLabel(s string) string {
	const longest = 200
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "... " + fingerprintOf(s)
}

// fingerprintOf is enough of a SHA-256 to tell texts apart: 12 hexadecimal digits.
func fingerprintOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + " " + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}
