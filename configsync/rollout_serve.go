package configsync

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// rolloutState is what a fleetState knows of revisions. It is guarded by the controller's mu.
type rolloutState struct {
	plan   gateway.RolloutPlan
	intent *intent // of the snapshot
	// record is what the store says, or nil. It is never changed, only replaced.
	record *rolloutRecord
	same   bool // the newest snapshot is of the latest revision
	// last is the intent with which that was so the last time, and of which content.
	last   *intent
	lastOf uint64
	// stored are the files of revisions that nodes run, by content and keyID. Those of the
	// latest revision follow the newest snapshot while that is the same.
	stored map[uint64]map[string]*nginxconf.Tree
	tracks map[trackKey]*rendering // what nodes should run, by content and keyID
	anew   anew
	// numbers are the revisions that bundles are of, by digest, the newest first.
	numbers map[string][]uint64

	peers     map[string]peerNode // nodes that report to other control planes
	lastHeard map[string]time.Time
	lastUp    map[string]time.Time // when nginx answered
	meter     meter
}

type trackKey struct {
	content uint64
	key     string // keyID
}

func newRolloutState(stored map[uint64]map[string]*nginxconf.Tree) rolloutState {
	return rolloutState{stored: stored, tracks: map[trackKey]*rendering{}, lastHeard: map[string]time.Time{}, lastUp: map[string]time.Time{},
		anew: anew{map[uint64]*gateway.Snapshot{}, map[trackKey]*rendering{}}}
}

// intent is the digest of what people want of a fleet, computed when it is asked for.
type intent struct {
	snapshot       *gateway.Snapshot
	fleet, version string
	text           string
}

func (c *Controller) intentOf(fleet string, s *gateway.Snapshot) *intent {
	if f := c.fleets[fleet]; f != nil && f.intent != nil && f.intent.snapshot == s {
		return f.intent
	}
	return &intent{snapshot: s, fleet: fleet, version: c.cfg.Version}
}

func (i *intent) digest() string {
	if i.text == "" {
		i.text = i.version + "/" + i.snapshot.IntentOf(i.fleet)
	}
	return i.text
}

// newest is what people want now, as a revision without a number. Its Intent is left out.
func (f *fleetState) newest() gateway.Revision {
	rev := gateway.Revision{Shapes: map[string]string{}, Generation: f.intent.snapshot.Generation}
	for key, r := range f.renderings {
		if r.tree.Digest != "" { // else it is not known yet
			rev.Shapes[keyID(key)] = r.shape
		}
	}
	return rev
}

// is says whether the newest snapshot is of a revision: its files are the same but for the
// endpoints of upstreams, or people want the same.
func (f *fleetState) is(rev, newest *gateway.Revision) bool {
	pending := f.pending() // then the files are of an older snapshot than the intent
	if sameShapes(rev, newest) {
		if !pending && f.record != nil && rev.Content() == f.record.latest().Content() {
			f.last, f.lastOf = f.intent, rev.Content()
		}
		return true
	}
	return !pending && (rev.Intent == f.intent.digest() || f.last != nil && f.lastOf == rev.Content() && f.last.digest() == f.intent.digest())
}

// waves says whether nodes run what the record says, and not simply what is newest.
func (f *fleetState) waves() bool {
	return !f.plan.AtOnce && f.record != nil && f.record.Base.Number != 0
}

// placeAll decides anew what all nodes should run, and says whether that is news. mu is held.
func (c *Controller) placeAll(f *fleetState) bool {
	if f.waves() {
		newest := f.newest()
		f.same = f.is(f.record.latest(), &newest)
		for key, r := range f.renderings {
			f.keep(keyID(key), r)
		}
		f.remember(f.record.latest().Content())
		c.makeForPeers(f)
	}
	changed := false
	for _, n := range f.nodes {
		if c.place(f, n) {
			changed = true
		}
	}
	f.number()
	return changed
}

// keep follows the newest files while they are of the latest revision.
func (f *fleetState) keep(key string, newest *rendering) {
	content := f.record.latest().Content()
	if !f.same || newest.tree.Digest == "" {
		return
	}
	if f.stored[content] == nil {
		f.stored[content] = map[string]*nginxconf.Tree{}
	}
	f.stored[content][key] = newest.tree
}

