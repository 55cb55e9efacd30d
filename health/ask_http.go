package health

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/gateway"
)

// UserAgent is what http and grpc probes say in their User-Agent field.
const UserAgent = "sluice-health/1.0"

const (
	maxProbeHead  = 64 << 10 // bytes of the answer that are read to find its status
	maxProbeBody  = 64 << 10 // bytes of the body that a pattern is looked for in
	courtesyBytes = 4 << 10  // bytes of an answer that are read after it has decided
)

// askFunc asks on a connection of its own and returns the status, if HTTP has one.
type askFunc func(conn net.Conn, address string) (status int, err error)

// httpAsk returns what sends a GET and judges the answer. It speaks HTTP directly on the
// connection: net/http's client would add two goroutines and a connection pool to each of
// thousands of probes.
func httpAsk(t Target) (askFunc, error) {
	e, err := newExpectation(t.Check)
	if err != nil {
		return nil, err
	}
	if _, err := url.ParseRequestURI(t.Check.Path); err != nil || !strings.HasPrefix(t.Check.Path, "/") {
		return nil, fmt.Errorf("cannot ask for path %q: write an absolute path such as /healthz", t.Check.Path)
	}
	if speaksHTTP2(t) {
		return http2Ask(t, e), nil
	}
	before := "GET " + t.Check.Path + " HTTP/1.1\r\nHost: "
	after := new(strings.Builder)
	after.WriteString("\r\n")
	for _, f := range probeFields(t.Check) {
		after.WriteString(f.name + ": " + f.value + "\r\n")
	}
	after.WriteString("Connection: close\r\n\r\n")
	return func(conn net.Conn, address string) (int, error) {
		b := buffers.Get().(*buffer)
		defer b.back()
		b.asked = append(append(append(b.asked[:0], before...), cmp.Or(t.Check.Host, address)...), after.String()...)
		if _, err := conn.Write(b.asked); err != nil {
			return 0, err
		}
		return e.read(conn, b)
	}, nil
}

type field struct{ name, value string }

// probeFields are the header fields of a probe besides Host: the check's, and ours where it
// has none.
func probeFields(c *gateway.ActiveCheck) []field {
	fields := map[string]string{"User-Agent": UserAgent, "Accept": "*/*"}
	for name, value := range c.Headers {
		fields[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	var out []field
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, field{name, fields[name]})
	}
	return out
}

// buffers are lent to probes while they ask: most are over within a millisecond.
var buffers = sync.Pool{New: func() any { return &buffer{answer: bufio.NewReaderSize(nil, 2<<10)} }}

// buffer is the memory of one probe.
type buffer struct {
	asked   []byte
	limited io.LimitedReader
	answer  *bufio.Reader // of limited
}

// back gives it to the next one.
func (b *buffer) back() {
	b.limited.R = nil
	b.answer.Reset(nil)
	buffers.Put(b)
}

// aGet is what http.ReadResponse has to know of the request.
var aGet = &http.Request{Method: http.MethodGet}

// read judges the final answer.
func (e *expectation) read(conn net.Conn, b *buffer) (int, error) {
	b.limited = io.LimitedReader{R: conn, N: maxProbeHead}
	b.answer.Reset(&b.limited)
	if _, err := b.answer.Peek(1); err != nil {
		return 0, answerError(err, "HTTP/1.1")
	}
	if e.body == nil {
		if status, length, ok := plainHead(b.answer); ok {
			if length < 0 {
				length = courtesyBytes
			}
			if length > int64(b.answer.Buffered()) {
				b.limited.N = courtesyBytes
				courtesy(conn, &io.LimitedReader{R: b.answer, N: length})
			}
			return status, e.status(status)
		}
	}
	for {
		resp, err := http.ReadResponse(b.answer, aGet)
		if err != nil {
			return 0, answerError(err, "HTTP/1.1")
		}
		if resp.StatusCode >= 200 {
			b.limited.N = maxProbeBody + courtesyBytes
			return resp.StatusCode, e.judge(conn, resp)
		}
	}
}

// judge reads the body if it matters.
func (e *expectation) judge(conn net.Conn, resp *http.Response) error {
	err := e.status(resp.StatusCode)
	if err == nil && e.body != nil {
		body, failed := io.ReadAll(io.LimitReader(resp.Body, maxProbeBody))
		switch err = e.matches(body); {
		case err == nil || failed == nil:
		case isNetworkError(failed):
			err = failed
		default:
			err = errors.New("the body ended before it was complete")
		}
	}
	courtesy(conn, resp.Body)
	return err
}
