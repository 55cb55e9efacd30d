package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
)

// A probe asks a contender for one piece of a scenario's work and judges the answer, so
// that what is measured is the work.
type probe func(ctx context.Context, c *contender) error

// askOnce sends one request on a connection of its own, over the protocol that the load
// will speak.
func askOnce(ctx context.Context, c *contender, method string, http2 bool, hostName string, body []byte) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.site.url(), bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	r.Host, r.Close = hostName, !http2
	if c.site.Protocol == "h2c" {
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Te", "trailers")
	}
	transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}}
	defer transport.CloseIdleConnections()
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return nil, "", err
	}
	text, err := readAll(answer)
	if err == nil && http2 != (answer.ProtoMajor == 2) {
		err = fmt.Errorf("the answer came over %s", answer.Proto)
	}
	return answer, text, err
}

// bodyProbe wants the origin's body.
func bodyProbe(method string, http2 bool, upload int) probe {
	return func(ctx context.Context, c *contender) error {
		answer, text, err := askOnce(ctx, c, method, http2, host, bytes.Repeat([]byte("u"), upload))
		if err != nil {
			return err
		}
		if want := c.st.body; answer.StatusCode != http.StatusOK || text != want {
			return fmt.Errorf("status %d with %d bytes, want 200 with the origin's %d", answer.StatusCode, len(text), len(want))
		}
		return nil
	}
}

// grpcProbe wants a whole gRPC answer, trailers included.
func grpcProbe(ctx context.Context, c *contender) error {
	answer, text, err := askOnce(ctx, c, http.MethodPost, true, host, grpcMessage)
	if err != nil {
		return err
	}
	if status := answer.Trailer.Get("Grpc-Status"); answer.StatusCode != http.StatusOK || status != "0" || len(text) != 5+grpcSize {
		return fmt.Errorf("status %d, grpc-status %q, %d bytes", answer.StatusCode, status, len(text))
	}
	return nil
}

// webSocketProbe wants an echo.
func webSocketProbe(ctx context.Context, c *contender) error {
	_, err := loadgen.Run(ctx, loadgen.Config{Kind: "websocket", Address: c.site.address(), Host: host, Connections: 1, Size: messageSize, Duration: time.Millisecond}, io.Discard)
	return err
}

// fetch is a GET that wants 200.
func fetch(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	text, err := readAll(answer)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.80s", url, answer.Status, strings.TrimSpace(text))
	}
	return text, err
}

// readAll reads a body of at most 64 MiB and closes it.
func readAll(answer *http.Response) (string, error) {
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	return string(text), err
}
