package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/proxy/certs"
)

// secured is a proxy with a listener for TLS.
type secured struct {
	*edge
	ca *certtest.CA
}

// cert makes a certificate as Build would.
func (s *secured) cert(t testing.TB, name string, auth *gateway.ClientAuth, hosts ...string) *gateway.EffectiveCertificate {
	t.Helper()
	return effective(name, s.ca.Issue(t, time.Now(), hosts...), auth, hosts...)
}

func effective(name string, p certtest.Pair, auth *gateway.ClientAuth, hosts ...string) *gateway.EffectiveCertificate {
	return &gateway.EffectiveCertificate{Key: gateway.CertificateKey{Tenant: "acme", Name: name}, Hosts: hosts, Chain: p.Chain, PrivateKey: gateway.Secret(p.Key), ClientAuth: auth}
}

// serveTLS starts a proxy before the origin, without certificates.
func serveTLS(t testing.TB, cfg Config, l TLS, o *origin) *secured {
	t.Helper()
	return &secured{start(t, cfg, Listener{TLS: &l}, snap([]string{o.addr}, nil)), certtest.NewCA(t, "ca", time.Now())}
}

// shake is what the listener counts.
func (s *secured) shake() *handshakes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners[0].shake
}

// use swaps the certificates.
func (s *secured) use(list ...*gateway.EffectiveCertificate) {
	next := *s.snap
	next.Generation++
	next.Certificates = list
	s.snap = &next
	s.Apply(&next)
}

// connect does a handshake; change alters the client's configuration.
func (s *secured) connect(t testing.TB, name string, change func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	cfg := &tls.Config{RootCAs: s.ca.Pool, ServerName: name}
	if change != nil {
		change(cfg)
	}
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = nc.Close() })
	c := tls.Client(nc, cfg)
	return c, c.Handshake()
}

func (s *secured) must(t testing.TB, name string, change func(*tls.Config)) *tls.Conn {
	t.Helper()
	c, err := s.connect(t, name, change)
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	return c
}

// ask does one GET on a connection. host is the Host field.
func ask(c net.Conn, host string) (int, string, error) {
	if _, err := io.WriteString(c, "GET /x HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func wantStatus(t testing.TB, c net.Conn, host string, status int) string {
	t.Helper()
	got, body, err := ask(c, host)
	if err != nil || got != status {
		t.Fatalf("request to %s: %d %q, %v; want %d", host, got, body, err, status)
	}
	return body
}

// leafOf names the certificate that a client was shown, by its first name.
func leafOf(c *tls.Conn) string { return c.ConnectionState().PeerCertificates[0].DNSNames[0] }

func TestTLSNames(t *testing.T) {
	o := rawOrigin(t, hello, false)
	s := serveTLS(t, Config{}, TLS{}, o)
	if _, err := s.connect(t, "a.example.com", nil); !alerted(err, "unrecognized name") {
		t.Errorf("without certificates: %v", err)
	}
	s.use(s.cert(t, "exact", nil, "a.example.com"), s.cert(t, "wild", nil, "*.example.com"))
	for name, want := range map[string]string{"a.example.com": "a.example.com", "A.Example.com": "a.example.com", "b.example.com": "*.example.com"} {
		c := s.must(t, name, nil)
		if got := leafOf(c); got != want {
			t.Errorf("%s was shown %s, want %s", name, got, want)
		}
		if body := wantStatus(t, c, name, 200); body != "hello" {
			t.Errorf("%s: %q", name, body)
		}
	}
	for _, name := range []string{"example.com", "a.b.example.com", "other.test", ""} {
		_, err := s.connect(t, name, func(c *tls.Config) { c.InsecureSkipVerify = true })
		if !alerted(err, "unrecognized name") {
			t.Errorf("%q: %v, want the alert unrecognized_name", name, err)
		}
	}
	if head := o.seen()[0]; !strings.Contains(head, "X-Forwarded-Proto: https\r\n") {
		t.Errorf("the origin is not told of TLS:\n%s", head)
	}
}

// alerted says whether the server refused by an alert.
func alerted(err error, text string) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && strings.Contains(err.Error(), text)
}

