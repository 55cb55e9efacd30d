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
	return &writer{path: path, owner: owner}
}

// put writes one line, which holds no line end of its own: Quote escapes them.
func (w *writer) put(line string) {
	w.line++
	if line != "" {
		w.text.WriteString(strings.Repeat("    ", w.depth))
		w.text.WriteString(line)
	}
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
func (w *writer) stmt(words ...string) { w.put(quoteAll(words) + ";") }

// open starts a block, close ends it.
func (w *writer) open(words ...string) {
	w.put(quoteAll(words) + " {")
	w.depth++
}

func (w *writer) close() {
	w.depth--
	w.put("}")
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}

func (w *writer) file() File {
	return File{Path: w.path, Data: w.text.String(), spans: w.owners}
}
