package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// bodyPatience is how long a probe waits for an endpoint that has answered to close.
const bodyPatience = 50 * time.Millisecond

// question is what probes of one check ask. It is prepared once and shared by the endpoints
// of an upstream, of which there may be tens of thousands; only the address differs.
type question struct {
	target Target // the first that asked it: all but the address is everybody's
	newest Target // the last that was found to ask the same
	check  *gateway.ActiveCheck
	secure *Secure
	tls    *tls.Config // nil: without TLS
	header []byte      // PROXY header, before TLS
	ask    askFunc
	err    error // of a check that cannot be asked: every probe fails with it
}

func newQuestion(t Target) *question {
	q := &question{target: t, newest: t, check: t.Check, secure: t.Secure, header: []byte(proxyHeaders[t.ProxyProtocol])}
	switch t.Check.Type {
	case "tcp":
		return q // a connection is all that is asked
	case "redis":
		q.ask = redisAsk(t.Check)
	case "mysql":
		q.ask = mysqlAsk(t.Check.User)
	case "grpc":
		q.ask, q.err = grpcAsk(t)
	default:
		q.ask, q.err = httpAsk(t)
	}
	if q.err == nil && t.Secure != nil && t.Check.Type != "mysql" { // which has a way of its own to TLS
		q.tls, q.err = t.Secure.config(t, speaksHTTP2(t))
	}
	return q
}

// speaksHTTP2 says whether the endpoints' protocol is HTTP/2, of which http probes must be too.
func speaksHTTP2(t Target) bool {
	return t.Check.Type == "grpc" || t.Check.Type == "http" && (t.Protocol == "h2c" || t.Protocol == "h2")
}

// probe asks the endpoint at the address once, until ctx is done. Status is 0 unless an HTTP
// answer came.
func (q *question) probe(ctx context.Context, dial dialFunc, address string) (status int, err error) {
	if q.err != nil {
		return 0, q.err
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer closeQuietly(conn)
	if q.ask == nil {
		return 0, nil
	}
	if w, ok := conn.(*wire); ok {
		w.open() // before two goroutines know of it
	}
	defer holdWith(ctx, conn)()
	if len(q.header) > 0 {
		if _, err := conn.Write(q.header); err != nil {
			return 0, err
		}
	}
	if q.tls == nil {
		return q.ask(conn, address)
	}
	secured := tls.Client(conn, q.configFor(address))
	if err := secured.Handshake(); err != nil { // in the time of the deadline
		return 0, err
	}
	return q.ask(secured, address)
}

// proxyHeaders are PROXY headers by version, for connections that serve nobody: the endpoint
// takes the connection's own addresses.
var proxyHeaders = map[string]string{"v1": "PROXY UNKNOWN\r\n", "v2": "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"}

// courtesy reads the end of an answer that is there already, so that small ones end without a
// reset in the endpoint's logs. The answer has decided; nothing here can fail.
func courtesy(conn net.Conn, rest io.Reader) {
	if err := conn.SetReadDeadline(time.Now().Add(bodyPatience)); err == nil {
		_, _ = io.CopyN(io.Discard, rest, courtesyBytes)
	}
}

// answerError tells apart an answer that did not come from one that cannot be read; what says
// what the answer should have been.
func answerError(err error, what string) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed the connection before answering")
	case isNetworkError(err):
		return err
	}
	return errors.New("the answer is not " + what)
}

func isNetworkError(err error) bool {
	var op *net.OpError
	var path *fs.PathError
	var errno syscall.Errno
	return errors.As(err, &op) || errors.As(err, &path) || errors.As(err, &errno) || errors.Is(err, os.ErrDeadlineExceeded)
}

// probeError is the sentence that people read.
func probeError(ctx context.Context, err error, timeout time.Duration) string {
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer within " + timeout.String()
	case errors.As(err, &errno):
		return errno.Error() // such as "connection refused"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

// printable is at most the first 100 bytes of what an endpoint said, for an error that people
// read.
func printable(said []byte) string {
	said = said[:min(len(said), 100)]
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, said))
}

// expire makes every pending and later operation on the connection fail.
func expire(conn net.Conn) {
	if err := conn.SetDeadline(time.Unix(1, 0)); err != nil {
		closeQuietly(conn)
	}
}

// closeQuietly closes a probe's connection; its result is known already.
func closeQuietly(conn net.Conn) { _ = conn.Close() }
