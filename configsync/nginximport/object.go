package nginximport

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// paired brings together what nginx has in two locations and Sluice in one path: "= /api" and
// "/api/" are prefix "/api" when they do the same.
func (m *importer) paired(list []*draft) []*draft {
	same := func(a, b *draft) bool {
		return reflect.DeepEqual(a.spec, b.spec) && slices.Equal(a.overrides, b.overrides) && a.name == b.name
	}
	byPath := map[gateway.PathMatch]*draft{}
	for _, d := range list {
		byPath[d.path] = d
	}
	find := func(p gateway.PathMatch) *draft { return byPath[p] }
	gone := map[*draft]bool{}
	for _, d := range list {
		bare, slash := strings.CutSuffix(d.path.Prefix, "/")
		switch {
		case d.path.Exact != "" || d.path.Prefix == "/":
		case slash:
			exact, open := find(gateway.PathMatch{Exact: bare}), find(gateway.PathMatch{Prefix: bare})
			switch {
			case exact != nil && same(exact, d):
				gone[exact] = true
			case exact == nil && open == nil && !d.closed && d.answers() == nil:
				m.note(Differs, d.at, "it takes "+bare+", too, which nginx answered with a redirect to "+d.path.Prefix, "")
			case open != nil && !same(open, d):
				m.note(Differs, open.at, "one prefix can't be two routes, so "+d.path.Prefix+" counts for "+bare+" as well", byHand)
			}
			if open != nil {
				gone[open] = true
			}
		case find(gateway.PathMatch{Prefix: d.path.Prefix + "/"}) == nil && !d.closed:
			m.note(Differs, d.at, "it takes whole segments: "+d.path.Prefix+" and "+d.path.Prefix+"/..., and not "+d.path.Prefix+"more", "")
		}
	}
	return slices.DeleteFunc(list, func(d *draft) bool { return gone[d] })
}

// take gives the drafts of a server their places. Of two for one place the one that refuses more
// counts, since what it guards may have been meant for others than the rest; else the first.
func (m *importer) take(list []*draft) {
	for _, d := range list {
		if d.path.Prefix != "/" {
			d.path.Prefix = strings.TrimSuffix(d.path.Prefix, "/")
		}
		if d.path == (gateway.PathMatch{}) {
			d.path.Prefix = "/"
		}
		if d.nothing {
			continue
		}
		var hosts []string
		for _, h := range d.hosts {
			at := gatewayPlace{h, d.path}
			first := m.taken[at]
			switch {
			case first == nil:
			case reflect.DeepEqual(first.spec, d.spec):
				continue
			case !first.closed && d.closed, len(first.spec.Filters) < len(d.spec.Filters):
				m.twice(first, d, h)
				first.hosts = slices.DeleteFunc(slices.Clone(first.hosts), func(o string) bool { return o == h })
			default:
				m.twice(d, first, h)
				continue
			}
			m.taken[at] = d
			hosts = append(hosts, h)
		}
		if d.hosts = hosts; len(hosts) > 0 {
			m.drafts = append(m.drafts, d)
		}
	}
}

// twice notes that one place of a host can't be two routes.
func (m *importer) twice(lost, kept *draft, host string) {
	m.note(Differs, lost.at, fmt.Sprintf("%s on host %s is that of %s:%d, since routes do not tell ports and schemes apart", lost.path, host, kept.at.file, kept.at.Line()), byHand)
}

// objects are what was found, in the order in which it is applied.
func (m *importer) objects() []gateway.Object {
	m.secure()
	for _, d := range m.drafts {
		if slices.Contains(d.hosts, "*") {
			m.hosts["*"] = true // with a route only: it would take what others may claim
		}
	}
	tenant := &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: m.options.Tenant},
		Spec: gateway.TenantSpec{Hosts: slices.Sorted(maps.Keys(m.hosts)), Fleets: m.options.Fleets}}
	out := []gateway.Object{tenant}
	for _, u := range m.ordered {
		out = append(out, u.Upstream)
		for _, p := range u.pins {
			out = append(out, p)
		}
	}
	m.report.Upstreams = len(m.ordered)
	routes := m.routes()
	m.report.Routes = len(routes)
	policy, overrides := m.overrideObjects()
	if policy != nil {
		out = slices.Insert(out, 0, gateway.Object(policy))
	}
	for _, r := range routes {
		out = append(out, r)
	}
	return append(out, overrides...)
}

