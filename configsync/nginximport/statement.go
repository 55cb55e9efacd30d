package nginximport

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// statement is a directive in its place, with includes followed.
type statement struct {
	*nginxconf.Directive
	file string
	kids []*statement
	// said is set when the directive has got into the objects, or needs no words there.
	said bool
	// own is set for those that concern nginx itself, and stay in nginx.conf.
	own bool
}

// arg is the nth argument, from 0, or "".
func (s *statement) arg(n int) string {
	if s == nil || n+1 >= len(s.Words) {
		return ""
	}
	return s.Words[n+1].Value
}

// text is the directive on one line, without its block and short enough to be shown.
func (s *statement) text() string {
	words := []string{s.Name()}
	for _, w := range s.Words[1:] {
		words = append(words, w.Raw)
	}
	text := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return '?'
		}
		return c
	}, text)
	const longest = 120
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	if s.Block != nil {
		return text + " {...}"
	}
	return text
}

// say notes that the directives are in the objects.
func say(list ...*statement) {
	for _, s := range list {
		if s != nil {
			s.said = true
		}
	}
}

// sayAll is say for everything inside, too.
func sayAll(list ...*statement) {
	walk(list, func(s *statement) { s.said = true })
}

// walk visits statements and what stands in them. Their depth is bounded by the loader.
func walk(list []*statement, visit func(*statement)) {
	for _, s := range list {
		visit(s)
		walk(s.kids, visit)
	}
}

// named are the statements of these names in a list.
func named(list []*statement, names ...string) (out []*statement) {
	for _, s := range list {
		if slices.Contains(names, s.Name()) {
			out = append(out, s)
		}
	}
	return out
}

// scope is the blocks around a place, innermost last: http, server, location.
type scope [][]*statement

// in is the scope inside of a block. What has an inside of its own is left out: there may be
// thousands of servers and locations, and nothing is inherited from them.
func (sc scope) in(block []*statement) scope {
	var settings []*statement
	for _, s := range block {
		switch s.Name() {
		case "server", "location", "upstream", "map", "geo", "split_clients":
		default:
			settings = append(settings, s)
		}
	}
	return append(sc[:len(sc):len(sc)], settings)
}

// inner is the innermost block.
func (sc scope) inner() []*statement { return sc[len(sc)-1] }

// all are the statements of these names that are in force: those of the innermost block that
// has any.
func (sc scope) all(names ...string) []*statement {
	for _, block := range slices.Backward(sc) {
		if list := named(block, names...); list != nil {
			return list
		}
	}
	return nil
}

// one is the statement of a name that is in force, or nil.
func (sc scope) one(name string) *statement {
	if list := sc.all(name); list != nil {
		return list[len(list)-1]
	}
	return nil
}
