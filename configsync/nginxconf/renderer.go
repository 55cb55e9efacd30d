package nginxconf

import (
	"maps"
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// Renderer renders one snapshot after the other for one fleet and one kind of node, and
// writes only the files of what changed in between. It gives the same as [Render]: snapshots
// share what did not change (docs/decisions/0008), so a part is written again only when the
// pointer it was made from is another one, or when something that it looks up is.
//
// A Renderer belongs to one goroutine at a time. The trees that it returned stay as they are.
type Renderer struct {
	fleet string
	facts gateway.NodeFacts

	tenants    map[string]bool // those that the fleet mirrors
	directives []string        // that overrides may use
	upstreams  []*upstreamPart // of the fleet's tenants, sorted as in the snapshot
	traits     map[gateway.UpstreamKey]traits
	hosts      []*hostPart     // likewise
	claims     []*gateway.Host // of everybody
	own        part            // what belongs to no single host or upstream
	spec       gateway.FleetSpec

	certificates []*gateway.EffectiveCertificate        // of the snapshot
	bound        map[string][]binding                   // by host
	certParts    map[*gateway.EffectiveCertificate]part // those in use

	used     map[gateway.UpstreamKey]bool // by routes of the fleet
	table    table
	problems []gateway.Problem
}

// NewRenderer makes a renderer that has rendered nothing yet.
func NewRenderer(fleet string, facts gateway.NodeFacts) *Renderer {
	return &Renderer{fleet: fleet, facts: withDefaults(facts), traits: map[gateway.UpstreamKey]traits{}}
}

// Render writes the files that a node should have for s. See the function [Render].
func (r *Renderer) Render(s *gateway.Snapshot) (Tree, []gateway.Problem) {
	tenants := map[string]bool{}
	for _, t := range s.Tenants {
		if slices.Contains(t.Spec.Fleets, r.fleet) {
			tenants[t.Name] = true
		}
	}
	c := changes{traits: map[gateway.UpstreamKey]bool{}, certs: !slices.Equal(r.certificates, s.Certificates)}
	claims := r.tenants == nil || !maps.Equal(r.tenants, tenants) || !slices.Equal(r.claims, s.Hosts)
	r.forget(s, &c)
	ctx := &renderer{snapshot: s, fleet: r.fleet, facts: r.facts, tenants: tenants, traits: r.traits}
	r.renderUpstreams(ctx, &c)
	if claims || c.certs {
		r.bound, c.bound = ctx.bindings(), true
	}
	if claims || c.bound || len(c.traits) > 0 || r.hosts == nil {
		r.renderHosts(ctx, &c)
	}
	if claims || c.shape {
		c.replace(&r.own, ctx.take(func() { ctx.common(s.Hosts); ctx.health(); ctx.main(); ctx.lua() }))
	}
	r.tenants, r.claims, r.certificates = tenants, s.Hosts, s.Certificates
	if c.bound || len(c.traits) > 0 {
		r.renderCertificates(ctx, &c)
	}
	r.fill(&c)
	r.settleProblems(&c)
	return r.table.tree(), r.problems
}

// forget drops what was rendered under other rules for everything.
func (r *Renderer) forget(s *gateway.Snapshot, c *changes) {
	var spec gateway.FleetSpec
	for _, f := range s.Fleets {
		if f.Name == r.fleet {
			spec = f.Spec
		}
	}
	if !reflect.DeepEqual(r.spec, spec) {
		r.upstreams, r.hosts, r.traits, c.shape = nil, nil, map[gateway.UpstreamKey]traits{}, true
	}
	if !slices.Equal(r.directives, s.NginxDirectives) {
		r.hosts, c.shape = nil, true
	}
	r.spec, r.directives = spec, s.NginxDirectives
}

// take runs write and returns what it rendered.
func (r *renderer) take(write func()) part {
	r.out = part{}
	write()
	return r.out
}

// renderUpstreams walks both sorted lists side by side.
func (r *Renderer) renderUpstreams(ctx *renderer, c *changes) {
	before, next := r.upstreams, make([]*upstreamPart, 0, len(r.upstreams))
	drop := func() {
		delete(r.traits, before[0].from.Key)
		c.traits[before[0].from.Key], c.shape = true, true
		before = before[1:]
	}
	for _, u := range ctx.snapshot.Upstreams {
		certified := c.certs && u.TLS != nil && u.TLS.Certificate != ""
		if len(before) > 0 && before[0].from == u && ctx.tenants[u.Key.Tenant] && !certified {
			next, before = append(next, before[0]), before[1:]
			continue
		}
		for len(before) > 0 && before[0].from.Key.Compare(u.Key) < 0 {
			drop()
		}
		if !ctx.tenants[u.Key.Tenant] {
			continue // if it was mirrored before, the next one's loop drops it
		}
		p := &upstreamPart{}
		if len(before) > 0 && before[0].from.Key == u.Key {
			p, before = before[0], before[1:]
		}
		p.from = u
		if t := ctx.traitsOf(u); r.traits[u.Key] != t {
			r.traits[u.Key], c.traits[u.Key] = t, true
		}
		c.replace(&p.part, ctx.take(func() { ctx.upstream(u) }))
		next = append(next, p)
	}
	for len(before) > 0 {
		drop()
	}
	r.upstreams = next
}

// renderHosts does the same for hosts, which also depend on the traits of their targets and
// on certificates.
func (r *Renderer) renderHosts(ctx *renderer, c *changes) {
	before, next := r.hosts, make([]*hostPart, 0, len(r.hosts))
	drop := func() { before, c.shape, c.hosts = before[1:], true, true }
	for _, h := range ctx.snapshot.Hosts {
		for len(before) > 0 && before[0].from != h && before[0].from.Name < h.Name {
			drop()
		}
		known := len(before) > 0 && before[0].from.Name == h.Name
		if !ctx.tenants[h.Tenant] {
			if known {
				drop()
			}
			continue
		}
		p := &hostPart{}
		if known {
			p, before = before[0], before[1:]
		}
		bound := p.bound
		if c.bound || p.from == nil {
			bound = r.bound[h.Name]
		}
		if p.from != h || c.touches(p.targets) || c.bound && !slices.Equal(p.bound, bound) {
			c.hosts = c.hosts || p.from != h
			p.from, p.targets, p.bound = h, targetsOf(h), bound
			c.replace(&p.part, ctx.take(func() { ctx.server(h, bound) }))
		}
		next = append(next, p)
	}
	for len(before) > 0 {
		drop()
	}
	r.hosts = next
}

// renderCertificates renders those that a host or an upstream of the fleet uses.
func (r *Renderer) renderCertificates(ctx *renderer, c *changes) {
	used := map[gateway.CertificateKey]bool{}
	if ctx.speaksTLS() {
		for _, list := range r.bound {
			for _, b := range list {
				used[b.cert] = true
			}
		}
	}
	for i := range r.upstreams {
		if u := r.upstreams[i].from; u.TLS != nil && r.traits[u.Key].tls.own != "" {
			used[ownKey(u)] = true
		}
	}
	before := r.certParts
	r.certParts = make(map[*gateway.EffectiveCertificate]part, len(used))
	for _, e := range ctx.snapshot.Certificates {
		if !used[e.Key] {
			continue
		}
		p, ok := before[e]
		if !ok {
			p = ctx.take(func() { ctx.certificateFiles(e) })
			c.shape = true // which files went is seen by filling the table anew
		}
		r.certParts[e] = p
	}
	c.shape = c.shape || len(before) != len(r.certParts)
}

func targetsOf(h *gateway.Host) []gateway.UpstreamKey {
	var list []gateway.UpstreamKey
	for _, rule := range h.Rules {
		for _, t := range rule.Route.Targets {
			list = append(list, t.Upstream)
		}
		if m := rule.Route.Mirror; m != nil {
			list = append(list, m.Upstream)
		}
	}
	return list
}

// fill brings the table of files up to the parts.
func (r *Renderer) fill(c *changes) {
	if !c.shape {
		for _, f := range c.fresh {
			r.table.replace(f)
		}
		return
	}
	var all []summedFile
	for i := range r.upstreams {
		all = append(all, r.upstreams[i].files...)
	}
	for i := range r.hosts {
		all = append(all, r.hosts[i].files...)
	}
	for _, p := range r.certParts {
		all = append(all, p.files...)
	}
	r.table.fill(append(all, r.own.files...))
}

// settleProblems collects the problems of all parts, if they may have changed.
func (r *Renderer) settleProblems(c *changes) {
	if c.hosts || c.shape || r.used == nil {
		r.used = map[gateway.UpstreamKey]bool{}
		for i := range r.hosts {
			for _, k := range r.hosts[i].targets {
				r.used[k] = true
			}
		}
	} else if !c.notes {
		return
	}
	list := slices.Clone(r.own.problems)
	for i := range r.upstreams {
		list = append(list, r.upstreams[i].problems...)
		if r.used[r.upstreams[i].from.Key] {
			list = append(list, r.upstreams[i].ifUsed...)
		}
	}
	for i := range r.hosts {
		list = append(list, r.hosts[i].problems...)
	}
	slices.SortFunc(list, gateway.Problem.Compare)
	r.problems = slices.Compact(list)
}
