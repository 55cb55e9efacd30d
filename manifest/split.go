package manifest

import (
	"bytes"
	"iter"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// split cuts a file before each line that begins a document, and yields the parts with the
// number of lines before them. goccy/go-yaml takes time by the square of the number of
// documents, holds several kilobytes for each line of all of them, and leaves out whatever
// follows an empty one; one at a time, none of this matters. No scalar can hold such a line
// (YAML 1.2.2 section 9.1.2).
func split(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		start, before, directive := 0, 0, false // of the part; the line before is a directive
		for at, lines := 0, 0; at < len(text); lines++ {
			line := text[at:]
			if i := bytes.IndexByte(line, '\n'); i >= 0 {
				line = line[:i+1]
			}
			if at > start && !directive && beginsDocument(line) {
				if !yield(before, text[start:at]) {
					return
				}
				start, before = at, lines
			}
			directive = line[0] == '%' // "%YAML 1.2" belongs to the document that follows
			at += len(line)
		}
		if start < len(text) {
			yield(before, text[start:])
		}
	}
}

func beginsDocument(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// parse parses a part of a file. Positions, those in errors too, are of the whole file.
func parse(before int, part []byte) (*ast.File, error) {
	tokens := lexer.Tokenize(string(part))
	for _, t := range tokens {
		t.Position.Line += before
	}
	return parser.Parse(tokens, 0)
}
