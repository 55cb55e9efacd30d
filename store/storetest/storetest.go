// Package storetest gives tests a real store: an embedded one, or an etcd cluster of three
// members in this process.
//
// Everything that it starts listens on loopback only, keeps its data in t.TempDir and ends
// with the test. What the store itself does is tested in package store.
package storetest

import (
	"io"
	"log/slog"
	"testing"

	"github.com/sluice-gateway/sluice/store"
)

// OpenTemp opens an embedded store in a new folder, without fsync, and closes it at the end
// of the test.
func OpenTemp(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, store.Config{DataDir: t.TempDir(), UnsafeNoFsync: true})
}

// Open opens a store as configured and closes it at the end of the test. Without a log in
// cfg it is silent.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}
