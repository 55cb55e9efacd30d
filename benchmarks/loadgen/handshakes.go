package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// handshakes opens connections one after the other, asks once on each and closes it. The
// latency is that of the handshake alone.
func handshakes(ctx context.Context, c Config) (Result, error) {
	end := time.Now().Add(c.Duration)
	request := c.request("Connection: close\r\n")
	return clients(ctx, c, func(ctx context.Context) (all latencies, err error) {
		config := c.tlsConfig()
		if c.Resume { // the first one brings the ticket and does not count
			if _, err := c.handshake(config, request, false); err != nil {
				return nil, err
			}
		}
		for time.Now().Before(end) && ctx.Err() == nil {
			took, err := c.handshake(config, request, c.Resume)
			if err != nil {
				return nil, err
			}
			all = append(all, took)
		}
		return all, nil
	})
}

// handshake opens one connection and uses it.
func (c Config) handshake(config *tls.Config, request []byte, resumed bool) (time.Duration, error) {
	plain, err := net.DialTimeout("tcp", c.Address, requestTimeout)
	if err != nil {
		return 0, err
	}
	defer func() { _ = plain.Close() }()
	_ = plain.SetDeadline(time.Now().Add(requestTimeout))
	nc := tls.Client(plain, config)
	began := time.Now()
	if err := nc.Handshake(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if nc.ConnectionState().DidResume != resumed {
		if resumed {
			return 0, errors.New("the server did not resume the session")
		}
		return 0, errors.New("the session was resumed without a ticket")
	}
	_, err = c.ask(nc, bufio.NewReaderSize(nc, 2048), request)
	return took, err
}
