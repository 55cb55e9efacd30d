package configsync

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// keepTrees is how many bundles that were desired before are kept, to tell whose text a
// late refusal is about and to serve an agent that is one step behind.
const keepTrees = 5

// rendering is the bundle for all nodes of a fleet whose facts render alike.
type rendering struct {
	facts    gateway.NodeFacts
	renderer *nginxconf.Renderer // nil before the first tree
	tree     *nginxconf.Tree
	problems []gateway.Problem
	since    time.Time         // when tree became the desired one
	past     []*nginxconf.Tree // newest last
	sealed   map[seal]sealed
	changed  chan struct{} // closed when tree changes, or a node should run other files
	shape    string        // of tree
	told     []string      // digests that tree had, the newest last
	pending  bool          // nginx has not judged the newest files yet; see produce
	hold     bool          // nodes keep what they have: there is nothing to give them
}

// keepTold is of how many bundles it is known which revision they belonged to: endpoints may
// change several times before a node that may reload every 10 s runs any of them.
const keepTold = 256

// set makes tree the desired one, and says whether that is news.
func (r *rendering) set(tree *nginxconf.Tree, now time.Time) bool {
	if r.tree != nil && r.tree.Digest == tree.Digest {
		return false
	}
	if r.tree != nil && r.tree.Digest != "" {
		r.past = append(r.past, r.tree)
		r.past = slices.Clone(r.past[max(0, len(r.past)-keepTrees):])
	}
	r.tree, r.since = tree, now
	r.told = append(r.told, tree.Digest)
	r.told = slices.Clone(r.told[max(0, len(r.told)-keepTold):])
	r.wake()
	return true
}

// wake answers the agents that wait for news.
func (r *rendering) wake() {
	if r.changed != nil {
		close(r.changed)
	}
	r.changed = make(chan struct{})
}

// runs says whether a bundle with the digest was desired here.
func (r *rendering) runs(digest string) bool { return digest != "" && slices.Contains(r.told, digest) }

// renderFacts keeps the facts that the renderer looks at, so that nodes which differ in
// nothing else share a rendering.
func renderFacts(f gateway.NodeFacts) gateway.NodeFacts {
	return gateway.NodeFacts{NginxVersion: f.NginxVersion, Modules: f.Modules, TreePath: f.TreePath, Listen: f.Listen, ListenTLS: f.ListenTLS, TrustedCA: f.TrustedCA,
		DigestListen: f.DigestListen, Outcomes: f.Outcomes, AccessLog: f.AccessLog, Main: f.Main}
}

func factsKey(f gateway.NodeFacts) string {
	b, err := json.Marshal(renderFacts(f))
	if err != nil {
		panic("configsync: plain data always marshals: " + err.Error())
	}
	return string(b)
}

// renderFleet renders for all facts that nodes of the fleet have, and says whether anything
// changed. Without nodes it renders for no facts, to find the problems. mu is held.
func (c *Controller) renderFleet(f *fleetState) bool {
	used := map[string]bool{}
	for _, n := range f.nodes {
		used[n.key] = true
	}
	for key, facts := range f.peerFacts() {
		used[key] = true
		if f.renderings[key] == nil {
			f.renderings[key] = &rendering{facts: renderFacts(facts)}
		}
	}
	if len(used) == 0 || !f.plan.AtOnce { // what a revision is compared by, whichever nodes have reported
		key := factsKey(gateway.NodeFacts{})
		used[key] = true
		if f.renderings[key] == nil {
			f.renderings[key] = &rendering{}
		}
	}
	changed := false
	for key, r := range f.renderings {
		if !used[key] {
			delete(f.renderings, key)
		} else if c.render(f, r) {
			changed = true
		}
	}
	return changed
}

// renderingFor finds or makes the rendering for a node's facts. mu is held.
func (c *Controller) renderingFor(f *fleetState, facts gateway.NodeFacts) *rendering {
	key := factsKey(facts)
	r := f.renderings[key]
	if r == nil {
		r = &rendering{facts: renderFacts(facts)}
		f.renderings[key] = r
		c.render(f, r)
	}
	return r
}

// render brings r up to the snapshot and says whether its bundle changed. mu is held.
func (c *Controller) render(f *fleetState, r *rendering) bool {
	tree, problems, pending := c.produce(f, r, f.seen, 0)
	r.problems, r.pending = problems, pending
	if !r.set(tree, c.cfg.Now()) {
		return false
	}
	r.shape = tree.Shape()
	c.cfg.Log.Debug("rendered a bundle", "fleet", f.name, "digest", tree.Digest, "files", len(tree.Files), "generation", c.snapshot.Generation)
	return true
}

// produce makes what nodes with these facts would run if they ran s, but for what nginx refuses of
// it. It is pending while that is being found out: until then the tree is the one of before, or
// without files and a digest. content is the revision of s, 0 if s is the newest. mu is held.
func (c *Controller) produce(f *fleetState, r *rendering, s *gateway.Snapshot, content uint64) (tree *nginxconf.Tree, problems []gateway.Problem, pending bool) {
	if r.renderer == nil {
		r.renderer = nginxconf.NewRenderer(f.name, r.facts)
	}
	rendered, problems := r.renderer.Render(s)
	tree, more, pending := c.judge.take(job{fleet: f.name, content: content, snapshot: s, facts: r.facts, tree: &rendered})
	return tree, slices.Concat(problems, more), pending
}

// pending says whether it is not known yet for all nodes what they would run.
func (f *fleetState) pending() bool {
	for _, r := range f.renderings {
		if r.pending {
			return true
		}
	}
	return false
}

// find returns the bundle with the digest, if it is still known.
func (r *rendering) find(digest string) *nginxconf.Tree {
	for _, t := range append([]*nginxconf.Tree{r.tree}, r.past...) {
		if t.Digest == digest {
			return t
		}
	}
	return nil
}
