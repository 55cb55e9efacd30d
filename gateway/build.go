package gateway

import (
	"cmp"
	"crypto/sha256"
	"net/netip"
	"slices"
	"time"
)

// Build decides. It reads no clock, file, socket or random source: equal inputs in any
// order give equal snapshots. An item that cannot be used becomes a Problem on its owner's
// object, and everything else goes live. The inputs are not changed, and the snapshot may
// share their objects, so the caller never changes an object that it has passed in.
func Build(in Inputs, generation uint64) *Snapshot {
	b := newBuilder(in)
	b.claimHosts()
	b.checkFleets()
	b.checkAlerts()
	b.buildCertificates()
	b.denied = b.deniedNetworks()
	b.buildUpstreams()
	b.checkPins()
	b.buildStreams()
	b.buildRoutes()
	b.checkOverrides()
	return b.snapshot(generation)
}

// builder holds what one Build works out, in the order of the calls in Build.
type builder struct {
	in          Inputs
	tenants     map[string]*Tenant
	limits      limits
	denied      []netip.Prefix    // addresses that no upstream may have
	claims      map[string]string // host to tenant
	hosts       map[string]*Host
	rules       map[hostPath][]int   // places in Host.Rules
	place       map[UpstreamKey]int  // of an upstream, in in.Upstreams and in the next
	upstreams   []*EffectiveUpstream // nil: it is in no snapshot
	streams     []EffectiveStream
	certs       []*EffectiveCertificate // by age
	next        time.Time
	brokenRoute bool // the route that is being built has a filter that can not be used
	problems    []Problem
}

func newBuilder(in Inputs) *builder {
	b := &builder{
		in:      in,
		tenants: make(map[string]*Tenant, len(in.Tenants)),
		limits:  limitsOf(in.Policies),
		claims:  map[string]string{},
		hosts:   make(map[string]*Host, len(in.Routes)),
		rules:   make(map[hostPath][]int, len(in.Routes)),
		place:   make(map[UpstreamKey]int, len(in.Upstreams)),
	}
	b.in.Tenants = slices.SortedFunc(slices.Values(in.Tenants), func(x, y *Tenant) int { return older(&x.Meta, &y.Meta) })
	b.in.Certificates = slices.SortedFunc(slices.Values(in.Certificates), func(x, y *Certificate) int { return older(&x.Meta, &y.Meta) })
	b.in.Routes = slices.SortedFunc(slices.Values(in.Routes), func(x, y *Route) int { return older(&x.Meta, &y.Meta) })
	for _, t := range in.Tenants {
		b.tenants[t.Name] = t
	}
	return b
}

// older orders objects of one kind by age, so that the first one keeps what both claim.
// Objects without a revision (checked offline) fall back to their names, and those that were
// not written by people, which have one revision, to who made them before that.
func older(x, y *Meta) int {
	switch {
	case x.CreatedRevision < y.CreatedRevision:
		return -1
	case x.CreatedRevision > y.CreatedRevision:
		return 1
	}
	return cmp.Or(cmp.Compare(x.CreatedBy, y.CreatedBy), x.Ref().Compare(y.Ref()))
}

func (b *builder) report(p Problem) {
	p.Source = "build"
	b.problems = append(b.problems, p)
}

// checkFleets reports what is not possible of fleets, and tenants that name one that does not exist.
func (b *builder) checkFleets() {
	known := map[string]bool{}
	for _, f := range b.in.Fleets {
		known[f.Name] = true
		b.checkFleet(f)
	}
	for _, t := range b.in.Tenants {
		for i, f := range t.Spec.Fleets {
			if !known[f] {
				b.report(Problem{Object: t.Ref(), Field: index("spec.fleets", i), Code: "fleet_unknown",
					Message: "There is no fleet " + quote(f) + ", so nothing mirrors this tenant there: create the Fleet or take the name out."})
			}
		}
	}
}

func (b *builder) buildUpstreams() {
	for i, u := range b.in.Upstreams {
		b.place[u.Key()] = i
	}
	sets := byUpstream(b, b.in.Sets, func(s *EndpointSet) UpstreamKey { return s.Upstream })
	verdicts := byUpstream(b, b.in.Verdicts, func(v *Verdict) UpstreamKey { return v.Upstream })
	pins := byUpstream(b, b.in.Pins, func(p **Pin) UpstreamKey { return (*p).upstream() })
	before := make([]*EffectiveUpstream, len(b.in.Upstreams))
	if b.in.Before != nil {
		for _, u := range b.in.Before.Upstreams {
			if i, ok := b.place[u.Key]; ok {
				before[i] = u
			}
		}
	}
	b.upstreams = make([]*EffectiveUpstream, len(b.in.Upstreams))
	for i, u := range b.in.Upstreams {
		if b.place[u.Key()] != i {
			continue // it stands twice, and the last one counts
		}
		if b.tenants[u.Tenant] == nil {
			b.reportOrphan(&u.Meta)
			continue
		}
		b.upstreams[i] = buildUpstream(u, sets[i], pins[i], verdicts[i], b.denied, before[i])
	}
}

// checkPins reports pins that belong to no upstream.
func (b *builder) checkPins() {
	for _, p := range b.in.Pins {
		switch {
		case b.tenants[p.Tenant] == nil:
			b.reportOrphan(&p.Meta)
		case b.upstream(p.upstream()) == nil:
			b.report(Problem{Object: p.Ref(), Field: "spec.upstream", Code: "upstream_unknown",
				Message: "Tenant " + quote(p.Tenant) + " has no upstream " + quote(p.Spec.Upstream) + ", so the pin does nothing: correct the name or delete the pin."})
		}
	}
}

