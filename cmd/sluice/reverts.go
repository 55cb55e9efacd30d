package main

import (
	"context"

	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/store"
)

// revertStore keeps what nodes are asked to take back in the store, which may come later than the
// fleets.
type revertStore struct{ *App }

var _ configsync.Reverts = revertStore{}

func (r revertStore) shared() *store.Shared { return r.store.Shared("reverts") }

// Swap implements [configsync.Reverts].
func (r revertStore) Swap(ctx context.Context, record []byte, revision int64) (bool, error) {
	return r.shared().Swap(ctx, record, revision)
}

// Watch implements [configsync.Reverts].
func (r revertStore) Watch(ctx context.Context, handle func([]byte, int64)) error {
	return endless(r.shared().Watch(ctx, handle))
}
