package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// open gives x.link a way to x.ep: a kept connection, or a new one, which a repeated request
// always gets.
func (x *exchange) open() error {
	if x.rot.http2 {
		return x.openStream()
	}
	if !x.replayed {
		if uc, ok := x.ep.pool.Get(x.startedAt, x.rot.idle); ok {
			x.link.conn, x.reused = uc, true
			return nil
		}
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
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	nc, err := dialer.DialContext(ctx, "tcp", x.ep.key.Address)
	if err != nil {
		x.ep.skipUntil.Store(socket.Now() + skipFor)
		x.report(gateway.FailureConnect)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			return nil, errConnectSlow
		}
		return nil, errConnect
	}
	if x.ep.skipUntil.Load() != 0 {
		x.ep.skipUntil.Store(0)
	}
	return socket.New(nc), nil
}

// dialer keeps the kernel's keep-alive probes on, which find peers that vanished.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}}
