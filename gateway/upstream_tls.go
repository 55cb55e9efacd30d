package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
)

// overTLS says whether the protocol runs over TLS.
func overTLS(protocol string) bool { return protocol == "https" || protocol == "h2" }

// tls checks how endpoints are verified. What cannot be used is left as it is written, so
// that [EffectiveUpstream.TLSConfig] fails: connections that would be verified less than
// was asked for are worse than none.
func (c *upstreamChecker) tls(s UpstreamSpec) {
	if !overTLS(c.out.Protocol) {
		if s.TLS != nil {
			c.problem("spec.tls", "tls_unused", "Protocol %q is not encrypted, so spec.tls does nothing: write protocol: https, or take spec.tls out.", c.out.Protocol)
		}
		return
	}
	t := UpstreamTLS{}
	if s.TLS != nil {
		t = *s.TLS
	}
	c.out.TLS = &t
	if t.CA != "" {
		if _, err := CertPool(t.CA); err != nil {
			c.problem("spec.tls.ca", "certificate_invalid", "The authorities cannot be read, so no connection is made: %s.", err)
		}
	}
	if t.ServerName != "" {
		if err := checkServerName(t.ServerName); err != nil {
			c.problem("spec.tls.serverName", "host_invalid", "%s", sentence(err))
		}
	}
	if t.InsecureSkipVerify {
		c.problem("spec.tls.insecureSkipVerify", "tls_insecure", "The endpoints' certificates are not verified, so whoever is in between can read and change everything: set spec.tls.ca or serverName, and take insecureSkipVerify out.")
	}
}

func checkServerName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil // an address is compared with those in the certificate
	}
	h, err := NormalHost(name)
	if err == nil && (h == "*" || h[0] == '*') {
		return fmt.Errorf("server name %q is a pattern: write the one name that the endpoints' certificate holds", name)
	}
	return err
}

// TLSConfig makes what a connection to address needs. own is the certificate that
// [UpstreamTLS.Certificate] names, or nil. It fails when the upstream is not over TLS, or
// asks for what it does not have.
func (e *EffectiveUpstream) TLSConfig(address string, own *EffectiveCertificate) (*tls.Config, error) {
	t := e.TLS
	if t == nil {
		return nil, fmt.Errorf("upstream %s does not speak TLS", e.Key)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify} //nolint:gosec // the owner asked for it, and sees a Problem while it is so
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", e.Key, err)
		}
		cfg.ServerName = host
	}
	if err := checkServerName(cfg.ServerName); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", e.Key, err)
	}
	if t.CA != "" {
		var err error
		if cfg.RootCAs, err = CertPool(t.CA); err != nil {
			return nil, fmt.Errorf("upstream %s: spec.tls.ca: %w", e.Key, err)
		}
	}
	if t.Certificate == "" {
		return cfg, nil
	}
	if own == nil {
		return nil, fmt.Errorf("upstream %s: there is no usable certificate %q", e.Key, t.Certificate)
	}
	pair, err := own.Pair()
	if err != nil {
		return nil, fmt.Errorf("upstream %s: certificate %s: %w", e.Key, own.Key, err)
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	return cfg, nil
}

// ClientCAs are the authorities of client certificates.
func (a *ClientAuth) ClientCAs() (*x509.CertPool, error) { return CertPool(a.CA) }
