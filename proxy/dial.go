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

// open gives x.uc a connection to x.ep: a kept one, or a new one, which a repeated request
// always gets.
func (x *exchange) open() error {
	if !x.replayed && x.rot.proxyProtocol == 0 {
		if uc, ok := x.ep.pool.Get(x.tryAt(), x.rot.idle); ok {
			x.uc, x.reused = uc, true
			return nil
		}
	}
	timeout := x.rot.connect
	x.sentAt = socket.Now()
	if x.deadline > 0 {
		timeout = min(timeout, time.Duration(x.deadline-x.sentAt))
	}
	if timeout <= 0 {
		return errSlowUpstream
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	nc, err := dialer.DialContext(ctx, "tcp", x.ep.key.Address)
	if err != nil {
		x.ep.skipUntil.Store(socket.Now() + skipFor)
		x.report(gateway.FailureConnect)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			return errConnectSlow
		}
		return errConnect
	}
	if x.ep.skipUntil.Load() != 0 {
		x.ep.skipUntil.Store(0)
	}
	x.uc, x.reused = socket.New(nc), false
	return x.introduce()
}

// dialer keeps the kernel's keep-alive probes on, which find peers that vanished.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}}
