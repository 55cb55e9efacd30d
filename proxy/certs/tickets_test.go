package certs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// vault is a Vault in memory. It can fail.
type vault struct {
	mu       sync.Mutex
	value    []byte
	revision int64
	down     bool
	swaps    int
	watchers []chan struct{}
}

func (v *vault) Swap(_ context.Context, value []byte, revision int64) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down {
		return false, errors.New("down")
	}
	if revision != v.revision {
		return false, nil
	}
	v.swaps++
	v.put(value)
	return true, nil
}

func (v *vault) put(value []byte) {
	v.value = value
	v.revision++
	for _, w := range v.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (v *vault) Watch(ctx context.Context, handle func([]byte, int64)) error {
	wake := make(chan struct{}, 1)
	v.mu.Lock()
	v.watchers = append(v.watchers, wake)
	v.mu.Unlock()
	for {
		v.mu.Lock()
		value, revision := v.value, v.revision
		v.mu.Unlock()
		handle(value, revision)
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// Three nodes have the same keys at all times, each rotation is made by one of them, and
// the key that made tickets moves from next to current to previous.
func TestTicketsRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		v := &vault{}
		var mu sync.Mutex
		var keys [3][][32]byte
		for i := range keys {
			go func() {
				_ = NewTickets(TicketsConfig{Vault: v, Log: slog.New(slog.DiscardHandler), Apply: func(k [][32]byte) { mu.Lock(); keys[i] = k; mu.Unlock() }}).Run(ctx)
			}()
		}
		now := func() [][32]byte {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(keys[0], keys[1]) || !slices.Equal(keys[0], keys[2]) || len(keys[0]) != 3 {
				t.Fatalf("nodes have different keys: %x", keys)
			}
			return keys[0]
		}
		time.Sleep(time.Second)
		before := now()
		for i := range 5 {
			time.Sleep(12 * time.Hour)
			after := now()
			if after[0] != before[2] || after[1] != before[0] || after[2] == before[2] {
				t.Fatalf("rotation %d: from %x to %x", i, before, after)
			}
			before = after
		}
		if v.swaps != 6 {
			t.Errorf("%d writes for 6 sets of keys", v.swaps)
		}
		// A store that is away keeps the keys in force; what it comes back with counts.
		v.mu.Lock()
		v.down = true
		v.mu.Unlock()
		time.Sleep(20 * time.Hour)
		if !slices.Equal(now(), before) {
			t.Error("keys changed without the store")
		}
		v.mu.Lock()
		v.down = false
		v.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if slices.Equal(now(), before) {
			t.Error("keys are not rotated after the store came back")
		}
		// Nonsense is replaced.
		v.mu.Lock()
		v.put([]byte(`{"current":"eA=="}`))
		v.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if len(now()) != 3 {
			t.Error("no keys")
		}
		cancel()
		synctest.Wait()
	})
}
