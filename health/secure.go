package health

import (
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

// config is that of every probe of the target's upstream. Sessions are not resumed: a
// handshake in full looks at the certificate that the endpoint has now.
func (s *Secure) config(t Target, http2 bool) (*tls.Config, error) {
	eu := gateway.EffectiveUpstream{Key: t.Upstream, TLS: &s.TLS}
	var own *gateway.EffectiveCertificate
	if s.Chain != "" {
		own = &gateway.EffectiveCertificate{Chain: s.Chain, PrivateKey: s.Key}
	}
	cfg, err := eu.TLSConfig(t.Address, own)
	if err != nil {
		return nil, err
	}
	if http2 {
		cfg.NextProtos = []string{"h2"}
	}
	return cfg, nil
}

// configFor is the shared configuration with the name that the endpoint's certificate has to
// have: the upstream's, or else the address itself.
func (q *question) configFor(address string) *tls.Config {
	if q.secure.TLS.ServerName != "" {
		return q.tls
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == q.tls.ServerName {
		return q.tls // an address that cannot be read was refused before
	}
	cfg := q.tls.Clone()
	cfg.ServerName = host
	return cfg
}
