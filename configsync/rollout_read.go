package configsync

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// actPatience bounds the wait for the record that an action has made.
const actPatience = 5 * time.Second

// Rollouts lists those of a fleet, the newest first: the one under way, if there is any, and
// the last 50 that are over.
func (c *Controller) Rollouts(fleet string) ([]gateway.Rollout, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return nil, err
	}
	list := []gateway.Rollout{}
	if f.record == nil {
		return list, nil
	}
	if f.record.active() {
		list = append(list, *f.record.Rollout)
	}
	return append(list, f.record.History...), nil
}

// Rollout is that of a revision, or, when it is 0, the last one of the fleet.
func (c *Controller) Rollout(fleet string, revision uint64) (gateway.Rollout, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return gateway.Rollout{}, err
	}
	if f.record != nil {
		if ro := f.record.Rollout; ro != nil && (revision == 0 || ro.Revision == revision) {
			return *ro, nil
		}
		for _, ro := range f.record.History {
			if ro.Revision == revision {
				return ro, nil
			}
		}
	}
	if revision == 0 {
		return gateway.Rollout{}, fmt.Errorf("rollout of fleet %q: %w: nothing has been rolled out yet", fleet, gateway.ErrNotFound)
	}
	return gateway.Rollout{}, fmt.Errorf("rollout of revision %d of fleet %q: %w: see the list of rollouts, of which the last %d are kept", revision, fleet, gateway.ErrNotFound, keepRollouts)
}

// Act does with the last rollout of a fleet what a person says, and returns what became of it.
func (c *Controller) Act(ctx context.Context, fleet string, action gateway.RolloutAction, actor string) (gateway.Rollout, error) {
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	for {
		value, revision, err := c.acted(fleet, action, actor)
		if err != nil {
			return gateway.Rollout{}, err
		}
		ok, err := c.book.store.Swap(ctx, value, revision)
		if err != nil {
			return gateway.Rollout{}, err
		}
		if err := c.heard(ctx, revision); err != nil {
			return gateway.Rollout{}, err
		}
		if ok {
			return c.Rollout(fleet, 0)
		}
	}
}

// acted is the record after an action, and the revision of the one before.
func (c *Controller) acted(fleet string, action gateway.RolloutAction, actor string) ([]byte, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.find(fleet)
	if err != nil {
		return nil, 0, err
	}
	if c.book.store == nil || !c.book.loaded {
		return nil, 0, fmt.Errorf("rollout of fleet %q: %w: the record of rollouts has not been read yet", fleet, gateway.ErrUnavailable)
	}
	rec := f.record.clone()
	if err := rec.act(action, actor, c.cfg.Now()); err != nil {
		return nil, 0, fmt.Errorf("fleet %q: %w", fleet, err)
	}
	records := map[string]*rolloutRecord{}
	for name, other := range c.book.records {
		records[name] = other
	}
	records[fleet] = rec
	value, err := json.Marshal(records)
	return value, c.book.revision, err
}

// heard waits until a newer record is here.
func (c *Controller) heard(ctx context.Context, revision int64) error {
	for {
		c.mu.Lock()
		newer := c.book.revision != revision
		c.mu.Unlock()
		if newer {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the record of rollouts: %w: the store has not confirmed it", gateway.ErrUnavailable)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
