package configsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// roundEvery is the time between two looks of the leader, and roundGap the shortest.
	roundEvery = time.Second
	roundGap   = 200 * time.Millisecond
	// noticeEvery is how often others are told of the nodes that report here.
	noticeEvery = time.Second
)

// Run follows the records of rollouts and of edits that are to be taken back, and moves rollouts on
// in the control plane that leads, until ctx ends. Without Config.Rollouts there are none.
func (c *Controller) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.followReverts(ctx) })
	store := c.book.store
	if store == nil {
		return g.Wait()
	}
	notices := make(chan []byte)
	g.Go(func() error {
		return store.Watch(ctx, func(value []byte, revision int64) { c.takeBook(ctx, value, revision) })
	})
	g.Go(func() error { return store.Notices(ctx, c.takeNotices) })
	g.Go(func() error { return store.Post(ctx, notices) })
	g.Go(func() error { c.tell(ctx, notices); return nil })
	g.Go(func() error { return store.Lead(ctx, c.lead) })
	return g.Wait()
}

// tell hands out what the others should know.
func (c *Controller) tell(ctx context.Context, out chan<- []byte) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b := c.notice()
		if string(b) == last {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case out <- b:
			last = string(b)
		}
	}
}

// lead moves rollouts on until ctx ends.
func (c *Controller) lead(ctx context.Context) error {
	listening := c.cfg.Now()
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.book.kick:
		}
		if err := c.round(ctx, listening); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("the record of rollouts is not written; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(roundGap):
		}
	}
}

// round is one step of all fleets. It takes effect when the record is written, and comes back
// as every control plane hears of it.
func (c *Controller) round(ctx context.Context, listening time.Time) error {
	p := c.propose(listening)
	if p == nil {
		return nil
	}
	for fleet, rec := range p.records {
		c.sign(ctx, rec, c.record(fleet))
	}
	for k, tree := range p.files {
		entries, err := packTree(k.key, tree)
		if err != nil {
			return err
		}
		for entry, b := range entries {
			if err := c.book.store.PutFile(ctx, k.fleet, k.content, entry, b); err != nil {
				return err
			}
		}
	}
	value, err := json.Marshal(p.records)
	if err != nil {
		return err
	}
	if ok, err := c.book.store.Swap(ctx, value, p.revision); err != nil || !ok {
		return err // another one was faster: what it has written comes back
	}
	c.mu.Lock()
	for k, tree := range p.files {
		c.book.written[k] = tree.Shape()
		c.book.alike[k] = tree
		files := c.book.files(k.fleet)
		if files[k.content] == nil {
			files[k.content] = map[string]*nginxconf.Tree{}
		}
		if files[k.content][k.key] == nil {
			files[k.content][k.key] = tree
		}
	}
	c.mu.Unlock()
	for _, k := range p.drop {
		if err := c.book.store.DropFiles(ctx, k.fleet, k.content); err != nil {
			c.cfg.Log.Warn("files of an old revision stay in the store", "fleet", k.fleet, "revision", k.content, "error", err)
		}
	}
	return nil
}

// proposal is a record to be written.
type proposal struct {
	records  map[string]*rolloutRecord
	revision int64 // that it replaces
	files    map[fileKey]*nginxconf.Tree
	drop     []fileKey // without a key
}

// propose steps all fleets, and returns nil when nothing has changed.
func (c *Controller) propose(listening time.Time) *proposal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.book.loaded || c.snapshot == nil {
		return nil
	}
	p := &proposal{records: map[string]*rolloutRecord{}, revision: c.book.revision, files: map[fileKey]*nginxconf.Tree{}}
	now, changed := c.cfg.Now(), false
	for name, f := range c.fleets {
		if !f.exists {
			continue
		}
		rec := f.record.clone()
		if f.pending() { // its nodes go on with what they have
			p.records[name] = rec
			continue
		}
		if rec.step(c.rolloutView(f, rec, listening, now), now) {
			changed = true
		}
		if rec.Target != nil {
			f.meter.begin(rec.Target.Number)
		}
		if c.collect(p, f, rec) {
			changed = true
		}
		p.records[name] = rec
	}
	for name, rec := range c.book.records {
		if p.records[name] != nil {
			continue
		}
		// The fleet is gone. Its numbers go on if it comes back: nodes refuse what looks old.
		p.records[name] = &rolloutRecord{Last: rec.Last}
		changed = changed || rec.Base.Number != 0
		for _, content := range rec.Kept {
			p.drop = append(p.drop, fileKey{fleet: name, content: content})
		}
	}
	if !changed {
		return nil
	}
	return p
}

