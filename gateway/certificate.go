package gateway

import "time"

// Certificate proves who a tenant's hosts are, to clients, or who Sluice is, to endpoints
// that ask for a client certificate.
type Certificate struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec CertificateSpec  `json:"spec"`
	// Status is worked out when the object is shown, and ignored when it is written.
	Status *CertificateStatus `json:"status,omitempty"`
}

// Key names the certificate across tenants.
func (c *Certificate) Key() CertificateKey { return CertificateKey{Tenant: c.Tenant, Name: c.Name} }

// CertificateKey names a certificate across tenants. It is comparable, so it keys maps.
type CertificateKey struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

// String reads "acme/shop".
func (k CertificateKey) String() string { return k.Tenant + "/" + k.Name }

// CertificateSpec is what a person writes.
type CertificateSpec struct {
	// Certificate is the chain in PEM: the certificate itself first, then each issuer up to,
	// but without, the root.
	Certificate string `json:"certificate"`
	// Key is the private key in PEM (PKCS #8, PKCS #1 or SEC 1). It is never shown.
	Key Secret `json:"key"`
	// Hosts narrows the names that the certificate is used for. Default: all DNS names in it.
	Hosts []string `json:"hosts,omitempty"`
	// ClientAuth asks clients of these hosts for certificates. Default: they are not asked.
	ClientAuth *ClientAuth `json:"clientAuth,omitempty"`
}

// ClientAuth asks clients for certificates.
type ClientAuth struct {
	// Mode "require" refuses clients without a valid certificate; "request" lets those
	// in that have none, but not those with one that is not valid.
	Mode string `json:"mode"`
	// CA is the certificates in PEM of those who may issue client certificates.
	CA string `json:"ca"`
}

// The modes of ClientAuth.
const (
	ClientAuthRequire = "require"
	ClientAuthRequest = "request"
)

// CertificateStatus is what a certificate says about itself.
type CertificateStatus struct {
	// Names are its DNS names.
	Names     []string  `json:"names,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	// Fingerprint is the SHA-256 of the certificate, KeyFingerprint that of its public key
	// (SPKI), both in hex: they tell which key is in use without showing it.
	Fingerprint    string `json:"fingerprint,omitempty"`
	KeyFingerprint string `json:"keyFingerprint,omitempty"`
	// Error says why the certificate cannot be used, if so.
	Error string `json:"error,omitempty"`
}

// UpstreamTLS is how connections to endpoints that speak https are made.
type UpstreamTLS struct {
	// CA is the certificates in PEM of those who may issue the endpoints' certificates.
	// Default: the authorities that the system trusts.
	CA string `json:"ca,omitempty"`
	// ServerName is sent (SNI) and expected in the endpoints' certificates. Default: the IP
	// address of the endpoint, which is sent to nobody and has to stand in the certificate.
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify takes any certificate, so that whoever gets in between reads and
	// changes everything. For finding out what is wrong; it is a Problem while it is set.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// Certificate names a Certificate of the same tenant that endpoints are shown when they
	// ask. Default: none.
	Certificate string `json:"certificate,omitempty"`
}
