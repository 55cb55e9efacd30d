package agent

import (
	"io"
	"os"
	"strings"
)

// logTail reads what nginx adds to its error log from a moment on: a reload that fails says
// why only there.
type logTail struct {
	path string
	from int64
}

func (n *nginx) tailErrorLog() logTail {
	info, err := os.Stat(n.errorLogPath)
	if err != nil || !info.Mode().IsRegular() {
		return logTail{}
	}
	return logTail{path: n.errorLogPath, from: info.Size()}
}

// complaint is nginx's first error since then.
func (t logTail) complaint() *nginxError { return parseMessage(t.read()) }

// final says that nginx has given the reload up. It tries to bind an address five times
// before it does.
func (t logTail) final() bool {
	text := t.read()
	return strings.Contains(text, "[emerg]") && (!strings.Contains(text, "bind() to ") || strings.Contains(text, "still could not bind()"))
}

func (t logTail) read() string {
	f, err := os.Open(t.path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.NewSectionReader(f, t.from, 64<<10))
	if err != nil {
		return ""
	}
	return string(b)
}

// logEnd is the end of a log, as much as is worth looking at.
func logEnd(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return logTail{path: path, from: max(0, info.Size()-64<<10)}.read()
}