// rolloutView is what is known of a fleet. mu is held.
func (c *Controller) rolloutView(f *fleetState, rec *rolloutRecord, listening, now time.Time) *rolloutView {
	nodes := map[string]nodeView{}
	if f.record != nil {
		nodes = f.nodeViews(rec.Members, listening, now)
	}
	tallies := map[string]tally{}
	for name, p := range f.peers {
		tallies[name] = p.Tally
	}
	for name, n := range f.nodes {
		tallies[name] = n.tally
	}
	f.meter.take(tallies, now)
	newest := f.newest()
	v := &rolloutView{fleet: f.name, plan: f.plan, reload: f.reloadEvery.Std(), listening: listening, nodes: nodes, newest: newest}
	v.is = func(rev *gateway.Revision) bool { return f.is(rev, &newest) }
	v.complete = func(rev *gateway.Revision) {
		rev.Intent, rev.Objects = f.intent.digest(), f.changedObjects()
	}
	v.judge = func() (*gateway.RolloutFigures, string) { return f.judge(rec, v) }
	return v
}

// judge compares the nodes that have the change with those that do not.
func (f *fleetState) judge(rec *rolloutRecord, v *rolloutView) (*gateway.RolloutFigures, string) {
	f.meter.count(rec.Rollout.Waves[rec.Rollout.Wave-1].RunningAt)
	var changed, others []string
	for name, n := range v.nodes {
		switch {
		case !n.live():
		case rec.has(name):
			changed = append(changed, name)
		case rec.Nodes[name] == 0:
			others = append(others, name)
		}
	}
	e := evidence{changed: f.meter.sum(changed), reference: f.meter.sum(others), before: f.meter.sumBefore(changed), nodes: len(changed), references: len(others)}
	return e.judge(v.plan.Gates)
}

// changedObjects are what makes the newest files differ from those of the latest revision.
func (f *fleetState) changedObjects() []gateway.Ref {
	if f.record == nil || f.record.Base.Number == 0 {
		return nil
	}
	for key, r := range f.renderings {
		if old := f.stored[f.record.latest().Content()][keyID(key)]; old != nil {
			return changedObjects(old, r.tree)
		}
		if n := len(r.past); f.plan.AtOnce && n > 0 {
			return changedObjects(r.past[n-1], r.tree)
		}
	}
	return nil
}

// collect finds the files that have to be in the store before the record is, and those that
// need not be any more after it. mu is held.
func (c *Controller) collect(p *proposal, f *fleetState, rec *rolloutRecord) (changed bool) {
	var needed []uint64
	if !f.plan.AtOnce {
		needed = rec.needed()
	}
	latest := rec.latest()
	for _, content := range needed {
		trees := f.stored[content]
		if newest := f.newest(); content == latest.Content() && (sameShapes(latest, &newest) || latest.Intent == f.intent.digest()) {
			trees = map[string]*nginxconf.Tree{}
			for key, r := range f.renderings {
				trees[keyID(key)] = r.tree
			}
		}
		for key, tree := range trees {
			k := fileKey{f.name, content, key}
			if c.book.written[k] == "" || content == latest.Content() && !c.book.same(k, tree) {
				p.files[k], changed = tree, true
			}
		}
	}
	for _, content := range rec.Kept {
		if !slices.Contains(needed, content) {
			p.drop = append(p.drop, fileKey{fleet: f.name, content: content})
		}
	}
	if !slices.Equal(rec.Kept, needed) {
		rec.Kept, changed = needed, true
	}
	return changed
}

// record is what the store says of a fleet, or nil.
func (c *Controller) record(fleet string) *rolloutRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.book.records[fleet]
}

// sign adds who has written what a new revision brings.
func (c *Controller) sign(ctx context.Context, rec, before *rolloutRecord) {
	rev := rec.latest()
	if before != nil && before.Last == rec.Last || rev.Back != 0 || len(rev.Authors) > 0 {
		return
	}
	for _, ref := range rev.Objects {
		if who := c.cfg.Author(ctx, ref); who != "" && !slices.Contains(rev.Authors, who) {
			rev.Authors = append(rev.Authors, who)
		}
	}
	if ro := rec.Rollout; ro != nil && ro.Revision == rev.Number {
		ro.Authors = rev.Authors
	}
	for i := range rec.History {
		if rec.History[i].Revision == rev.Number {
			rec.History[i].Authors = rev.Authors
		}
	}
}

// clone makes a copy that may be changed. That of nil is empty.
func (r *rolloutRecord) clone() *rolloutRecord {
	out := &rolloutRecord{}
	if r == nil {
		return out
	}
	b, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		panic(fmt.Sprintf("configsync: plain data always marshals: %v", err))
	}
	return out
}
