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
		if _, err := io.WriteString(conn, before+cmp.Or(t.Check.Host, address)+after.String()); err != nil {
			return 0, err
		}
		return e.read(conn)
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

// readers are lent to probes while they read: most are over within a millisecond.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}

// aGet is what http.ReadResponse has to know of the request.
var aGet = &http.Request{Method: http.MethodGet}

// read judges the final answer.
func (e *expectation) read(conn net.Conn) (int, error) {
	limited := &io.LimitedReader{R: conn, N: maxProbeHead}
	r := readers.Get().(*bufio.Reader)
	r.Reset(limited)
	defer func() {
		r.Reset(nil)
		readers.Put(r)
	}()
	for {
		resp, err := http.ReadResponse(r, aGet)
		if err != nil {
			return 0, answerError(err, "HTTP/1.1")
		}
		if resp.StatusCode >= 200 {
			limited.N = maxProbeBody + courtesyBytes
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
