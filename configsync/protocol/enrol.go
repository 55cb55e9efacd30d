package protocol

import "time"

// The paths by which nodes get certificates. PathEnrol is the only one that needs none.
const (
	PathEnrol = "/agent/v1/enrol"
	PathRenew = "/agent/v1/renew"
)

// EnrolRequest asks for a node's first certificate.
type EnrolRequest struct {
	// Secret is that of a [Token].
	Secret []byte `json:"secret"`
	Fleet  string `json:"fleet"`
	Node   string `json:"node"`
	// Request is a PKCS #10 request (RFC 2986) as DER, signed with the node's key. Nothing in it
	// but the key counts.
	Request []byte `json:"request"`
}

// RenewRequest asks for the next certificate of the node that the connection's certificate
// names.
type RenewRequest struct {
	Request []byte `json:"request"` // as in EnrolRequest, with a key of its own
}

// Credentials are what a node gets at enrolment and at each renewal.
type Credentials struct {
	// Certificate of the node, and the Authority that signed it and the control plane's, as
	// DER.
	Certificate []byte `json:"certificate"`
	Authority   []byte `json:"authority"`
	// BundleKeys are the Ed25519 keys that bundles may be signed with until the certificate ends.
	BundleKeys [][]byte `json:"bundleKeys"`
	// RenewAt is when the node should ask for the next, by the control plane's clock.
	RenewAt time.Time `json:"renewAt"`
}