// upstream returns the upstream of that key, or nil.
func (b *builder) upstream(k UpstreamKey) *EffectiveUpstream {
	i, ok := b.place[k]
	if !ok {
		return nil
	}
	return b.upstreams[i]
}

// byUpstream gives each upstream its items, in the order in which they come. All of them are
// in one array: with many upstreams, a list for each would be most of a build's garbage.
func byUpstream[E any](b *builder, items []E, key func(*E) UpstreamKey) [][]E {
	lists := make([][]E, len(b.in.Upstreams))
	places := make([]int, len(items))
	counts := make([]int, len(lists))
	for n := range items {
		places[n] = -1 // of no upstream
		if i, ok := b.place[key(&items[n])]; ok {
			places[n] = i
			counts[i]++
		}
	}
	room := make([]E, len(items))
	for i, n := range counts {
		lists[i], room = room[:0:n], room[n:]
	}
	for n, i := range places {
		if i >= 0 {
			lists[i] = append(lists[i], items[n])
		}
	}
	return lists
}

func (b *builder) reportOrphan(m *Meta) {
	b.report(Problem{Object: m.Ref(), Field: "tenant", Code: "tenant_unknown",
		Message: "There is no tenant " + quote(m.Tenant) + ", so this object is left out: create the Tenant first."})
}

func (b *builder) snapshot(generation uint64) *Snapshot {
	s := &Snapshot{
		Generation:      generation,
		Tenants:         sortedByName(b.in.Tenants),
		Fleets:          sortedByName(b.in.Fleets),
		Allowances:      sortedByName(b.in.Allowances),
		NginxDirectives: b.limits.nginx,
		Streams:         b.streams,
		Certificates:    sortedCertificates(b.certs),
		Next:            b.next,
		denied:          b.denied,
		Hosts:           make([]*Host, 0, len(b.hosts)),
		Upstreams:       make([]*EffectiveUpstream, 0, len(b.upstreams)),
		otherProblems:   b.problems,
	}
	for _, h := range b.hosts {
		s.Hosts = append(s.Hosts, h)
	}
	slices.SortFunc(s.Hosts, compareHosts)
	if before := b.in.Before; before != nil {
		share(s.Hosts, before.Hosts, compareHosts, (*Host).alike)
		share(s.Certificates, before.Certificates, compareCertificates, (*EffectiveCertificate).alike)
	}
	for _, h := range s.Hosts {
		if h.digest == (digest{}) { // it is new
			h.digest = digestOf(h)
		}
	}
	for _, u := range b.upstreams {
		if u != nil {
			s.Upstreams = append(s.Upstreams, u)
		}
	}
	slices.SortFunc(s.Upstreams, func(x, y *EffectiveUpstream) int { return x.Key.Compare(y.Key) })
	s.otherDigest = s.digestOthers()
	s.sumUp(func(int) bool { return true })
	return s
}

func sortedByName[O Object](objects []O) []O {
	return slices.SortedFunc(slices.Values(objects), func(x, y O) int { return x.Head().Ref().Compare(y.Head().Ref()) })
}

// digestOthers covers everything but the upstreams. What the server adds to objects
// (revisions, authors, times) stays out: it changes nothing that a node does.
func (s *Snapshot) digestOthers() digest {
	type part struct {
		Kind Kind
		Name string
		Spec any
	}
	var parts []part
	for _, t := range s.Tenants {
		parts = append(parts, part{KindTenant, t.Name, t.Spec})
	}
	for _, f := range s.Fleets {
		parts = append(parts, part{KindFleet, f.Name, f.Spec})
	}
	hosts := sha256.New()
	for _, h := range s.Hosts {
		hosts.Write(h.digest[:])
	}
	for _, c := range s.Certificates {
		parts = append(parts, part{KindCertificate, c.Key.String(), digestOf(c).String()})
	}
	for _, st := range s.Streams {
		parts = append(parts, part{KindStream, st.Name, st})
	}
	return digestOf([]any{parts, digest(hosts.Sum(nil)).String(), s.NginxDirectives})
}

// Replacement is everything that decides one upstream.
type Replacement struct {
	Upstream *Upstream
	Sets     []EndpointSet
	Pins     []*Pin
	Verdicts []Verdict
}

// ReplaceUpstreams is the shortcut for what changes most: the endpoints, the verdicts or the
// spec of a few upstreams. It shares everything else with prev, and equals what Build would
// give for the same inputs. An upstream that prev does not have (its tenant is unknown)
// changes nothing.
func ReplaceUpstreams(prev *Snapshot, replacements []Replacement, generation uint64) *Snapshot {
	next := *prev
	next.Generation = generation
	next.Upstreams = slices.Clone(prev.Upstreams)
	touched := map[int]bool{} // runs
	for _, r := range replacements {
		i, ok := slices.BinarySearchFunc(prev.Upstreams, r.Upstream.Key(), func(e *EffectiveUpstream, k UpstreamKey) int { return e.Key.Compare(k) })
		if ok {
			next.Upstreams[i] = buildUpstream(r.Upstream, r.Sets, r.Pins, r.Verdicts, prev.denied, prev.Upstreams[i])
			touched[i/runLength] = true
		}
	}
	next.sumUp(func(run int) bool { return touched[run] })
	return &next
}
