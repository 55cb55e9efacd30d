package enrol

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// enrol trades a token for a certificate.
func (a *Authority) enrol(ctx context.Context, in protocol.EnrolRequest) (protocol.Credentials, error) {
	var none protocol.Credentials
	if err := a.Wait(ctx); err != nil {
		return none, err
	}
	p := protocol.Peer{Fleet: in.Fleet, Node: in.Node}
	if err := protocol.ValidNode(p.Node); err != nil {
		return none, err
	}
	key, err := requestedKey(in.Request)
	if err != nil {
		return none, err
	}
	name, err := keyName(key)
	if err != nil {
		return none, err
	}
	t, revision, err := a.readToken(ctx, in.Secret)
	if err != nil {
		return none, err
	}
	if err := t.usable(p, name, a.cfg.Now()); err != nil {
		return none, err
	}
	if !t.UsedAt.IsZero() {
		if err := a.allowed(p, t.Enrolment); err != nil {
			return none, err
		}
	}
	if t, err = a.use(ctx, t, revision, p, name, hashOf(in.Secret)); err != nil {
		return none, err
	}
	return a.credentials(a.secrets.Load(), p, t.Enrolment, key)
}

// use marks a token as used, in one step, so that one of many wins, and then the node as enrolled.
// It goes on where it was cut off when the token was used by the same key before.
func (a *Authority) use(ctx context.Context, t Token, revision int64, p protocol.Peer, key, hash string) (Token, error) {
	r, recorded, err := a.record(ctx, p)
	if err != nil {
		return t, err
	}
	if !t.UsedAt.IsZero() && r.Enrolment == t.Enrolment {
		return t, nil
	}
	if taken := a.taken(p, r); taken != nil && t.Node == "" {
		return t, taken
	}
	if t.UsedAt.IsZero() {
		now := a.cfg.Now().UTC()
		t.UsedAt, t.UsedBy, t.Key = now, p.Node, key
		t.Enrolment = max(now.UnixMilli(), r.Enrolment+1, a.refused.Load().upTo[entry(p)]+1)
		ok, err := a.swapToken(ctx, hash, t, revision)
		if err == nil && !ok {
			err = fmt.Errorf("%w: token %s was used or removed at this moment: a token is good for one use", protocol.ErrUnauthorized, t.ID)
		}
		if err != nil {
			return t, err
		}
	}
	if err := a.claim(ctx, p, t.Enrolment, recorded); err != nil {
		return t, err
	}
	a.cfg.Log.Info("a node enrolled", "fleet", p.Fleet, "node", p.Node, "token", t.ID)
	if r.Enrolment != 0 {
		return t, a.refuse(ctx, p, t.Enrolment-1) // who had the name before
	}
	return t, nil
}

// renew gives the node of a checked certificate its next one.
func (a *Authority) renew(ctx context.Context, who caller, in protocol.RenewRequest) (protocol.Credentials, error) {
	key, err := requestedKey(in.Request)
	if err != nil {
		return protocol.Credentials{}, err
	}
	r, revision, err := a.record(ctx, who.Peer)
	if err == nil {
		err = a.claim(ctx, who.Peer, max(r.Enrolment, who.enrolment), revision)
	}
	if err != nil {
		return protocol.Credentials{}, err
	}
	a.cfg.Log.Info("a node's certificate was renewed", "fleet", who.Fleet, "node", who.Node)
	return a.credentials(a.secrets.Load(), who.Peer, who.enrolment, key)
}

// allowed refuses the enrolments that were revoked.
func (a *Authority) allowed(p protocol.Peer, enrolment int64) error {
	if enrolment <= a.refused.Load().upTo[entry(p)] {
		return fmt.Errorf("%w: the certificate of node %q of fleet %q was revoked; to take the node back, enrol it with a new token of `sluice fleet token %s --node %s`",
			protocol.ErrForbidden, p.Node, p.Fleet, p.Fleet, p.Node)
	}
	return nil
}

// keyName tells public keys apart.
func keyName(key any) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("the certificate request: %w: %w", gateway.ErrInvalid, err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}
