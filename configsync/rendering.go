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
	tree     *nginxconf.Tree
	problems []gateway.Problem
	since    time.Time         // when tree became the desired one
	past     []*nginxconf.Tree // newest last
	changed  chan struct{}     // closed when tree changes
}

// renderFacts keeps the facts that the renderer looks at, so that nodes which differ in
// nothing else share a rendering.
func renderFacts(f gateway.NodeFacts) gateway.NodeFacts {
	return gateway.NodeFacts{NginxVersion: f.NginxVersion, Modules: f.Modules, TreePath: f.TreePath, Listen: f.Listen, DigestListen: f.DigestListen,
		Outcomes: f.Outcomes, AccessLog: f.AccessLog}
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
	if len(used) == 0 {
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
	tree, problems := c.produce(f, r.facts)
	r.problems = problems
	if r.tree != nil && r.tree.Digest == tree.Digest {
		return false
	}
	if r.tree != nil {
		r.past = append(r.past, r.tree)
		r.past = slices.Clone(r.past[max(0, len(r.past)-keepTrees):])
		close(r.changed)
	}
	r.tree, r.since, r.changed = tree, c.cfg.Now(), make(chan struct{})
	c.cfg.Log.Debug("rendered a bundle", "fleet", f.name, "digest", tree.Digest, "files", len(tree.Files), "generation", c.snapshot.Generation)
	return true
}

// produce makes what nodes with these facts should run now: the newest snapshot, but for what
// nginx refuses of it. mu is held.
func (c *Controller) produce(f *fleetState, facts gateway.NodeFacts) (*nginxconf.Tree, []gateway.Problem) {
	rendered, problems := nginxconf.Render(f.seen, f.name, facts)
	tree, more := c.judge.take(job{fleet: f.name, snapshot: f.seen, facts: facts, tree: &rendered})
	return tree, slices.Concat(problems, more)
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
