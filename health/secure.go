package health

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/sluice-gateway/sluice/gateway"
)

// Secure says how probes of an upstream that speaks https are encrypted: as requests are.
type Secure struct {
	TLS gateway.UpstreamTLS
	// Chain and Key are of the certificate that TLS names; empty when there is none.
	Chain string
	Key   gateway.Secret
}

// secureOf is how eu is probed; nil: without TLS.
func secureOf(eu *gateway.EffectiveUpstream, s *gateway.Snapshot) *Secure {
	if eu.TLS == nil {
		return nil
	}
	out := &Secure{TLS: *eu.TLS}
	if c := s.Certificate(gateway.CertificateKey{Tenant: eu.Key.Tenant, Name: eu.TLS.Certificate}); c != nil {
		out.Chain, out.Key = c.Chain, c.PrivateKey
	}
	return out
}

// dialer opens connections to the target, with the handshake where it wants one. A target
// that cannot be connected to as it wants is refused with the reason.
func (p *Prober) dialer(t Target) (func(context.Context) (net.Conn, error), error) {
	plain := func(ctx context.Context) (net.Conn, error) {
		nc, err := p.dial(ctx, "tcp", t.Address)
		if err != nil || t.ProxyProtocol == "" {
			return nc, err
		}
		if _, err := nc.Write([]byte(proxyHeaders[t.ProxyProtocol])); err != nil { // before TLS
			closeQuietly(nc)
			return nil, err
		}
		return nc, nil
	}
	if t.Secure == nil {
		return plain, nil
	}
	eu := gateway.EffectiveUpstream{Key: t.Upstream, TLS: &t.Secure.TLS}
	var own *gateway.EffectiveCertificate
	if t.Secure.Chain != "" {
		own = &gateway.EffectiveCertificate{Chain: t.Secure.Chain, PrivateKey: t.Secure.Key}
	}
	cfg, err := eu.TLSConfig(t.Address, own)
	if err != nil {
		return nil, err
	}
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return func(ctx context.Context) (net.Conn, error) {
		nc, err := plain(ctx)
		if err != nil {
			return nil, err
		}
		c := tls.Client(nc, cfg)
		if err := c.HandshakeContext(ctx); err != nil {
			closeQuietly(nc)
			return nil, err
		}
		return c, nil
	}, nil
}
