package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// AgentsConfig is where agents of nginx nodes are served, over TLS with certificates of the
// control plane's own authority.
type AgentsConfig struct {
	// Address to listen on, such as ":9443". Default: agents are not served.
	Address string `yaml:"address"`
	// CertificateLifetime of a node's certificate; nodes renew after two thirds of it. Default
	// 720h. Less makes a stolen key useless sooner, and a node that was away for longer needs a
	// new token.
	CertificateLifetime Duration `yaml:"certificateLifetime"`
}

// shortestLifetime leaves a node the time to renew.
const shortestLifetime = Duration(15 * time.Second)

func (c AgentsConfig) check(bad func(format string, args ...any)) {
	if c.Address != "" {
		if err := checkListen(c.Address); err != nil {
			bad("agents.address: %w", err)
		}
	}
	if d := c.CertificateLifetime; d != 0 && (d < shortestLifetime || d > Duration(365*24*time.Hour)) {
		bad("agents.certificateLifetime: %s is not between %s and a year", d, shortestLifetime)
	}
}

// listenAgents takes the address. Handshakes begin to work when the store is there.
func (a *App) listenAgents() (err error) {
	if a.cfg.Agents.Address == "" {
		return nil
	}
	if a.agents, err = newHTTPServer("agents", a.cfg.Agents.Address, nil); err != nil {
		return err
	}
	a.agents.srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if a.away() {
			return nil, errors.New("the store, which has the authority, has not been reached yet")
		}
		cfg := a.authority.ServerTLS()
		cfg.NextProtos = a.agents.srv.TLSConfig.NextProtos
		return cfg, nil
	}}
	return nil
}

// takeAgents makes what serves agents from the store, which is there.
func (a *App) takeAgents() {
	if a.agents == nil {
		return
	}
	a.authority = enrol.New(enrol.Config{
		Secrets: a.store.Shared("fleet-authority"), Refused: a.store.Shared("fleet-refused"),
		Tokens: a.store.Ledger("fleet-tokens"), Nodes: a.store.Ledger("fleet-nodes"),
		Lifetime: a.cfg.Agents.CertificateLifetime.Std(), Log: a.log,
	})
	a.agents.handle(a.authority.Guard(a.fleets.Handler()))
}

// authorise keeps the authority equal on all nodes of the store.
func (a *App) authorise(ctx context.Context) error {
	err := a.authority.Run(ctx)
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// rosterEvery is how often the list of enrolled nodes is read; what is revoked or forgotten here
// is read at once.
const rosterEvery = 10 * time.Second

// keepRoster tells the fleets which nodes there are, also of those that do not report.
func (a *App) keepRoster(ctx context.Context) error {
	tick := time.NewTicker(rosterEvery)
	defer tick.Stop()
	for {
		if err := a.readRoster(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("the list of enrolled nodes stays as it is", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) readRoster(ctx context.Context) error {
	members, err := a.authority.Members(ctx)
	if err != nil {
		return err
	}
	revoked := make(map[protocol.Peer]bool, len(members))
	for _, m := range members {
		revoked[m.Peer] = m.Revoked
	}
	a.fleets.Enrolled(revoked)
	return nil
}

// voucher numbers and signs bundles, once the store is there: agents are not served before.
type voucher struct{ app *App }

// Sign implements [configsync.Signer].
func (v voucher) Sign(s protocol.Statement) (protocol.Envelope, error) {
	return v.app.authority.Sign(s)
}

// Number implements [configsync.Numberer].
func (v voucher) Number(ctx context.Context, fleet, digest string) (protocol.Numbering, error) {
	return enrol.Numbers{Ledger: v.app.store.Ledger("fleet-numbers")}.Number(ctx, fleet, digest)
}

// enrolment gives the admin API what decides who is a node.
type enrolment struct{ app *App }

var _ admin.Enrolment = enrolment{}

func (e enrolment) ready() error {
	switch {
	case e.app.agents == nil:
		return fmt.Errorf("%w: this node does not serve agents: set agents: {address: \":9443\"} in sluice.yaml and start it again", gateway.ErrUnavailable)
	case e.app.away():
		return awayStore(e).why()
	}
	return nil
}

// NewToken implements [admin.Enrolment].
func (e enrolment) NewToken(ctx context.Context, in api.NewEnrolmentToken, by string) (api.IssuedToken, error) {
	if err := e.ready(); err != nil {
		return api.IssuedToken{}, err
	}
	if _, err := e.app.store.Get(ctx, gateway.Ref{Kind: gateway.KindFleet, Name: in.Fleet}); err != nil {
		return api.IssuedToken{}, fmt.Errorf("a token for fleet %q: %w; `sluice fleet ls` lists the fleets", in.Fleet, err)
	}
	node, expires := "", time.Duration(0)
	if in.Node != nil {
		node = *in.Node
	}
	if in.Expires != nil {
		expires = in.Expires.Std()
	}
	text, t, err := e.app.authority.NewToken(ctx, in.Fleet, node, expires, by)
	return api.IssuedToken{Token: text, Info: tokenInfo(t), Agents: e.app.agents.ln.Addr().String()}, err
}

// Tokens implements [admin.Enrolment].
func (e enrolment) Tokens(ctx context.Context) ([]api.EnrolmentToken, error) {
	if err := e.ready(); err != nil {
		return nil, err
	}
	list, err := e.app.authority.Tokens(ctx)
	out := []api.EnrolmentToken{}
	for _, t := range list {
		out = append(out, tokenInfo(t))
	}
	return out, err
}

func tokenInfo(t enrol.Token) api.EnrolmentToken {
	out := api.EnrolmentToken{Id: t.ID, Fleet: t.Fleet, CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, ExpiresAt: t.ExpiresAt}
	if t.Node != "" {
		out.Node = &t.Node
	}
	if !t.UsedAt.IsZero() {
		out.UsedAt, out.UsedBy = &t.UsedAt, &t.UsedBy
	}
	return out
}

// RemoveToken implements [admin.Enrolment].
func (e enrolment) RemoveToken(ctx context.Context, id, by string) error {
	if err := e.ready(); err != nil {
		return err
	}
	return e.app.authority.RemoveToken(ctx, id, by)
}

// Revoke implements [admin.Enrolment].
func (e enrolment) Revoke(ctx context.Context, fleet, node string) error {
	if err := e.known(ctx, fleet, node); err != nil {
		return err
	}
	if err := e.app.authority.Revoke(ctx, fleet, node); err != nil {
		return err
	}
	return e.app.readRoster(ctx)
}

// Forget implements [admin.Enrolment].
func (e enrolment) Forget(ctx context.Context, fleet, node string) error {
	if err := e.known(ctx, fleet, node); err != nil {
		return err
	}
	if err := e.app.authority.Forget(ctx, fleet, node); err != nil {
		return err
	}
	if err := e.app.fleets.Forget(fleet, node); err != nil && !errors.Is(err, gateway.ErrNotFound) { // it has enrolled and never reported here
		return err
	}
	return e.app.readRoster(ctx)
}

// known finds out whether there is such a node: one that has enrolled, or reports.
func (e enrolment) known(ctx context.Context, fleet, node string) error {
	if err := e.ready(); err != nil {
		return err
	}
	if enrolled, err := e.app.authority.Enrolled(ctx, fleet, node); enrolled || err != nil {
		return err
	}
	_, err := e.app.fleets.Node(fleet, node)
	return err
}