// routes are the drafts with names. Those that differ in nothing but host or path, and were
// rendered from one Route, are one again.
func (m *importer) routes() (out []*gateway.Route) {
	byName := map[string]*gateway.Route{}
	for _, d := range m.drafts {
		if len(d.hosts) == 0 {
			continue
		}
		r := &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: m.options.Tenant}, Spec: d.spec}
		r.Spec.Hosts = d.hosts
		if d.path.Prefix != "/" {
			r.Spec.Match = []gateway.Match{{Path: d.path}}
		}
		if first := byName[d.name]; d.name != "" && first != nil && m.joined(first, r) {
			d.name = first.Name
			d.overrides = nil
			continue
		}
		given := d.name
		if d.name == "" {
			d.name = leading(d.hosts) + d.path.Prefix + d.path.Exact
		}
		d.name = m.name(gateway.KindRoute, d.name)
		r.Name = d.name
		if given != "" {
			byName[given] = r
		}
		if d.closed {
			m.report.Closed++
		}
		out = append(out, r)
	}
	return out
}

// leading is the host that a route is called after: a name rather than a wildcard.
func leading(hosts []string) string {
	for _, h := range hosts {
		if !strings.HasPrefix(h, "*") {
			return h
		}
	}
	return hosts[0]
}

// joined adds the hosts or the paths of one rendered route to what was found of it before.
func (m *importer) joined(first, r *gateway.Route) bool {
	a, b := first.Spec, r.Spec
	hosts, match := a.Hosts, a.Match
	a.Hosts, a.Match, b.Hosts, b.Match = nil, nil, nil, nil
	if !reflect.DeepEqual(a, b) {
		return false
	}
	for _, h := range r.Spec.Hosts {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	ofRoute := func(list []gateway.Match) []gateway.Match {
		if len(list) == 0 {
			return []gateway.Match{{Path: gateway.PathMatch{Prefix: "/"}}}
		}
		return list
	}
	for _, x := range ofRoute(r.Spec.Match) {
		if !slices.ContainsFunc(ofRoute(match), func(o gateway.Match) bool { return reflect.DeepEqual(o, x) }) {
			match = append(ofRoute(match), x)
		}
	}
	first.Spec.Hosts, first.Spec.Match = hosts, match
	return true
}

// check lets Build judge what came out, so that nothing is a surprise when it is applied.
func (m *importer) check(objects []gateway.Object) {
	for _, p := range gateway.Build(inputs(objects), 1).Problems {
		m.report.Notes = append(m.report.Notes, Note{Kind: Problem, Text: p.Object.String(), Why: strings.TrimSuffix(p.Message, "."), Do: ""})
	}
}

func inputs(objects []gateway.Object) (in gateway.Inputs) {
	for _, o := range objects {
		switch o := o.(type) {
		case *gateway.Tenant:
			in.Tenants = append(in.Tenants, o)
		case *gateway.Upstream:
			in.Upstreams = append(in.Upstreams, o)
			in.Sets = append(in.Sets, manual(o))
		case *gateway.Route:
			in.Routes = append(in.Routes, o)
		case *gateway.Pin:
			in.Pins = append(in.Pins, o)
		case *gateway.Override:
			in.Overrides = append(in.Overrides, o)
		case *gateway.Policy:
			in.Policies = append(in.Policies, o)
		}
	}
	for _, t := range in.Tenants {
		for _, f := range t.Spec.Fleets {
			in.Fleets = append(in.Fleets, &gateway.Fleet{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: f}})
		}
	}
	return in
}

// manual is what the source of endpoints by hand reports for an upstream.
func manual(u *gateway.Upstream) gateway.EndpointSet {
	set := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: u.Key(), Source: gateway.SourceManual}}
	for _, e := range u.Spec.Endpoints {
		weight := 1
		if e.Weight != nil {
			weight = *e.Weight
		}
		set.Endpoints = append(set.Endpoints, gateway.SourceEndpoint{Address: e.Address, Weight: weight, Priority: e.Priority, Fails: e.Fails.Filled()})
	}
	return set
}
