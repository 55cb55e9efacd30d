package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// RefusedError says that a receiver does not want a message, and would not want it later.
type RefusedError struct{ why string }

// Error says why.
func (e *RefusedError) Error() string { return e.why }

// laterError says that a receiver wants a message later.
type laterError struct {
	why   string
	after time.Duration
}

func (e *laterError) Error() string { return e.why }

// answerBytes is how much of an answer is read.
const answerBytes = 64 << 10

// sender posts messages to one receiver.
type sender struct {
	receiver Receiver
	link     string
	client   *http.Client
	now      func() time.Time
}

func newSender(r Receiver, link string) (*sender, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() // it is one since Go 1.0
	transport.MaxIdleConns, transport.IdleConnTimeout = 1, 30*time.Second
	if r.CAFile != "" {
		text, err := readSecret(r.CAFile)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(text)) {
			return nil, fmt.Errorf("receiver %s: %s holds no certificate in PEM", r.Name, r.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &sender{receiver: r, link: link, now: time.Now, client: &http.Client{Transport: transport, Timeout: r.Timeout,
		// Where messages go is the operator's decision, not that of whoever answers.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// post sends one message. The error never holds the URL, which for most services is a secret.
func (s *sender) post(ctx context.Context, alerts []gateway.Alert) error {
	u, err := s.receiver.address()
	if err != nil {
		return err // a file may come back
	}
	message, err := s.message(u, alerts)
	if err != nil {
		return err
	}
	body, err := json.Marshal(message)
	if err != nil {
		return &RefusedError{why: err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return &RefusedError{why: "the webhook's address cannot be used"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice")
	if s.receiver.TokenFile != "" {
		token, err := readSecret(s.receiver.TokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if bare := (*url.Error)(nil); errors.As(err, &bare) {
			err = bare.Err
		}
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing is written to it
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if err != nil {
		return fmt.Errorf("%s: read the answer: %w", u.Host, err)
	}
	return s.judge(u.Host, resp, answer)
}

// message is what the receiver's service expects. For DingTalk the URL gets a signature.
func (s *sender) message(u *url.URL, alerts []gateway.Alert) (any, error) {
	switch s.receiver.Type {
	case TypeSlack:
		return slackMessage(alerts, s.link), nil
	case TypeWeCom:
		return wecomMessage(alerts, s.link), nil
	case TypeDingTalk:
		if s.receiver.SecretFile != "" {
			secret, err := readSecret(s.receiver.SecretFile)
			if err != nil {
				return nil, err
			}
			signDingTalk(u, secret, s.now())
		}
		return dingtalkMessage(alerts, s.link), nil
	}
	return jsonMessage(alerts, s.link), nil
}

// judge tells from the answer whether the message got there, and whether trying again helps.
func (s *sender) judge(host string, resp *http.Response, answer []byte) error {
	why := fmt.Sprintf("%s answered %s: %s", host, resp.Status, clip(plain(string(answer)), 200))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0: no wish
		return &laterError{why: why, after: time.Duration(max(seconds, 0)) * time.Second}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout:
		return errors.New(why)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &RefusedError{why: why}
	}
	if t := s.receiver.Type; t != TypeDingTalk && t != TypeWeCom {
		return nil
	}
	// These two say 200 to everything, and what they think of it in the body.
	var verdict struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal(answer, &verdict); err != nil || verdict.Code == nil {
		return &RefusedError{why: why + " (no errcode: is the address right?)"}
	}
	why = fmt.Sprintf("%s answered errcode %d: %s", host, *verdict.Code, clip(plain(verdict.Message), 200))
	switch *verdict.Code {
	case 0:
		return nil
	case -1: // busy, both
		return errors.New(why)
	case 130101, 410100, 660026, 45009: // too many messages; DingTalk then refuses all for ten minutes
		return &laterError{why: why, after: time.Minute}
	}
	return &RefusedError{why: why}
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
