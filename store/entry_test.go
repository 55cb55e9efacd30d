package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// Of many who swap the same entry, one does.
func TestLedgerSwap(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	l := s.Ledger("swap")
	if v, rev, err := l.Get(ctx, "a"); v != nil || rev != 0 || err != nil {
		t.Fatalf("an entry that is not there: %q at %d, %v", v, rev, err)
	}
	for round := range 3 {
		_, revision, err := l.Get(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		var done atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				ok, err := l.Swap(ctx, "a", fmt.Append(nil, round, i), revision)
				if err != nil {
					t.Error(err)
				}
				if ok {
					done.Add(1)
				}
			})
		}
		all.Wait()
		if n := done.Load(); n != 1 {
			t.Errorf("round %d: %d have swapped the entry, want one", round, n)
		}
	}
	if err := l.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if v, rev, err := l.Get(ctx, "a"); v != nil || rev != 0 || err != nil {
		t.Errorf("a deleted entry: %q at %d, %v", v, rev, err)
	}
}
