package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// open gives x.link a way to x.ep: a kept connection, or a new one, which a repeated request
// always gets.
func (x *exchange) open() error {
	if x.rot.http2 {
		return x.openStream()
	}
	if !x.replayed && x.rot.proxyProtocol == 0 && x.takeKept() {
		return nil
	}
	s, err := x.connect()
	x.link.conn, x.reused = s, false
	return err
}

// connect opens a connection to x.ep.
func (x *exchange) connect() (*socket.Conn, error) {
	timeout := x.rot.connect
	x.sentAt = socket.Now()
	if x.deadline > 0 {
		timeout = min(timeout, time.Duration(x.deadline-x.sentAt))
	}
	if timeout <= 0 {
		return nil, errSlowUpstream
	}
	uc, err := x.dial(timeout)
	if err != nil {
		x.ep.skipUntil.Store(socket.Now() + skipFor)
		x.reason = errorClass(err)
		x.report(gateway.FailureConnect)
		return nil, err
	}
	if x.ep.skipUntil.Load() != 0 {
		x.ep.skipUntil.Store(0)
	}
	x.reason = ""
	return uc, nil
}

// takeKept takes a kept connection, if there is one that was made as they are made now: an
// upstream's TLS settings may have changed since.
func (x *exchange) takeKept() bool {
	x.personal = false
	if x.c.bound != nil && x.takeBound() {
		return true
	}
	prompt := x.prompt && !x.late && x.whole && x.req().Framing == http1.NoBody && x.req().Method.Idempotent()
	for {
		uc, ok := x.ep.pool.Get(x.tryAt(), x.rot.idle, prompt, &x.turn)
		if !ok {
			return false
		}
		if x.rot.tls.secured(uc, x.ep) {
			x.link.conn, x.reused, x.reason = uc, true, ""
			return true
		}
		_ = uc.Close() // its failure has no one to tell
	}
}

// dial makes a new connection to x.ep.
func (x *exchange) dial(timeout time.Duration) (*socket.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	nc, err := dialer.DialContext(ctx, "tcp", x.ep.key.Address)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return nil, errConnectSlow
	case err != nil:
		return nil, errConnect
	}
	uc := socket.New(nc)
	uc.Own()
	if err := x.introduce(uc); err != nil {
		_ = uc.Close() // nothing of the request was sent
		return nil, err
	}
	if x.rot.tls == nil {
		return uc, nil
	}
	if err := x.rot.tls.secure(uc, x.ep, x.sentAt+int64(timeout)); err != nil {
		_ = uc.Close()
		return nil, err
	}
	return uc, nil
}

// errorClass is the class of an error of ours, or "".
func errorClass(err error) string {
	if e := ownError(err); e != nil {
		return e.Class
	}
	return ""
}

// ownError is the error of ours that err is, or nil.
func ownError(err error) (e *http1.Error) {
	errors.As(err, &e)
	return e
}

// dialer keeps the kernel's keep-alive probes on, which find peers that vanished.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}}