func TestTLSFiles(t *testing.T) {
	o := rawOrigin(t, hello, false)
	ca, dir := certtest.NewCA(t, "files", time.Now()), t.TempDir()
	pair := func(name string, hosts ...string) certs.FilePair {
		cert, key := ca.Issue(t, time.Now(), hosts...).Write(t, dir, name)
		return certs.FilePair{CertFile: cert, KeyFile: key}
	}
	files, err := certs.LoadFiles(pair("default", "default.test"), []certs.FilePair{pair("f", "file.example.com"), pair("w", "*.files.test")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, Config{}, TLS{Files: files}, o)
	s.use(s.cert(t, "wild", nil, "*.example.com"))
	any := func(c *tls.Config) { c.InsecureSkipVerify = true }
	for name, want := range map[string]string{
		"file.example.com": "file.example.com", // exact, before the object's wildcard
		"x.example.com":    "*.example.com", "a.files.test": "*.files.test", "default.test": "default.test", "unknown.test": "default.test", "": "default.test",
	} {
		if got := leafOf(s.must(t, name, any)); got != want {
			t.Errorf("%q was shown %s, want %s", name, got, want)
		}
	}
}

func TestTLSVersionsAndProtocols(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{ALPN: []string{"h3-test", "http/1.1"}}, rawOrigin(t, hello, false))
	s.use(s.cert(t, "a", nil, "a.example.com"))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := s.must(t, "a.example.com", func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		wantStatus(t, c, "a.example.com", 200)
	}
	_, err := s.connect(t, "a.example.com", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	if !alerted(err, "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	_, err = s.connect(t, "a.example.com", func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	})
	if !alerted(err, "handshake failure") {
		t.Errorf("a suite with CBC: %v", err)
	}
	c := s.must(t, "a.example.com", func(c *tls.Config) { c.NextProtos = []string{"http/1.1", "h3-test"} })
	if got := c.ConnectionState().NegotiatedProtocol; got != "h3-test" {
		t.Errorf("the listener prefers h3-test, got %q", got)
	}
	_, err = s.connect(t, "a.example.com", func(c *tls.Config) { c.NextProtos = []string{"spdy/3"} })
	if !alerted(err, "no application protocol") {
		t.Errorf("no protocol in common: %v", err)
	}
	eventually(t, "failures are counted by reason", func() bool {
		f := &s.shake().failed
		return f[tlsFaultVersion].Load() == 1 && f[tlsFaultCipher].Load() == 1 && f[tlsFaultALPN].Load() == 1
	})
}

// Clients that want HTTP/1.0 may offer just that: curl --http1.0 does.
func TestTLSOfHTTP10(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, rawOrigin(t, hello, false))
	s.use(s.cert(t, "a", nil, "a.example.com"))
	for _, offer := range [][]string{{"http/1.0"}, {"http/1.0", "http/1.1"}} {
		c := s.must(t, "a.example.com", func(c *tls.Config) { c.NextProtos = offer })
		if got, want := c.ConnectionState().NegotiatedProtocol, offer[len(offer)-1]; got != want {
			t.Errorf("of %q: %q, want %q", offer, got, want)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.0\r\nHost: a.example.com\r\n\r\n")
		if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "\r\n\r\nhello") {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// Each kind of failure has its reason, and none of them takes the listener with it.
func TestTLSHandshakeFailures(t *testing.T) {
	s := serveTLS(t, Config{HandshakeTimeout: 300 * time.Millisecond}, TLS{}, rawOrigin(t, hello, false))
	s.use(s.cert(t, "a", nil, "a.example.com"))
	failed := func(f tlsFault) func() bool {
		return func() bool { return s.shake().failed[f].Load() == 1 }
	}
	raw := func(send string) net.Conn {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, send)
		return c
	}
	answer, _ := io.ReadAll(raw("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"))
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("plain HTTP got %q", answer)
	}
	eventually(t, "not TLS", failed(tlsFaultNotTLS))
	silent := raw("\x16\x03\x01")
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("a silent client: %v", err)
	}
	eventually(t, "timeout", failed(tlsFaultTimeout))
	_ = raw("\x16\x03\x01\x00").Close()
	eventually(t, "left", failed(tlsFaultLeft))
	if _, err := s.connect(t, "a.example.com", func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }); err == nil {
		t.Error("the client trusts nobody")
	}
	eventually(t, "refused by the client", failed(tlsFaultRefused))
	_, _ = s.connect(t, "b.example.com", nil)
	eventually(t, "unknown name", failed(tlsFaultName))
	wantStatus(t, s.must(t, "a.example.com", nil), "a.example.com", 200)
}

// A swap closes nothing: connections that are open go on under the certificate that they
// began with, new ones get the new one.
func TestTLSSwap(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, rawOrigin(t, hello, false))
	first := s.cert(t, "a", nil, "a.example.com")
	s.use(first)
	var open []*tls.Conn
	for range 20 {
		open = append(open, s.must(t, "a.example.com", nil))
	}
	for i := range 10 {
		s.use(s.cert(t, "a", nil, "a.example.com"))
		for _, c := range open {
			wantStatus(t, c, "a.example.com", 200)
		}
		c := s.must(t, "a.example.com", nil)
		if c.ConnectionState().PeerCertificates[0].Equal(open[0].ConnectionState().PeerCertificates[0]) {
			t.Fatalf("swap %d: a new connection got the old certificate", i)
		}
	}
	s.use()
	for _, c := range open {
		wantStatus(t, c, "a.example.com", 200)
	}
}

