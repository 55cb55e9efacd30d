package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/proxy/certs"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// TLS is how a listener speaks TLS 1.2 and 1.3. Certificates come from the snapshot, then
// from Files.
type TLS struct {
	// Files are certificates from files. Default: none. Whoever made them runs them.
	Files *certs.Files
	// ALPN lists the protocols by preference. Default: h2, http/1.1, http/1.0.
	ALPN []string
}

// handshakes makes a listener's TLS connections and counts how they begin.
type handshakes struct {
	server  *certs.Server
	done    atomic.Uint64
	resumed atomic.Uint64
	failed  [numTLSFaults]atomic.Uint64
}

// tlsFault is why a handshake with a client failed.
type tlsFault uint8

const (
	tlsFaultOther   tlsFault = iota
	tlsFaultLeft             // the client closed the connection
	tlsFaultTimeout          // the handshake took too long
	tlsFaultNotTLS           // something else than TLS was sent
	tlsFaultName             // no certificate is good for the name
	tlsFaultVersion          // TLS 1.1 or older
	tlsFaultCipher           // no cipher suite or group in common
	tlsFaultALPN             // no protocol in common
	tlsFaultClient           // the client's certificate is missing or not valid
	tlsFaultRefused          // the client refused: it does not trust the certificate
	numTLSFaults
)

var tlsFaultNames = [numTLSFaults]string{"other", "client_left", "timeout", "not_tls", "unknown_name", "version", "cipher", "alpn", "client_certificate", "refused_by_client"}

// faultOf sorts an error of crypto/tls, which has types for some of them only.
func faultOf(err error) tlsFault {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var op *net.OpError
	text := err.Error()
	switch {
	case errors.Is(err, socket.ErrTimeout):
		return tlsFaultTimeout
	case errors.As(err, &header):
		return tlsFaultNotTLS
	case errors.As(err, &verify), strings.Contains(text, "client didn't provide a certificate"):
		return tlsFaultClient
	case strings.Contains(text, "no certificates configured"):
		return tlsFaultName
	case strings.Contains(text, "unsupported versions"):
		return tlsFaultVersion
	case strings.Contains(text, "no cipher suite"), strings.Contains(text, "no ECDHE curve"), strings.Contains(text, "no key exchanges"):
		return tlsFaultCipher
	case strings.Contains(text, "unsupported application protocols"):
		return tlsFaultALPN
	case errors.As(err, &op) && op.Op == "remote error":
		return tlsFaultRefused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return tlsFaultLeft
	}
	return tlsFaultOther
}

// secure makes the listener speak TLS.
func (l *listener) secure() {
	alpn := l.TLS.ALPN
	if len(alpn) == 0 {
		alpn = []string{"h2", "http/1.1", "http/1.0"}
	}
	l.Scheme = "https"
	l.shake = &handshakes{server: certs.NewServer(l.p.certificates, l.TLS.Files, alpn)}
	if l.p.ticketKeys != nil {
		l.shake.server.SetTicketKeys(l.p.ticketKeys)
	}
}

// certificates are those of the snapshot in service, or nil.
func (p *Proxy) certificates() *certs.Table {
	if t := p.live.Load(); t != nil {
		return t.certs
	}
	return nil
}

// SetTicketKeys sets the keys of session tickets on all listeners: the first one makes
// them, all open them. Without it each process has keys of its own.
func (p *Proxy) SetTicketKeys(keys [][32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ticketKeys = keys
	for _, l := range p.listeners {
		if l.shake != nil {
			l.shake.server.SetTicketKeys(keys)
		}
	}
}

// handshake makes c a TLS connection, and reports false when there will be none. What it
// was let in under stays at the socket.
func (c *conn) handshake() bool {
	h := c.l.shake
	c.s.StartTLS(func(nc net.Conn) *tls.Conn { return tls.Server(nc, h.server.Config()) })
	deadline := socket.Now() + c.p.times.handshake
	c.s.SetReadDeadline(deadline)
	c.s.SetWriteDeadline(deadline)
	err := c.s.Handshake()
	switch {
	case err == nil:
		h.done.Add(1)
		if c.s.TLS().ConnectionState().DidResume {
			h.resumed.Add(1)
		}
		return true
	case errors.Is(err, socket.ErrInterrupted): // shutting down
		return false
	}
	fault := faultOf(err)
	h.failed[fault].Add(1)
	c.p.cfg.Log.Debug("TLS handshake failed", "listener", c.l.Name, "peer", c.peer(), "reason", tlsFaultNames[fault], "err", err)
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil && strings.Contains(" GET POST PUT HEAD DELE OPTI PATC CONN ", " "+strings.TrimSpace(string(header.RecordHeader[:4]))+" ") {
		_, _ = header.Conn.Write([]byte(plainToTLS)) // out of courtesy
	}
	if fault != tlsFaultLeft && fault != tlsFaultTimeout {
		c.letAlertThrough()
	}
	return false
}

// letAlertThrough reads what the client is still sending, for a moment: a close with bytes
// unread would reset the connection under the alert that says what is wrong.
func (c *conn) letAlertThrough() {
	nc, ok := c.s.Net().(*net.TCPConn)
	if !ok || nc.CloseWrite() != nil || nc.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, nc, 64<<10)
}

// agreedOnHTTP2 says whether the handshake chose HTTP/2.
func (c *conn) agreedOnHTTP2() bool {
	return c.l.shake != nil && c.s.TLS().ConnectionState().NegotiatedProtocol == "h2"
}

// plainToTLS answers an HTTP request that came without TLS.
const plainToTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 49\r\nConnection: close\r\n\r\n" +
	"400 Bad Request\nreason: tls: this port wants TLS\n"

// admitted says whether a request to host may come over c: a client that was asked for its
// certificate for one host has not been asked for it for another (RFC 9110 section 7.4).
func (c *conn) admitted(t *certs.Table, host []byte) bool {
	if !t.Guards() {
		return true
	}
	want := t.PolicyOf(host)
	if c.l.shake == nil {
		return want == nil || !want.Required
	}
	have, _ := c.s.Noted().(*certs.Policy)
	return want == have
}

// outdated says whether the client was let in under terms that its own host does not have any more.
// No request to that host is admitted over c then, however often it is sent.
func (c *conn) outdated(t *certs.Table) bool {
	return c.l.shake != nil && !c.admitted(t, []byte(c.s.TLS().ConnectionState().ServerName))
}
