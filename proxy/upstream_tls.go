package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// clientTLS is how the endpoints of an upstream are connected to over TLS. It is only read.
type clientTLS struct {
	from *gateway.UpstreamTLS
	own  *gateway.EffectiveCertificate
	// configs have a cache of sessions each: endpoints do not know each other's tickets.
	// nil where a connection cannot be made.
	configs map[*endpoint]*tls.Config
}

// newClientTLS compiles how u is connected to. Configurations that are equal to those of
// before are kept, and with them the connections that were made under them.
func newClientTLS(u *gateway.EffectiveUpstream, all []*endpoint, own *gateway.EffectiveCertificate, before *clientTLS) *clientTLS {
	if u.TLS == nil {
		return nil
	}
	t := &clientTLS{from: u.TLS, own: own, configs: make(map[*endpoint]*tls.Config, len(all))}
	same := before != nil && *before.from == *u.TLS && sameCertificate(before.own, own)
	for _, e := range all {
		if same && before.configs[e] != nil {
			t.configs[e] = before.configs[e]
			continue
		}
		cfg, err := u.TLSConfig(e.key.Address, own)
		if err != nil {
			continue // a Problem of the upstream says why
		}
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		cfg.DynamicRecordSizingDisabled = true
		cfg.NextProtos = []string{"http/1.1"}
		if u.Protocol == "h2" {
			cfg.NextProtos = []string{"h2"}
		}
		t.configs[e] = cfg
	}
	return t
}

func sameCertificate(a, b *gateway.EffectiveCertificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Chain == b.Chain && a.PrivateKey == b.PrivateKey
}

// secured says whether uc was made as connections to e are made now.
func (t *clientTLS) secured(uc *socket.Conn, e *endpoint) bool {
	var want *tls.Config
	if t != nil {
		want = t.configs[e]
	}
	have, _ := uc.Noted().(*tls.Config)
	return have == want
}

// secure does the handshake with an endpoint, until deadline.
func (t *clientTLS) secure(uc *socket.Conn, e *endpoint, deadline int64) error {
	cfg := t.configs[e]
	if cfg == nil {
		return errTLSConfig
	}
	uc.StartTLS(func(nc net.Conn) *tls.Conn {
		nc.(*socket.Lower).Note(cfg)
		return tls.Client(nc, cfg)
	})
	uc.SetReadDeadline(deadline)
	uc.SetWriteDeadline(deadline)
	if err := uc.Handshake(); err != nil {
		return handshakeFault(err)
	}
	if agreed := uc.TLS().ConnectionState().NegotiatedProtocol; cfg.NextProtos[0] == "h2" && agreed != "h2" {
		return errTLSProtocol
	}
	return nil
}

// What may go wrong before a request can be sent over TLS.
var (
	errTLSConfig    = &http1.Error{Status: 502, Class: "upstream_tls_config", Text: "the upstream's TLS settings can not be used"}
	errTLSAuthority = &http1.Error{Status: 502, Class: "upstream_tls_authority", Text: "the endpoint's certificate is from an authority that is not trusted"}
	errTLSName      = &http1.Error{Status: 502, Class: "upstream_tls_name", Text: "the endpoint's certificate is for another name"}
	errTLSDate      = &http1.Error{Status: 502, Class: "upstream_tls_date", Text: "the endpoint's certificate has expired or is not good yet"}
	errTLSInvalid   = &http1.Error{Status: 502, Class: "upstream_tls_certificate", Text: "the endpoint's certificate is not valid"}
	errTLSRefused   = &http1.Error{Status: 502, Class: "upstream_tls_refused", Text: "the endpoint refused the TLS handshake"}
	errTLSProtocol  = &http1.Error{Status: 502, Class: "upstream_tls_alpn", Text: "the endpoint does not speak HTTP/2"}
	errTLSHandshake = &http1.Error{Status: 502, Class: "upstream_tls_handshake", Text: "the TLS handshake with the endpoint failed"}
)

var connectFaults = []*http1.Error{errConnect, errConnectSlow, errTLSConfig, errTLSAuthority, errTLSName, errTLSDate, errTLSInvalid, errTLSRefused, errTLSProtocol, errTLSHandshake}

// unreached says whether nothing has been sent to an endpoint, so that another one may be
// asked.
func unreached(err error) bool {
	if err == nil {
		return false // before e, which costs an allocation
	}
	var e *http1.Error
	return errors.As(err, &e) && slices.Contains(connectFaults, e)
}

func handshakeFault(err error) error {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, socket.ErrTimeout):
		return errConnectSlow
	case errors.As(err, &name):
		return errTLSName
	case errors.As(err, &authority):
		return errTLSAuthority
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errTLSDate
	case errors.As(err, &invalid), errors.As(err, &verify):
		return errTLSInvalid
	case errors.As(err, &op) && op.Op == "remote error":
		return errTLSRefused
	}
	return errTLSHandshake
}
