package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// wall is what a watcher of notices was told last.
type wall struct {
	mu  sync.Mutex
	all map[string][]byte // guarded by mu
}

func (w *wall) set(all map[string][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = all
}

// text is "a=1 b=2", or "unknown".
func (w *wall) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		return "unknown"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(w.all)) {
		parts = append(parts, k+"="+string(w.all[k]))
	}
	return strings.Join(parts, " ")
}

func (w *wall) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); w.text() != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("notices are %q, want %q", w.text(), want)
		}
	}
}

func openStore(t *testing.T, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A notice lives as long as the process that shows it: it goes at once with an orderly end,
// and with the lease when the process is gone. It survives etcd's restart.
func TestNotices(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	reader, first, second := openStore(t, cluster.Config()), openStore(t, cluster.Config()), openStore(t, cluster.Config())
	var seen wall
	done := make(chan error, 3)
	ctx, end := context.WithCancel(context.Background())
	go func() { done <- reader.Notices("test").Watch(ctx, seen.set) }()
	seen.await(t, "")

	mine, stop := context.WithCancel(ctx)
	one, two := make(chan []byte, 1), make(chan []byte, 1)
	go func() { done <- first.Notices("test").Post(mine, "one", one) }()
	go func() { done <- second.Notices("test").Post(ctx, "two", two) }()
	go func() { one <- []byte("1"); two <- []byte("2") }()
	seen.await(t, "one=1 two=2")
	one <- []byte("3")
	seen.await(t, "one=3 two=2")

	cluster.Kill(0)
	seen.await(t, "unknown")
	cluster.Restart(t, 0)
	seen.await(t, "one=3 two=2")

	stop()
	seen.await(t, "two=2")
	_ = second.Close() // without a word: its calls, and signs of life, end here
	begin := time.Now()
	seen.await(t, "")
	fmt.Printf("figure notice_lapse_s %.1f s goal 30\n", time.Since(begin).Seconds())
	end()
	for range 3 {
		if err := <-done; err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	}
}
