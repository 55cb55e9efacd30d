package configsync

import (
	"slices"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// prober makes of a tree for one kind of nodes what the checking nginx gets: the same, or where
// that nginx is of another version or build, the same snapshot in the words that it knows.
type prober struct {
	fleet    string
	facts    gateway.NodeFacts
	renderer *nginxconf.Renderer // nil: nothing is known of the checking nginx yet
	like     *likeness
}

// learn takes note of which nginx checks.
func (p *prober) learn(in job, version string, modules []string) {
	facts := in.facts
	facts.NginxVersion, facts.Modules = version, modules
	if p.renderer != nil && factsKey(facts) == factsKey(p.facts) {
		return
	}
	p.facts, p.renderer, p.like = facts, nginxconf.NewRenderer(p.fleet, facts), newLikeness(facts)
}

// probe is the tree to check, and for which facts.
func (p *prober) probe(in job) (*nginxconf.Tree, gateway.NodeFacts) {
	if in.facts.NginxVersion == p.facts.NginxVersion && slices.Equal(in.facts.Modules, p.facts.Modules) {
		return in.tree, in.facts
	}
	if t, _ := p.renderer.Render(in.snapshot); t.Digest != in.tree.Digest {
		return &t, p.facts
	}
	return in.tree, p.facts
}
