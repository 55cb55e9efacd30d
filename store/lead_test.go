package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// One leads at a time; the next one follows when it ends, and when it dies.
func TestOneLeads(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	var leading, most atomic.Int64
	turns := make(chan string, 10)
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 3)
	stops := map[string]context.CancelFunc{}
	for _, node := range []string{"a", "b", "c"} {
		s, err := store.Open(ctx, cluster.Config())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		mine, stop := context.WithCancel(ctx)
		stops[node] = stop
		go func() {
			done <- s.Lead(mine, "test", node, func(ctx context.Context) error {
				if n := leading.Add(1); n > most.Load() {
					most.Store(n)
				}
				turns <- node
				<-ctx.Done()
				leading.Add(-1)
				return nil
			})
		}()
	}
	for range 3 {
		select {
		case node := <-turns:
			stops[node]()
		case <-time.After(time.Minute):
			t.Fatal("nobody leads")
		}
	}
	end()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d led at a time", most.Load())
	}
}

// An error of the work ends it, and so does closing the store.
func TestLeadEnds(t *testing.T) {
	s := storetest.OpenTemp(t)
	broken := errors.New("broken")
	if err := s.Lead(t.Context(), "test", "a", func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the work", err)
	}
	ended := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		ended <- s.Lead(t.Context(), "test", "a", func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			return nil
		})
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on with a closed store")
	}
}

func TestLedger(t *testing.T) {
	s := storetest.OpenTemp(t)
	l, ctx := s.Ledger("test"), t.Context()
	const many = 2500 // more than two pages
	for i := range many {
		if err := l.Put(ctx, fmt.Sprintf("entry-%d", i), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ledger("test-2").Put(ctx, "other", nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Delete(ctx, "entry-7"), l.Delete(ctx, "none")); err != nil {
		t.Fatal(err)
	}
	got, err := l.Entries(ctx)
	if err != nil || len(got) != many-1 || got["entry-7"] != nil || string(got["entry-8"]) != "\x08" {
		t.Errorf("%d entries, %q, %v", len(got), got["entry-8"], err)
	}
	if empty, err := s.Ledger("none").Entries(ctx); err != nil || len(empty) != 0 {
		t.Errorf("an empty ledger: %v, %v", empty, err)
	}
}
