package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

// rolloutStore keeps rollouts in the store, which may come later than the fleets.
type rolloutStore struct{ *App }

var _ configsync.Rollouts = rolloutStore{}

// endless is what a call that waits for the end of its context returns.
func endless(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// Swap implements [configsync.Rollouts].
func (r rolloutStore) Swap(ctx context.Context, record []byte, revision int64) (bool, error) {
	return r.store.Shared("rollouts").Swap(ctx, record, revision)
}

// Watch implements [configsync.Rollouts].
func (r rolloutStore) Watch(ctx context.Context, handle func([]byte, int64)) error {
	return endless(r.store.Shared("rollouts").Watch(ctx, handle))
}

func (r rolloutStore) files(fleet string, revision uint64) *store.Ledger {
	return r.store.Ledger("fleet-files/" + fleet + "/" + strconv.FormatUint(revision, 10))
}

// Files implements [configsync.Rollouts].
func (r rolloutStore) Files(ctx context.Context, fleet string, revision uint64) (map[string][]byte, error) {
	return r.files(fleet, revision).Entries(ctx)
}

// PutFile implements [configsync.Rollouts].
func (r rolloutStore) PutFile(ctx context.Context, fleet string, revision uint64, entry string, value []byte) error {
	return r.files(fleet, revision).Put(ctx, entry, value)
}

// DropFiles implements [configsync.Rollouts].
func (r rolloutStore) DropFiles(ctx context.Context, fleet string, revision uint64) error {
	l := r.files(fleet, revision)
	entries, err := l.Entries(ctx)
	if err != nil {
		return fmt.Errorf("find the files of revision %d of fleet %s: %w", revision, fleet, err)
	}
	for entry := range entries {
		err = errors.Join(err, l.Delete(ctx, entry))
	}
	return err
}

// Lead implements [configsync.Rollouts].
func (r rolloutStore) Lead(ctx context.Context, work func(context.Context) error) error {
	return endless(r.store.Lead(ctx, "rollouts", r.cfg.Node, work))
}

// Post implements [configsync.Rollouts].
func (r rolloutStore) Post(ctx context.Context, values <-chan []byte) error {
	return endless(r.store.Notices("fleet-nodes").Post(ctx, r.cfg.Node, values))
}

// Notices implements [configsync.Rollouts].
func (r rolloutStore) Notices(ctx context.Context, handle func(string, map[string][]byte)) error {
	return endless(r.store.Notices("fleet-nodes").Watch(ctx, func(all map[string][]byte) { handle(r.cfg.Node, all) }))
}

// author is who has written an object.
func (a *App) author(ctx context.Context, ref gateway.Ref) string {
	object, err := a.store.Get(ctx, ref)
	if err != nil {
		return "" // it is gone, or was never written
	}
	return object.Head().UpdatedBy
}
