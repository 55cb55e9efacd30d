package protocol

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// ControlURI names the control plane in its certificate. Its host names and addresses don't
// count: the authority signs for nobody else.
const ControlURI = "sluice://control"

// Peer is the node that a certificate names.
type Peer struct{ Fleet, Node string }

// URI is the name that stands in the node's certificate:
// sluice://fleet/FLEET/node/NODE.
func (p Peer) URI() *url.URL {
	return &url.URL{Scheme: "sluice", Host: "fleet", Path: "/" + p.Fleet + "/node/" + p.Node}
}

// ParsePeer reads what URI wrote.
func ParsePeer(u *url.URL) (Peer, error) {
	parts := strings.Split(u.Path, "/")
	if u.Scheme != "sluice" || u.Host != "fleet" || len(parts) != 4 || parts[0] != "" || parts[1] == "" || parts[2] != "node" || parts[3] == "" {
		return Peer{}, fmt.Errorf("%q does not name a node of a fleet", u)
	}
	return Peer{Fleet: parts[1], Node: parts[3]}, nil
}

type peerKey struct{}

// WithPeer says which node a request comes from; whoever calls it has checked the certificate.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// Check lets a request through that speaks for the node that it comes from.
func Check(ctx context.Context, fleet, node string) error {
	p, ok := ctx.Value(peerKey{}).(Peer)
	switch {
	case !ok:
		return fmt.Errorf("%w: nobody has checked who this request comes from", ErrUnauthorized)
	case p.Fleet != fleet || p.Node != node:
		return fmt.Errorf("%w: the certificate is that of node %q of fleet %q, and the request speaks for node %q of fleet %q: enrol the node under the name that it uses",
			ErrForbidden, p.Node, p.Fleet, node, fleet)
	}
	return nil
}

// ValidNode accepts what can stand in certificates, logs, metrics and file names.
func ValidNode(name string) error {
	ok := func(r rune) bool { return r > 0x20 && r != '/' && r != 0x7f && r != '\uFFFD' }
	if name == "" || len(name) > 253 || name == "desired" || strings.ContainsFunc(name, func(r rune) bool { return !ok(r) }) {
		return fmt.Errorf("node name %q: %w: use a host name; \"desired\" is taken", name, gateway.ErrInvalid)
	}
	return nil
}
