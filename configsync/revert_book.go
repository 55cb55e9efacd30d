package configsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// sweepEvery is the time between two looks for reverts that are done or too old.
	sweepEvery = 10 * time.Second
	// sweepGap is the shortest: many nodes that come back at once are one write.
	sweepGap = 200 * time.Millisecond
)

// followReverts follows what nodes are asked to take back, and drops what they have done, until
// ctx ends.
func (c *Controller) followReverts(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if store := c.reverts.store; store != nil {
		g.Go(func() error { return store.Watch(ctx, c.takeReverts) })
	}
	g.Go(func() error { c.tendReverts(ctx); return nil })
	return g.Wait()
}

func (c *Controller) tendReverts(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		// ctx ends; time for a look; something is done or wanted.
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.reverts.kick:
		}
		for _, fleet := range c.staleFleets() {
			c.makeFiles(fleet)
		}
		if err := c.sweepReverts(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("the record of edits to take back is not written; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepGap):
		}
	}
}

// takeReverts takes a new record over and tells the nodes that report here.
func (c *Controller) takeReverts(value []byte, revision int64) {
	var list []revert
	if value != nil {
		if err := json.Unmarshal(value, &list); err != nil {
			c.cfg.Log.Error("the record of edits to take back can not be read: those asked for before are gone", "error", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reverts.revision, c.reverts.loaded = revision, true
	c.setReverts(list)
}

// setReverts is takeReverts with a list. mu is held.
func (c *Controller) setReverts(list []revert) {
	c.reverts.set(list)
	for _, f := range c.fleets {
		for name, n := range f.nodes {
			tasks := c.reverts.of[protocol.Peer{Fleet: f.name, Node: name}]
			for t := range n.files {
				if !slices.Contains(tasks, t) {
					delete(n.files, t)
				}
			}
		}
		c.wake(f)
	}
	c.reverts.nudge()
}

// changeReverts writes another list, and waits until it is here.
func (c *Controller) changeReverts(ctx context.Context, change func([]revert) ([]revert, error)) error {
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	for {
		c.mu.Lock()
		r := &c.reverts
		store, revision, loaded := r.store, r.revision, r.loaded
		list, err := change(r.list)
		if store == nil && err == nil {
			c.setReverts(list)
		}
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case store == nil:
			return nil
		case !loaded:
			return fmt.Errorf("edits to take back: %w: what was asked for before has not been read yet; ask again in a moment", gateway.ErrUnavailable)
		}
		ok, err := store.Swap(ctx, packReverts(list), revision)
		if err != nil {
			return err
		}
		if err := c.heardReverts(ctx, revision); err != nil || ok {
			return err
		}
	}
}

// heardReverts waits until a newer record is here.
func (c *Controller) heardReverts(ctx context.Context, revision int64) error {
	for {
		c.mu.Lock()
		newer := c.reverts.revision != revision
		c.mu.Unlock()
		if newer {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("edits to take back: %w: the store has not confirmed the record", gateway.ErrUnavailable)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// keepRevert records that nodes are asked.
func (c *Controller) keepRevert(ctx context.Context, one revert) error {
	return c.changeReverts(ctx, func(list []revert) ([]revert, error) {
		list = with(list, one)
		if size := len(packReverts(list)); size > maxReverts {
			return nil, fmt.Errorf("hunk %s: %w: the edits that nodes are asked to take back would need %d KiB, and the most are %d; wait until the nodes have done some", one.Hunk, gateway.ErrConflict, size>>10, maxReverts>>10)
		}
		return list, nil
	})
}

// sweepReverts drops what is done or too old.
func (c *Controller) sweepReverts(ctx context.Context) error {
	now := c.cfg.Now()
	c.mu.Lock()
	old := len(c.reverts.done) > 0 || slices.ContainsFunc(c.reverts.list, func(r revert) bool { return r.over(now) })
	c.mu.Unlock()
	if !old {
		return nil
	}
	var over []revert
	err := c.changeReverts(ctx, func(list []revert) (left []revert, _ error) {
		left, over = c.reverts.left(list, now)
		return left, nil
	})
	if err != nil {
		return err
	}
	for _, r := range over {
		c.cfg.Log.Warn("an edit by hand was not taken back within a day, and is not asked for any more: ask again when the nodes are back",
			"fleet", r.Fleet, "hunk", r.Hunk, "nodes", r.Nodes, "by", r.By, "at", r.At)
	}
	return nil
}

// wantFiles has the files of a fleet that are outside of rendered trees made anew, if any are asked
// for. mu is held.
func (c *Controller) wantFiles(fleet string) {
	if slices.ContainsFunc(c.reverts.list, func(r revert) bool { return r.Outside && r.Fleet == fleet }) {
		c.reverts.stale[fleet] = true
		c.reverts.nudge()
	}
}

func (c *Controller) staleFleets() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for fleet := range c.reverts.stale {
		if f := c.fleets[fleet]; f != nil && f.exists {
			list = append(list, fleet)
		}
	}
	clear(c.reverts.stale)
	return list
}

// makeFiles makes the files outside of rendered trees that nodes of a fleet which report here are
// to get. One that can't be made, since the files of the node or of the others have not arrived,
// is made when they have; one that was made stays until then.
func (c *Controller) makeFiles(fleet string) {
	for t, nodes := range c.outsideTasks(fleet) {
		h, err := c.Hunk(fleet, t.hunk)
		if err != nil || h.Kind != gateway.HunkOutside {
			continue
		}
		have := on(h)
		for _, name := range nodes {
			if !slices.Contains(have, name) {
				continue
			}
			files, err := c.outside(fleet, h, []string{name})
			if err != nil {
				c.cfg.Log.Warn("an edit by hand can not be taken back yet", "fleet", fleet, "node", name, "hunk", t.hunk, "error", err)
				continue
			}
			c.hold(fleet, name, t, files[name])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.fleets[fleet]; f != nil {
		c.wake(f)
	}
}

// hold keeps a file for a node.
func (c *Controller) hold(fleet, name string, t task, file *protocol.SettleFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fleets[fleet]
	if f == nil || f.nodes[name] == nil {
		return // forgotten meanwhile
	}
	n := f.nodes[name]
	if n.files == nil {
		n.files = map[task]*protocol.SettleFile{}
	}
	n.files[t] = file
}

// outsideTasks are those outside of rendered trees, with the nodes that report here.
func (c *Controller) outsideTasks(fleet string) map[task][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[task][]string{}
	f := c.fleets[fleet]
	if f == nil {
		return out
	}
	for name, n := range f.nodes {
		for _, t := range c.reverts.due(n.peer(), c.cfg.Now()) {
			if t.outside {
				out[t] = append(out[t], name)
			}
		}
	}
	return out
}
