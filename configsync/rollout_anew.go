package configsync

import (
	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// anew are revisions that nodes should run, made once more for facts that no node had when they
// were current, such as those of a new node, or after an upgrade of nginx, in the midst of a rollout.
type anew struct {
	// objects are what revisions were made of, by content; only those that were the latest while
	// this process ran.
	objects map[uint64]*gateway.Snapshot
	// making are those that nginx has not judged yet.
	making map[trackKey]*rendering
}

// remember that the newest files are those of a revision.
func (f *fleetState) remember(content uint64) {
	if f.same && !f.pending() { // else the files are of an older snapshot
		f.anew.objects[content] = f.seen
	}
}

// makeAnew makes the files of a revision for nodes with these facts. They are in stored when it is
// done. It is not pending if that can not be done. mu is held.
func (c *Controller) makeAnew(f *fleetState, content uint64, facts gateway.NodeFacts) (tree *nginxconf.Tree, pending bool) {
	objects := f.anew.objects[content]
	if objects == nil {
		return nil, false
	}
	k := trackKey{content, keyID(factsKey(facts))}
	r := f.anew.making[k]
	if r == nil {
		r = &rendering{facts: renderFacts(facts)}
		f.anew.making[k] = r
	}
	if tree, _, pending = c.produce(f, r, objects, content); pending { // its problems are those of the newest, or over
		return nil, true
	}
	if f.stored[content] == nil {
		f.stored[content] = map[string]*nginxconf.Tree{}
	}
	f.stored[content][k.key] = tree
	delete(f.anew.making, k)
	return tree, false
}

// makeForPeers makes what nodes should run that report to other control planes: the one that leads
// puts it into the store. mu is held.
func (c *Controller) makeForPeers(f *fleetState) {
	for name, p := range f.peers {
		if content := f.record.assigned(name); f.stored[content][keyID(factsKey(p.Facts))] == nil {
			c.makeAnew(f, content, p.Facts)
		}
	}
}

// makes says whether the judge is asked for a revision.
func (a *anew) makes(content uint64, facts string) bool {
	return a.making[trackKey{content, keyID(facts)}] != nil
}
