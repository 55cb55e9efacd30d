package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"golang.org/x/sync/errgroup"
)

// openAtOnce keeps the queue of connections that were not accepted short.
const openAtOnce = 16

// idle opens connections, asks once on each, says so and keeps them open until ctx ends.
func idle(ctx context.Context, c Config, out io.Writer) error {
	open := make([]net.Conn, c.Connections)
	defer func() {
		for _, nc := range open {
			if nc != nil {
				_ = nc.Close()
			}
		}
	}()
	var group errgroup.Group
	group.SetLimit(openAtOnce)
	config, request := c.tlsConfig(), c.request("")
	for i := range open {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			nc, err := net.DialTimeout("tcp", c.Address, requestTimeout)
			if err != nil {
				return err
			}
			if open[i] = nc; c.Secure {
				nc = tls.Client(nc, config)
			}
			_, err = c.ask(nc, bufio.NewReaderSize(nc, 2048), request)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("open idle connections: %w", err)
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
