package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// errNotEnrolled: there is neither a certificate nor a token.
var errNotEnrolled = errors.New("this node is not enrolled: make a token with `sluice fleet token FLEET` where the control plane runs, and give it with --enrol-token-file or SLUICE_ENROL_TOKEN")

// token reads the token that the agent was given. The file is read each time, so that a new
// token can be put there while the agent runs.
func (c Config) token() (protocol.Token, error) {
	text := c.EnrolToken
	if c.EnrolTokenFile != "" {
		b, err := os.ReadFile(c.EnrolTokenFile)
		if err != nil {
			return protocol.Token{}, fmt.Errorf("read the enrolment token: %w", err)
		}
		text = string(b)
	}
	if text == "" {
		return protocol.Token{}, errNotEnrolled
	}
	return protocol.ParseToken(text)
}

// tend enrols the node if it has no certificate, or none that is good any more, and renews one
// that is due. refused says that a node without a certificate was turned away for good.
func (i *identity) tend(ctx context.Context) (err error, refused bool) {
	h, now := i.current(), i.clock()
	switch {
	case h == nil:
		err = i.enrol(ctx)
		return err, turnedAway(err)
	case now.After(h.leaf.NotAfter):
		if err := i.enrolAnew(ctx); err != nil {
			return fmt.Errorf("the certificate expired at %s, and the node has to enrol anew: %w", stamp(h.leaf.NotAfter), err), false
		}
	case i.rejected:
		if err := i.enrolAnew(ctx); err != nil && !errors.Is(err, errNoToken) {
			i.cfg.Log.Warn("the node could not enrol anew", "error", err)
		}
	case now.After(h.RenewAt) && now.After(i.renewTry):
		if err := i.renew(ctx, h); err != nil {
			// The present one goes on being good, and so does everything else.
			i.renewTry = now.Add(min(max(h.leaf.NotAfter.Sub(now)/20, time.Second), 10*time.Minute))
			i.cfg.Log.Warn("the certificate was not renewed; trying again", "until", h.leaf.NotAfter, "at", i.renewTry, "error", err)
		}
	}
	return nil, false
}

// note learns from the answer to a request whether the control plane takes the certificate.
func (i *identity) note(err error) {
	var r *refusedStatus
	i.rejected = errors.As(err, &r) && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden)
}

// errNoToken: there is none that was not refused before.
var errNoToken = errors.New("make a token with `sluice fleet token FLEET --node NODE` where the control plane runs, and put it where the agent looks (--enrol-token-file), or start the agent with it")

// enrolAnew enrols a node that was one before, with a token that it has not tried yet.
func (i *identity) enrolAnew(ctx context.Context) error {
	token, err := i.cfg.token()
	if err != nil || token == i.useless {
		return errNoToken
	}
	if err = i.enrol(ctx); err == nil {
		i.rejected = false
	} else if turnedAway(err) {
		i.useless = token
	}
	return err
}

// untilRenewal bounds how long a request may take. It is the link's, as tend is.
func (i *identity) untilRenewal() time.Duration {
	h := i.current()
	if h == nil {
		return protocol.MaxWait
	}
	due := h.RenewAt
	if i.renewTry.After(due) {
		due = i.renewTry
	}
	return max(time.Second, due.Sub(i.clock())+time.Second)
}

func (i *identity) enrol(ctx context.Context) error {
	token, err := i.cfg.token()
	if err != nil {
		return err
	}
	key, err := i.enrollingKey()
	if err != nil {
		return err
	}
	request, err := certificateRequest(key)
	if err != nil {
		return err
	}
	in := protocol.EnrolRequest{Secret: token.Secret[:], Fleet: i.cfg.Fleet, Node: i.cfg.Node, Request: request}
	var out protocol.Credentials
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := i.call(ctx, i.http.pinned(token.Authority), http.MethodPost, protocol.PathEnrol, in, &out); err != nil {
		return err
	}
	if err := i.keep(key, out); err != nil {
		return err
	}
	i.cfg.Log.Info("the node is enrolled", "fleet", i.cfg.Fleet, "renewAt", out.RenewAt)
	if err := os.Remove(filepath.Join(i.cfg.StateDir, enrollingFile)); err != nil {
		i.cfg.Log.Warn("a key that is the certificate's now is there twice", "error", err)
	}
	return nil
}

// renew gets the next certificate, for a new key.
func (i *identity) renew(ctx context.Context, h *held) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	request, err := certificateRequest(key)
	if err != nil {
		return err
	}
	var out protocol.Credentials
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := i.call(ctx, i.http.client(), http.MethodPost, protocol.PathRenew, protocol.RenewRequest{Request: request}, &out); err != nil {
		return err
	}
	if err := i.keep(key, out); err != nil {
		return err
	}
	i.cfg.Log.Info("the certificate was renewed", "before", h.leaf.SerialNumber, "now", i.current().leaf.SerialNumber, "renewAt", out.RenewAt)
	return nil
}
