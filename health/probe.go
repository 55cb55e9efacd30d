package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// UserAgent is what http probes say in their User-Agent field.
const UserAgent = "sluice-health/1.0"

const (
	maxProbeHead = 64 << 10 // bytes of the answer that are read to find its status
	maxProbeBody = 4 << 10  // bytes of the body that are read out of courtesy
	bodyPatience = 50 * time.Millisecond
)

// probe asks an endpoint once, until ctx is done. Status is 0 unless an HTTP answer came.
type probe func(ctx context.Context) (status int, err error)

// newProbe prepares what is the same for every probe of the target. A check that cannot be
// asked becomes a probe that fails with the reason.
func (p *Prober) newProbe(t Target) probe {
	if t.Check.Type == "tcp" {
		return p.tcpProbe(t.Address)
	}
	ask, err := httpProbe(t)
	if err != nil {
		return func(context.Context) (int, error) { return 0, err }
	}
	dial, err := p.dialer(t)
	if err != nil {
		return func(context.Context) (int, error) { return 0, err }
	}
	return func(ctx context.Context) (int, error) {
		conn, err := dial(ctx)
		if err != nil {
			return 0, err
		}
		defer closeQuietly(conn)
		// A read or write cannot wait for a context, but a deadline in the past ends it.
		stop := context.AfterFunc(ctx, func() { expire(conn) })
		defer stop()
		return ask(conn)
	}
}

// tcpProbe succeeds when a connection opens.
func (p *Prober) tcpProbe(address string) probe {
	return func(ctx context.Context) (int, error) {
		conn, err := p.dial(ctx, "tcp", address)
		if err != nil {
			return 0, err
		}
		closeQuietly(conn)
		return 0, nil
	}
}

// httpProbe writes the request once and returns what sends it and judges the status. It
// speaks HTTP/1.1 directly on the connection: net/http's client would add two goroutines
// and a connection pool to each of thousands of probes.
func httpProbe(t Target) (func(net.Conn) (int, error), error) {
	expect, err := parseExpect(t.Check.Expect)
	if err != nil {
		return nil, err
	}
	u, err := url.ParseRequestURI(t.Check.Path)
	if err != nil || !strings.HasPrefix(t.Check.Path, "/") {
		return nil, fmt.Errorf("cannot ask for path %q: write an absolute path such as /healthz", t.Check.Path)
	}
	u.Scheme, u.Host = "http", t.Address
	req := &http.Request{Method: http.MethodGet, URL: u, Host: t.Check.Host, Close: true,
		Header: http.Header{"User-Agent": {UserAgent}, "Accept": {"*/*"}}}
	var head bytes.Buffer
	if err := req.Write(&head); err != nil {
		return nil, fmt.Errorf("cannot write the probe of %s for host %q: %w", t.Check.Path, t.Check.Host, err)
	}
	return func(conn net.Conn) (int, error) {
		status, err := exchange(conn, req, head.Bytes())
		if err == nil && !expect.includes(status) {
			err = fmt.Errorf("status %d, expected %s", status, strings.Join(t.Check.Expect, ", "))
		}
		return status, err
	}, nil
}

// proxyHeaders are PROXY headers by version, for connections that serve nobody: the endpoint
// takes the connection's own addresses.
var proxyHeaders = map[string]string{"v1": "PROXY UNKNOWN\r\n", "v2": "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"}

// exchange sends the head and returns the status of the final answer.
func exchange(conn net.Conn, req *http.Request, head []byte) (int, error) {
	if _, err := conn.Write(head); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(io.LimitReader(conn, maxProbeHead), 1<<10)
	for {
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return 0, answerError(err)
		}
		if resp.StatusCode >= 200 {
			courtesy(conn, resp)
			return resp.StatusCode, nil
		}
	}
}

// courtesy reads the start of a body that is there already, so that small answers end
// without a reset in the endpoint's logs. The status has decided; nothing here can fail.
func courtesy(conn net.Conn, resp *http.Response) {
	if err := conn.SetReadDeadline(time.Now().Add(bodyPatience)); err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxProbeBody)
	}
}

// errNotHTTP stands for an answer that is not HTTP/1.
var errNotHTTP = errors.New("the answer is not HTTP/1.1")

// answerError tells apart an answer that did not come from one that cannot be read.
func answerError(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed the connection before answering")
	case errors.As(err, &op), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	return errNotHTTP
}

// probeError is the sentence that people read.
func probeError(ctx context.Context, err error, timeout time.Duration) string {
	var op *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer within " + timeout.String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

// expire makes every pending and later operation on the connection fail.
func expire(conn net.Conn) {
	if err := conn.SetDeadline(time.Unix(1, 0)); err != nil {
		closeQuietly(conn)
	}
}

// closeQuietly closes a probe's connection; its result is known already.
func closeQuietly(conn net.Conn) { _ = conn.Close() }
