package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy"
	"github.com/sluice-gateway/sluice/proxy/certs"
	"github.com/sluice-gateway/sluice/store"
)

// secure makes the listener speak TLS, if it is to, and reads its certificate files.
func (e *edge) secure(cfg *ListenerTLS, log *slog.Logger) error {
	if cfg == nil {
		return nil
	}
	e.cfg.TLS = &proxy.TLS{}
	var pairs []certs.FilePair
	for _, c := range cfg.Certificates {
		pairs = append(pairs, certs.FilePair(c))
	}
	fallback := certs.FilePair{CertFile: cfg.CertFile, KeyFile: cfg.KeyFile}
	if fallback == (certs.FilePair{}) && pairs == nil {
		return nil
	}
	var err error
	e.files, err = certs.LoadFiles(fallback, pairs, log)
	e.cfg.TLS.Files = e.files
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: put it there, or make one for trying things out with `sluice cert self-signed`", err)
	}
	return err
}

// certificateProblems tells what is wrong with the listeners' files now.
func (a *App) certificateProblems() []gateway.Problem {
	var out []gateway.Problem
	for _, e := range a.edges {
		if e.files != nil {
			out = append(out, e.files.Problems()...)
		}
	}
	return out
}

// shareTickets keeps the keys of session tickets equal on all nodes of the store.
func (a *App) shareTickets(ctx context.Context) error {
	err := certs.NewTickets(certs.TicketsConfig{Vault: a.store.Shared("session-tickets"), Apply: a.proxy.SetTicketKeys, Log: a.log}).Run(ctx)
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}
