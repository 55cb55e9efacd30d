package hardening

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// message is a request or an answer as it stood on the wire.
type message struct {
	start    string // the first line
	fields   []string
	framing  string // none, length, chunked or close
	body     string
	trailers []string
	cut      bool // ended before it was complete
}

// errStrict says that what arrived breaks the grammar, in the narrowest reading: this is
// what Sluice writes, so there is no reason to be lenient.
type errStrict struct{ what string }

func (e errStrict) Error() string { return e.what }

func strict(format string, args ...any) error { return errStrict{fmt.Sprintf(format, args...)} }

// value returns the values of a field, joined.
func (m *message) value(name string) (v string, n int) {
	for _, f := range m.fields {
		k, val, _ := strings.Cut(f, ":")
		if strings.EqualFold(k, name) {
			if n > 0 {
				v += ", "
			}
			v += strings.TrimSpace(val)
			n++
		}
	}
	return v, n
}

// has says whether a field line "Name: value" is there.
func (m *message) has(line string) bool {
	name, want, _ := strings.Cut(line, ": ")
	v, n := m.value(name)
	return n > 0 && v == want
}

// readLine reads up to CRLF. A bare CR, a bare LF or a NUL within is an error.
func readLine(br *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		c, err := br.ReadByte()
		if err != nil {
			if b.Len() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
		switch {
		case c == '\n':
			return "", strict("bare LF behind %q", b.String())
		case c == '\r':
			next, err := br.ReadByte()
			if err != nil {
				return "", io.ErrUnexpectedEOF
			}
			if next != '\n' {
				return "", strict("bare CR behind %q", b.String())
			}
			return b.String(), nil
		case c < 0x20 && c != '\t' || c == 0x7f:
			return "", strict("byte %#x behind %q", c, b.String())
		}
		b.WriteByte(c)
	}
}

// readHead reads the first line and the fields.
func readHead(br *bufio.Reader) (*message, error) {
	start, err := readLine(br)
	if err != nil {
		return nil, err
	}
	m := &message{start: start}
	m.fields, err = readFields(br)
	return m, err
}

func readFields(br *bufio.Reader) (fields []string, err error) {
	for {
		line, err := readLine(br)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || line == "" {
			return fields, err
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.Trim(name, tchars) != "" {
			return fields, strict("field line %q", line)
		}
		fields = append(fields, line)
	}
}

const tchars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// frame finds out how the body ends. bodiless: there is none whatever the fields say.
func (m *message) frame(request, bodiless bool) (length int, err error) {
	cl, ncl := m.value("Content-Length")
	te, nte := m.value("Transfer-Encoding")
	switch {
	case ncl > 1, nte > 1, ncl > 0 && nte > 0:
		return 0, strict("%d Content-Length, %d Transfer-Encoding", ncl, nte)
	case nte == 1 && te != "chunked":
		return 0, strict("Transfer-Encoding %q", te)
	case ncl == 1:
		if length, err = strconv.Atoi(cl); err != nil || strconv.Itoa(length) != cl || length < 0 {
			return 0, strict("Content-Length %q", cl)
		}
	}
	switch {
	case bodiless:
		m.framing = "none"
	case nte == 1:
		m.framing = "chunked"
	case ncl == 1:
		m.framing = "length"
	case request:
		m.framing = "none"
	default:
		m.framing = "close"
	}
	return length, nil
}

// readBody reads the body of a message whose frame has been found. A body that ends too
// early is not an error: it sets cut.
func (m *message) readBody(br *bufio.Reader, length int) (err error) {
	var b []byte
	switch m.framing {
	case "length":
		b = make([]byte, length)
		var n int
		n, err = io.ReadFull(br, b)
		b = b[:n]
	case "close":
		b, err = io.ReadAll(br)
	case "chunked":
		b, err = m.readChunks(br)
	}
	m.body = string(b)
	var s errStrict
	if errors.As(err, &s) {
		return err
	}
	m.cut = err != nil
	return nil
}

// readChunks reads chunks without extensions, as Sluice writes them.
func (m *message) readChunks(br *bufio.Reader) (body []byte, err error) {
	for {
		line, err := readLine(br)
		if err != nil {
			return body, err
		}
		n, perr := strconv.ParseInt(line, 16, 32)
		if perr != nil || strconv.FormatInt(n, 16) != line || n < 0 {
			return body, strict("chunk size %q", line)
		}
		if n == 0 {
			m.trailers, err = readFields(br)
			return body, err
		}
		piece := make([]byte, n)
		got, err := io.ReadFull(br, piece)
		body = append(body, piece[:got]...)
		if err != nil {
			return body, err
		}
		if line, err = readLine(br); err != nil {
			return body, err
		}
		if line != "" {
			return body, strict("%q behind a chunk", line)
		}
	}
}

// readAnswer reads one answer to a request with that method.
func readAnswer(br *bufio.Reader, method string) (m *message, status int, err error) {
	if m, err = readHead(br); err != nil {
		return nil, 0, err
	}
	version, rest, _ := strings.Cut(m.start, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err = strconv.Atoi(code)
	if version != "HTTP/1.1" || err != nil || len(code) != 3 || status < 100 {
		return nil, 0, strict("status line %q", m.start)
	}
	_, n := m.value("Content-Length")
	_, nte := m.value("Transfer-Encoding")
	if (status < 200 || status == 204) && n+nte > 0 {
		return nil, 0, strict("status %d with %q", status, m.fields)
	}
	length, err := m.frame(false, status < 200 || status == 204 || status == 304 || method == "HEAD")
	if err != nil {
		return nil, 0, err
	}
	return m, status, m.readBody(br, length)
}

// hopByHop are the fields that must not pass through a proxy.
var hopByHop = []string{"Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "HTTP2-Settings", "Upgrade"}
