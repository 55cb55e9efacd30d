package main

import (
	"context"

	"github.com/sluice-gateway/sluice/alert"
)

// alertBoard is where the nodes on the store show each other what is wrong.
type alertBoard struct{ *App }

var _ alert.Board = alertBoard{}

// Post implements [alert.Board].
func (b alertBoard) Post(ctx context.Context, key string, values <-chan []byte) error {
	return endless(b.store.Notices("alerts").Post(ctx, key, values))
}

// Watch implements [alert.Board].
func (b alertBoard) Watch(ctx context.Context, handle func(map[string][]byte)) error {
	return endless(b.store.Notices("alerts").Watch(ctx, handle))
}

// Lead implements [alert.Board].
func (b alertBoard) Lead(ctx context.Context, work func(context.Context) error) error {
	return endless(b.store.Lead(ctx, "alerts", b.cfg.Node, work))
}

// shareAlerts has one node of the store tell of what any of them has found.
func (a *App) shareAlerts(ctx context.Context) error { return a.alerts.Share(ctx, alertBoard{a}) }
