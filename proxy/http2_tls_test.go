package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// overTLS is a client of net/http that dials addr whatever the URL says, with HTTP/2 or not.
func overTLS(t testing.TB, ca *certtest.CA, addr string, h2 bool) *http.Client {
	tr := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: ca.Pool},
		Protocols:          new(http.Protocols),
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: tr}
}

// By ALPN both codecs are served on one port, and endpoints are asked over TLS in HTTP/2.
func TestHTTP2OverTLS(t *testing.T) {
	ca := certtest.NewCA(t, "origin", time.Now())
	o := startTLSOrigin(t, &tls.Config{NextProtos: []string{"h2"}, Certificates: []tls.Certificate{ca.Issue(t, time.Now(), "api.test").TLS(t)}}, describe)
	s := &secured{ca: certtest.NewCA(t, "ca", time.Now())}
	to := toTLS(&gateway.UpstreamTLS{CA: ca.PEM, ServerName: "api.test"}, nil, o.addr)
	to.Upstreams[0].Protocol = "h2"
	s.edge = start(t, Config{}, Listener{TLS: &TLS{}}, to)
	s.use(s.cert(t, "shop", nil, "shop.test"))
	for _, h2 := range []bool{true, false} {
		client := overTLS(t, s.ca, s.addr, h2)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				body := bytes.Repeat([]byte{byte('a' + i)}, 10_000*i)
				resp, err := client.Post("https://shop.test/x", "text/plain", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = resp.Body.Close() }()
				got, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(got, body) || resp.ProtoMajor == 2 != h2 {
					t.Errorf("%d bytes of %d, %s, %v", len(got), len(body), resp.Proto, err)
				}
				if seen := resp.Header.Get("X-Seen"); !bytes.HasPrefix([]byte(seen), []byte("HTTP/2.0 POST shop.test /x ")) {
					t.Errorf("the origin saw %s", seen)
				}
			})
		}
		wg.Wait()
	}
	if fs := s.observed.failures(); len(fs) > 0 {
		t.Errorf("failures %v", fs)
	}
	if n := o.full.Load() + o.resumed.Load(); n > 4 {
		t.Errorf("%d connections for requests that can share one", n)
	}
}

// A client that waits for 100 gets it, also when it does not say how long the body is.
func TestHTTP2ExpectContinue(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, httpOrigin(t, describe))
	s.use(s.cert(t, "shop", nil, "shop.test"))
	client := overTLS(t, s.ca, s.addr, true)
	client.Transport.(*http.Transport).ExpectContinueTimeout = 2 * patience // the client's own is up before
	for _, length := range []int64{-1, 5, 50_000} {
		body := bytes.Repeat([]byte{'b'}, int(max(length, 5)))
		req, err := http.NewRequest("POST", "https://shop.test/x", io.NopCloser(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Expect", "100-continue")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("length %d: %v", length, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Equal(got, body) || err != nil {
			t.Errorf("length %d: %d %.80q, %v", length, resp.StatusCode, got, err)
		}
	}
}

func TestH2SpecOverTLS(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello, here are some bytes of body")
	})
	s := serveTLS(t, Config{}, TLS{}, o)
	s.use(s.cert(t, "local", nil, "localhost"))
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "-modfile=../tools/go.mod", "h2spec", "-h", "localhost", "-p", port, "-t", "-k", "-o", "10").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("145 tests, 145 passed, 0 skipped, 0 failed")) {
		t.Errorf("h2spec: %v\n%s", err, out)
	}
}

// A WebSocket over TLS still gets HTTP/1.1, since its client offers nothing else.
func TestWebSocketOverTLS(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, httpOrigin(t, echoSocket))
	s.use(s.cert(t, "shop", nil, "shop.test"))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://shop.test/chat", &websocket.DialOptions{HTTPClient: overTLS(t, s.ca, s.addr, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// A connection from before its host changed whom it lets in is of no use to its client any more, which
// asks on a new one. One that asks for another host's sake alone is kept.
func TestHTTP2ClientCertificatesChange(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, rawOrigin(t, hello, false))
	mine, next := certtest.NewCA(t, "mine", time.Now()), certtest.NewCA(t, "next", time.Now())
	require := func(cas ...[]byte) *gateway.ClientAuth {
		return &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: string(bytes.Join(cas, nil))}
	}
	must := s.cert(t, "must", require([]byte(mine.PEM)), "must.test")
	open := s.cert(t, "open", nil, "open.test")
	s.use(must, open)
	client := overTLS(t, s.ca, s.addr, true)
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{mine.Issue(t, time.Now()).TLS(t)}
	status := func(url, host string) int {
		t.Helper()
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for range 2 {
		if got := status("https://open.test/", "must.test"); got != 421 {
			t.Errorf("over a connection for another host: %d", got)
		}
	}
	if got := status("https://open.test/", ""); got != 200 || s.shake().done.Load() != 1 {
		t.Errorf("%d, after %d handshakes", got, s.shake().done.Load())
	}
	if got := status("https://must.test/", ""); got != 200 {
		t.Errorf("before the change: %d", got)
	}
	both := *must
	both.ClientAuth = require([]byte(mine.PEM), []byte(next.PEM))
	s.use(&both, open)
	if got := status("https://must.test/", ""); got != 421 {
		t.Errorf("over the connection from before: %d", got)
	}
	if got := status("https://must.test/", ""); got != 200 {
		t.Errorf("after it: %d", got)
	}
}
