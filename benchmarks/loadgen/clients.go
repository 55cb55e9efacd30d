package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// requestTimeout bounds one step of a client.
const requestTimeout = 10 * time.Second

// clients runs as many clients as there are connections, until one fails or all end.
func clients(ctx context.Context, c Config, client func(ctx context.Context) (latencies, error)) (Result, error) {
	each := make([]latencies, c.Connections)
	group, groupCtx := errgroup.WithContext(ctx)
	start := time.Now()
	for i := range each {
		group.Go(func() (err error) {
			each[i], err = client(groupCtx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Result{}, err
	}
	return resultOf(time.Since(start), each), ctx.Err()
}

// tlsConfig is the same work for every peer: TLS 1.3 over X25519. Go's own peers would
// agree on a hybrid key exchange with Go's client, and the others would not.
func (c Config) tlsConfig() *tls.Config {
	config := &tls.Config{ServerName: c.Host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"}}
	if c.Resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	}
	return config
}

// request is a GET, with the fields in more.
func (c Config) request(more string) []byte {
	return []byte("GET / HTTP/1.1\r\nHost: " + c.Host + "\r\n" + more + "\r\n")
}

// ask sends a request and reads the whole answer.
func (c Config) ask(nc net.Conn, r *bufio.Reader, request []byte) (*http.Response, error) {
	_ = nc.SetDeadline(time.Now().Add(requestTimeout))
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return answer, nil
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK || c.Body != "" && string(body) != c.Body {
		return nil, fmt.Errorf("wrong answer: status %d with %d bytes", answer.StatusCode, len(body))
	}
	return answer, nil
}
