package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// liveSocket is where nginx takes endpoint sets; see nginxconf/lua_balance.lua.
type liveSocket struct{ path string }

// errOtherSets is nginx's answer to a push that builds on sets that it does not have.
var errOtherSets = errors.New("nginx has other endpoint sets")

// version asks nginx which sets it has: "none" after a start without a file.
func (s liveSocket) version(ctx context.Context) (string, error) {
	return s.do(ctx, http.MethodGet, nil)
}

// push hands sets over and returns the version that nginx has now.
func (s liveSocket) push(ctx context.Context, body []byte) (string, error) {
	return s.do(ctx, http.MethodPost, body)
}

func (s liveSocket) do(ctx context.Context, method string, body []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // after a reload the next one goes to a new worker
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", s.path)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://sluice-live/live", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("give nginx its endpoint sets: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	text := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("give nginx its endpoint sets: %w", err)
	case res.StatusCode == http.StatusConflict:
		return "", errOtherSets
	case res.StatusCode != http.StatusOK:
		return "", fmt.Errorf("give nginx its endpoint sets: it answered %d: %s", res.StatusCode, text)
	}
	return text, nil
}
