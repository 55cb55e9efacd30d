package enrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"crypto/x509"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// maxRequest bounds the body of a request for a certificate.
const maxRequest = 64 << 10

// caller is the node that a certificate names.
type caller struct {
	protocol.Peer
	enrolment int64
}

// Guard serves enrolment and renewal, and lets other requests through to next that come from an
// enrolled node, with the node in their context for [protocol.Check].
func (a *Authority) Guard(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathEnrol, func(w http.ResponseWriter, req *http.Request) {
		var in protocol.EnrolRequest
		err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxRequest)).Decode(&in)
		if err != nil {
			protocol.WriteError(w, fmt.Errorf("read the request: %w: %w", gateway.ErrInvalid, err))
			return
		}
		a.answer(w, "enrol node "+strconv.Quote(in.Node), func() (protocol.Credentials, error) { return a.enrol(req.Context(), in) })
	})
	mux.HandleFunc("POST "+protocol.PathRenew, a.known(func(w http.ResponseWriter, req *http.Request, who caller) {
		var in protocol.RenewRequest
		err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxRequest)).Decode(&in)
		if err != nil {
			protocol.WriteError(w, fmt.Errorf("read the request: %w: %w", gateway.ErrInvalid, err))
			return
		}
		a.answer(w, "renew", func() (protocol.Credentials, error) { return a.renew(req.Context(), who, in) })
	}))
	mux.HandleFunc("/", a.known(func(w http.ResponseWriter, req *http.Request, who caller) {
		next.ServeHTTP(w, req.WithContext(protocol.WithPeer(req.Context(), who.Peer)))
	}))
	return mux
}

func (a *Authority) answer(w http.ResponseWriter, doing string, issue func() (protocol.Credentials, error)) {
	out, err := issue()
	if err != nil {
		a.cfg.Log.Warn("a node got no certificate", "request", doing, "error", err)
		protocol.WriteError(w, err)
		return
	}
	protocol.WriteJSON(w, out)
}

// known lets requests through whose certificate is good now.
func (a *Authority) known(next func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		who, err := a.identify(req)
		if err != nil {
			protocol.WriteError(w, err)
			return
		}
		next(w, req, who)
	}
}

func (a *Authority) identify(req *http.Request) (caller, error) {
	if err := a.Wait(req.Context()); err != nil {
		return caller{}, err
	}
	if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
		return caller{}, fmt.Errorf("%w: agents show the certificate that they got at enrolment, and none came: enrol with a token of `sluice fleet token`", protocol.ErrUnauthorized)
	}
	leaf, now := req.TLS.PeerCertificates[0], a.cfg.Now()
	_, err := leaf.Verify(x509.VerifyOptions{Roots: a.secrets.Load().pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return caller{}, fmt.Errorf("%w: the certificate is good from %s to %s, and the control plane's clock says %s: enrol the node anew with a token, or set the clock that is wrong",
			protocol.ErrUnauthorized, stamp(leaf.NotBefore), stamp(leaf.NotAfter), stamp(now))
	}
	if err != nil {
		return caller{}, fmt.Errorf("%w: the certificate is not one of this control plane: %w", protocol.ErrUnauthorized, err)
	}
	who, err := callerOf(leaf)
	if err != nil {
		return caller{}, fmt.Errorf("%w: the certificate: %w", protocol.ErrUnauthorized, err)
	}
	return who, a.allowed(who.Peer, who.enrolment)
}

func callerOf(leaf *x509.Certificate) (caller, error) {
	if len(leaf.URIs) != 1 {
		return caller{}, errors.New("it names no node")
	}
	p, err := protocol.ParsePeer(leaf.URIs[0])
	if err != nil {
		return caller{}, err
	}
	n, err := strconv.ParseInt(leaf.Subject.SerialNumber, 10, 64)
	return caller{p, n}, err
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
