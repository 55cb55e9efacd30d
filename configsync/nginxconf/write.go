package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// writer makes one file and remembers whose text each line is.
type writer struct {
	path   string
	text   strings.Builder
	line   int
	depth  int
	owner  gateway.Ref
	owners []span
}

func newWriter(path string, owner gateway.Ref) *writer {
	w := &writer{path: path, owner: owner}
	w.text.Grow(2 << 10) // most files are shorter
	return w
}

// put writes one line, which holds no line end of its own: Quote escapes them.
func (w *writer) put(line string) {
	if line != "" {
		w.indent()
		w.text.WriteString(line)
	}
	w.end()
}

func (w *writer) indent() {
	for range w.depth {
		w.text.WriteString("    ")
	}
}

// end ends a line and notes whose it is.
func (w *writer) end() {
	w.line++
	w.text.WriteByte('\n')
	if n := len(w.owners); n > 0 && w.owners[n-1].owner == w.owner {
		w.owners[n-1].to = w.line
		return
	}
	w.owners = append(w.owners, span{from: w.line, to: w.line, owner: w.owner})
}

// comment writes a remark; the text must not hold a line end. It is cut where nginx would
// refuse its length.
func (w *writer) comment(text string) {
	if len(text) > window/2 {
		text = strings.ToValidUTF8(text[:window/2], "") + "..."
	}
	w.put("# " + text)
}

// stmt writes a directive, every word quoted as needed.
func (w *writer) stmt(words ...string) {
	w.words(words)
	w.text.WriteByte(';')
	w.end()
}

// open starts a block, close ends it.
func (w *writer) open(words ...string) {
	w.words(words)
	w.text.WriteString(" {")
	w.end()
	w.depth++
}

func (w *writer) close() {
	w.depth--
	w.put("}")
}

func (w *writer) words(words []string) {
	w.indent()
	writeWords(&w.text, words)
}

func writeWords(b *strings.Builder, words []string) {
	for i, word := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Quote(word))
	}
}

// quoteAll is a directive's words as it writes them.
func quoteAll(words []string) string {
	var b strings.Builder
	writeWords(&b, words)
	return b.String()
}

func (w *writer) file() File {
	return File{Path: w.path, Data: w.text.String(), spans: w.owners}
}