// place decides what a node should run, and says whether that is news. mu is held.
func (c *Controller) place(f *fleetState, n *node) bool {
	before, known := n.rendering, f.renderings[n.key] != nil
	newest := c.renderingFor(f, n.report.Facts)
	r := newest
	if f.waves() && !known {
		rev := f.newest()
		f.same = f.is(f.record.latest(), &rev)
	}
	if f.waves() {
		f.keep(keyID(n.key), newest)
		r = c.track(f, n, newest)
	}
	if before == r {
		return false
	}
	n.rendering = r
	if before != nil {
		before.wake()
	}
	return true
}

// track is what a node should run by the record. Nodes that are not given the latest revision
// get its endpoints all the same.
func (c *Controller) track(f *fleetState, n *node, newest *rendering) *rendering {
	k := trackKey{f.record.assigned(n.report.Node), keyID(n.key)}
	tree, pending := f.stored[k.content][k.key], false
	if tree == nil {
		tree, pending = c.makeAnew(f, k.content, n.report.Facts)
	}
	switch {
	case tree != nil:
		tree = tree.WithEndpoints(newest.tree)
	case n.report.OnDisk == "" && !pending: // a new node serves nobody yet, so it begins with the newest
		return newest
	default:
		return f.holding(n)
	}
	t := f.tracks[k]
	if t == nil {
		t = &rendering{facts: newest.facts}
		f.tracks[k] = t
	}
	t.set(tree, c.cfg.Now())
	return t
}

// holding keeps a node at what it has while there are no files of its revision for its facts; see
// [Controller.makeAnew].
func (f *fleetState) holding(n *node) *rendering {
	if r := n.rendering; r != nil && r.hold && r.tree.Digest == n.report.OnDisk {
		return r
	}
	r := &rendering{hold: true}
	r.set(&nginxconf.Tree{Digest: n.report.OnDisk}, n.report.ReportedAt)
	return r
}

// bundle is what a node was told to run, by digest, if that is still known.
func (f *fleetState) bundle(n *node, digest string) *nginxconf.Tree {
	if t := n.rendering.find(digest); t != nil {
		return t
	}
	for _, t := range f.tracks {
		if found := t.find(digest); found != nil {
			return found
		}
	}
	if newest := f.renderings[n.key]; newest != nil {
		return newest.find(digest)
	}
	return nil
}

// forgetTracks drops what no node should run any more. What is gone is looked for for a while
// longer, to tell whose text a late refusal is about.
func (f *fleetState) forgetTracks() {
	needed := map[uint64]bool{}
	for _, content := range f.record.needed() {
		needed[content] = true
	}
	if f.record.Refused != nil {
		needed[f.record.Refused.Number] = true
	}
	for content := range f.stored {
		if !needed[content] {
			delete(f.stored, content)
		}
	}
	for k := range f.tracks {
		if !needed[k.content] {
			delete(f.tracks, k)
		}
	}
	for content := range f.anew.objects {
		if !needed[content] {
			delete(f.anew.objects, content)
		}
	}
	for k := range f.anew.making {
		if !needed[k.content] {
			delete(f.anew.making, k)
		}
	}
}

// rolloutProblems are changes that were taken back.
func (f *fleetState) rolloutProblems() []gateway.Problem {
	if f.record == nil || f.record.Refused == nil || f.record.Rollout == nil || f.record.Rollout.State != gateway.RolloutFailed {
		return nil
	}
	ro := f.record.Rollout
	where := "before any node ran it"
	if n := count(ro); n > 0 {
		where = fmt.Sprintf("in wave %d of %d, after %s had it", ro.Wave, len(ro.Waves), counted(n))
	}
	return []gateway.Problem{{Object: gateway.Ref{Kind: gateway.KindFleet, Name: f.name}, Code: "rollout_failed", Source: "fleet " + f.name,
		Message: fmt.Sprintf("Revision %d was taken back %s. %s The nodes run revision %d: correct what was changed, or try again with sluice fleet rollout resume %s.",
			ro.Revision, where, ro.Reason, cmp.Or(f.record.Base.Back, f.record.Base.Number), f.name)}}
}

// count is how many nodes got the change.
func count(ro *gateway.Rollout) (n int) {
	for _, w := range ro.Waves {
		n += w.Count
	}
	return n
}

// drainOf is for how long a node is taken out of LVS before it gets what it should run: when
// that is the change of a rollout. Endpoints, and what goes back, do not wait.
func (f *fleetState) drainOf(n *node) gateway.Duration {
	if !f.waves() || f.record.Target == nil || f.record.assigned(n.report.Node) != f.record.Target.Number || f.sightOf(n).Runs {
		return 0
	}
	return f.plan.Drain
}