func TestTLSClientCertificates(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, rawOrigin(t, hello, false))
	mine, other := certtest.NewCA(t, "mine", time.Now()), certtest.NewCA(t, "other", time.Now())
	require := &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: mine.PEM}
	request := &gateway.ClientAuth{Mode: gateway.ClientAuthRequest, CA: mine.PEM}
	elsewhere := &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: other.PEM}
	s.use(s.cert(t, "open", nil, "open.example.com"), s.cert(t, "must", require, "must.example.com"), s.cert(t, "must2", require, "must2.example.com"),
		s.cert(t, "may", request, "may.example.com"), s.cert(t, "else", elsewhere, "else.example.com"))
	with := func(ca *certtest.CA) func(*tls.Config) {
		cert := ca.Issue(t, time.Now()).TLS(t)
		return func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
	}
	// With TLS 1.3 the client learns of a refusal with its first read.
	for _, c := range []struct {
		name, host string
		client     func(*tls.Config)
		status     int // 0: the handshake fails
	}{
		{"open.example.com", "open.example.com", nil, 200},
		{"open.example.com", "must.example.com", nil, 421},
		{"open.example.com", "may.example.com", nil, 421},
		{"must.example.com", "must.example.com", nil, 0},
		{"must.example.com", "must.example.com", with(other), 0},
		{"must.example.com", "must.example.com", with(mine), 200},
		{"must.example.com", "MUST.example.com:443", with(mine), 200},
		{"must.example.com", "must2.example.com", with(mine), 200}, // asked for the same
		{"must.example.com", "open.example.com", with(mine), 421},
		{"must.example.com", "else.example.com", with(mine), 421},
		{"may.example.com", "may.example.com", nil, 200},
		{"may.example.com", "may.example.com", with(mine), 200},
		{"may.example.com", "may.example.com", with(other), 0},
		{"may.example.com", "must.example.com", nil, 421},
		{"else.example.com", "else.example.com", with(other), 200},
	} {
		conn, err := s.connect(t, c.name, c.client)
		status := 0
		if err == nil {
			status, _, err = ask(conn, c.host)
		}
		if status != c.status || c.status == 0 && err == nil {
			t.Errorf("%s asked for %s: %d, %v; want %d", c.name, c.host, status, err, c.status)
		}
	}
	eventually(t, "refusals are counted", func() bool { return s.shake().failed[tlsFaultClient].Load() == 3 })

	// A host that begins to ask is closed to connections from before.
	before := s.must(t, "open.example.com", nil)
	wantStatus(t, before, "open.example.com", 200)
	s.use(s.cert(t, "open", require, "open.example.com"))
	wantStatus(t, before, "open.example.com", 421)
}

// A host that requires certificates is not there for clients without TLS.
func TestTLSRequiredOnPlainListener(t *testing.T) {
	o := rawOrigin(t, hello, false)
	s := &secured{before(t, o), certtest.NewCA(t, "ca", time.Now())}
	s.use(s.cert(t, "must", &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: s.ca.PEM}, "must.example.com"),
		s.cert(t, "may", &gateway.ClientAuth{Mode: gateway.ClientAuthRequest, CA: s.ca.PEM}, "may.example.com"))
	for host, status := range map[string]int{"must.example.com": 421, "may.example.com": 200, "x": 200} {
		c := s.dial(t)
		wantStatus(t, c, host, status)
	}
}

// A session is no way around the client certificate of another host.
func TestTLSResumptionKeepsToTheHost(t *testing.T) {
	s := serveTLS(t, Config{}, TLS{}, rawOrigin(t, hello, false))
	mine, other := certtest.NewCA(t, "mine", time.Now()), certtest.NewCA(t, "other", time.Now())
	s.use(s.cert(t, "open", nil, "open.example.com"),
		s.cert(t, "must", &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: mine.PEM}, "must.example.com"),
		s.cert(t, "else", &gateway.ClientAuth{Mode: gateway.ClientAuthRequire, CA: other.PEM}, "else.example.com"))
	cert := mine.Issue(t, time.Now()).TLS(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := &oneSession{}
		client := func(c *tls.Config) {
			c.MaxVersion, c.ClientSessionCache, c.InsecureSkipVerify = version, cache, true
			c.Certificates = []tls.Certificate{cert}
		}
		wantStatus(t, s.must(t, "must.example.com", client), "must.example.com", 200)
		again := s.must(t, "must.example.com", client)
		if wantStatus(t, again, "must.example.com", 200); !again.ConnectionState().DidResume {
			t.Error("the same host does not resume")
		}
		if c, err := s.connect(t, "else.example.com", client); err == nil {
			if status, _, err := ask(c, "else.example.com"); err == nil {
				t.Errorf("a session of must.example.com opened else.example.com: %d", status)
			}
		}
		cache.put = nil
		wantStatus(t, s.must(t, "open.example.com", func(c *tls.Config) { client(c); c.Certificates = nil }), "open.example.com", 200)
		if c, err := s.connect(t, "must.example.com", func(c *tls.Config) { client(c); c.Certificates = nil }); err == nil {
			if status, _, err := ask(c, "must.example.com"); err == nil {
				t.Errorf("a session of open.example.com opened must.example.com: %d", status)
			}
		}
	}
}

// oneSession offers the last session to every host, as an attacker would.
type oneSession struct{ put *tls.ClientSessionState }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.put, o.put != nil }
func (o *oneSession) Put(_ string, s *tls.ClientSessionState)    { o.put = s }
