package names

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// Webhook announces names by POST to a URL and withdraws them by DELETE of the URL, a slash
// and the name. The Idempotency-Key of a call stays the same when it is repeated.
//
// 2xx is done, and so are 404 and 410 for a DELETE. 409 says that the name is somebody
// else's. 408, 425, 429 and 5xx are tried again, any other 4xx is not. Redirects are not
// followed, for they would get the token.
type Webhook struct {
	URL string
	// TokenFile holds the bearer token. It is read for each call. Default: none.
	TokenFile string
	// Owner tells this Sluice from others that call the same URL.
	Owner string
	// Timeout of one call. Default 10s.
	Timeout time.Duration
}

// Call is the body of a POST.
type Call struct {
	Host       string       `json:"host"`
	Addresses  []netip.Addr `json:"addresses,omitempty"`
	CNAME      string       `json:"cname,omitempty"`
	TTLSeconds int          `json:"ttlSeconds"`
	Owner      string       `json:"owner"`
	Service    Service      `json:"service"`
}

// Announce implements [Announcer].
func (w *Webhook) Announce(ctx context.Context, r Record) error {
	body, err := json.Marshal(Call{Host: r.Host, Addresses: r.Target.Addresses, CNAME: r.Target.CNAME,
		TTLSeconds: int(r.Target.TTL / time.Second), Owner: w.Owner, Service: r.Service})
	if err != nil {
		return fmt.Errorf("write the call for %s: %w", r.Host, err)
	}
	return w.call(ctx, http.MethodPost, w.URL, body, r)
}

// Withdraw implements [Announcer].
func (w *Webhook) Withdraw(ctx context.Context, r Record) error {
	u, err := url.Parse(w.URL)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return w.call(ctx, http.MethodDelete, u.JoinPath(r.Host).String(), nil, r)
}

func (w *Webhook) call(ctx context.Context, method, to string, body []byte, r Record) error {
	timeout := w.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	req.Header.Set("Idempotency-Key", w.key(method, r))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.TokenFile != "" {
		token, err := os.ReadFile(w.TokenFile)
		if err != nil {
			return fmt.Errorf("read the webhook's token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("call the webhook: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
	return verdict(method, answer, string(said))
}

// key is the same for a call and its repetitions only: a name that is announced, withdrawn
// and announced again has another Since.
func (w *Webhook) key(method string, r Record) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{w.Owner, method, r.Host, r.Since.UTC().Format(time.RFC3339Nano)}, "\n")))
	return hex.EncodeToString(sum[:16])
}

func verdict(method string, answer *http.Response, said string) error {
	code := answer.StatusCode
	failed := fmt.Errorf("the webhook answers %s to %s: %.200q", answer.Status, method, said)
	switch {
	case code >= 200 && code < 300:
		return nil
	case method == http.MethodDelete && (code == http.StatusNotFound || code == http.StatusGone):
		return nil
	case code == http.StatusConflict:
		return fmt.Errorf("%w: %w", ErrTaken, failed)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return failed
	}
	return fmt.Errorf("%w: %w", ErrRejected, failed)
}
