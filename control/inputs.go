package control

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// inputs is everything that the loop decides from, keyed for single changes. Objects are
// never changed in place: a change puts another pointer.
type inputs struct {
	objects  map[gateway.Ref]gateway.Object
	sets     map[gateway.UpstreamKey]map[gateway.SetKey]gateway.EndpointSet
	verdicts map[gateway.UpstreamKey]map[string]gateway.Verdict
	// pinned are the pins in force, as of the last call of gateway: a pin that is written or
	// that expires is decided with everything else.
	pinned map[gateway.UpstreamKey][]*gateway.Pin
}

func newInputs() *inputs {
	return &inputs{
		objects:  map[gateway.Ref]gateway.Object{},
		sets:     map[gateway.UpstreamKey]map[gateway.SetKey]gateway.EndpointSet{},
		verdicts: map[gateway.UpstreamKey]map[string]gateway.Verdict{},
	}
}

// change puts or deletes one object and says whether only the upstream of that name is
// touched by it.
func (in *inputs) change(c gateway.Change) (only gateway.UpstreamKey, ok bool) {
	old := in.objects[c.Ref]
	if c.Object == nil {
		delete(in.objects, c.Ref)
		return gateway.UpstreamKey{}, false
	}
	in.objects[c.Ref] = c.Object
	u, isUpstream := c.Object.(*gateway.Upstream)
	if !isUpstream || old == nil {
		return gateway.UpstreamKey{}, false
	}
	return u.Key(), true
}

// setEndpoints keeps a set and says whether it differs from the one before.
func (in *inputs) setEndpoints(s gateway.EndpointSet) bool {
	of := in.sets[s.Upstream]
	if of == nil {
		of = map[gateway.SetKey]gateway.EndpointSet{}
		in.sets[s.Upstream] = of
	}
	old, had := of[s.SetKey]
	of[s.SetKey] = s
	return !had || !reflect.DeepEqual(old, s)
}

// setVerdict keeps a verdict; one that says nothing is forgotten.
func (in *inputs) setVerdict(v gateway.Verdict) {
	of := in.verdicts[v.Upstream]
	if v.State == gateway.StateUnknown {
		delete(of, v.Address)
		if len(of) == 0 {
			delete(in.verdicts, v.Upstream)
		}
		return
	}
	if of == nil {
		of = map[string]gateway.Verdict{}
		in.verdicts[v.Upstream] = of
	}
	of[v.Address] = v
}

// prune forgets what was observed for upstreams that are gone.
func (in *inputs) prune() {
	gone := func(k gateway.UpstreamKey) bool {
		return in.objects[gateway.Ref{Kind: gateway.KindUpstream, Tenant: k.Tenant, Name: k.Name}] == nil
	}
	maps.DeleteFunc(in.sets, func(k gateway.UpstreamKey, _ map[gateway.SetKey]gateway.EndpointSet) bool { return gone(k) })
	maps.DeleteFunc(in.verdicts, func(k gateway.UpstreamKey, _ map[string]gateway.Verdict) bool { return gone(k) })
}

// clone copies the maps of objects; observed maps are shared, so the clone is for reading
// them under the same lock.
func (in *inputs) clone() *inputs {
	return &inputs{objects: maps.Clone(in.objects), sets: in.sets, verdicts: in.verdicts, pinned: in.pinned}
}

// gateway gives the inputs in the form that Build takes, without overrides that have
// expired at now, and tells when the next override will.
func (in *inputs) gateway(static func([]*gateway.Upstream) []gateway.EndpointSet, now time.Time) (out gateway.Inputs, nextExpiry time.Time) {
	in.pinned = map[gateway.UpstreamKey][]*gateway.Pin{}
	for _, o := range in.objects {
		switch o := o.(type) {
		case *gateway.Tenant:
			out.Tenants = append(out.Tenants, o)
		case *gateway.Upstream:
			out.Upstreams = append(out.Upstreams, o)
		case *gateway.Route:
			out.Routes = append(out.Routes, o)
		case *gateway.Policy:
			out.Policies = append(out.Policies, o)
		case *gateway.Fleet:
			out.Fleets = append(out.Fleets, o)
		case *gateway.Certificate:
			out.Certificates = append(out.Certificates, o)
		case *gateway.Override:
			if lasts(o.Spec.Expires, now, &nextExpiry) {
				out.Overrides = append(out.Overrides, o)
			}
		case *gateway.Allowance:
			if lasts(o.Spec.Until, now, &nextExpiry) {
				out.Allowances = append(out.Allowances, o)
			}
		case *gateway.Stream:
			out.Streams = append(out.Streams, o)
		case *gateway.Pin:
			if lasts(o.Spec.Expires, now, &nextExpiry) {
				out.Pins = append(out.Pins, o)
				k := gateway.UpstreamKey{Tenant: o.Tenant, Name: o.Spec.Upstream}
				in.pinned[k] = append(in.pinned[k], o)
			}
		}
	}
	out.Sets = static(out.Upstreams)
	for _, of := range in.sets {
		out.Sets = slices.AppendSeq(out.Sets, maps.Values(of))
	}
	for _, of := range in.verdicts {
		out.Verdicts = slices.AppendSeq(out.Verdicts, maps.Values(of))
	}
	return out, nextExpiry
}

// lasts says whether what expires at that time (zero: never) is in force now, and notes the
// time if it is the next one.
func lasts(expires, now time.Time, next *time.Time) bool {
	if !expires.IsZero() && expires.After(now) && (next.IsZero() || expires.Before(*next)) {
		*next = expires
	}
	return expires.IsZero() || expires.After(now)
}

// replacements gives what decides the upstreams, those that there are.
func (in *inputs) replacements(static func([]*gateway.Upstream) []gateway.EndpointSet, keys map[gateway.UpstreamKey]bool) (out []gateway.Replacement) {
	for k := range keys {
		if r, ok := in.replacement(static, k); ok {
			r.Pins = in.pinned[k]
			out = append(out, r)
		}
	}
	return out
}

// replacement gives what decides one upstream, or false when there is no such upstream.
func (in *inputs) replacement(static func([]*gateway.Upstream) []gateway.EndpointSet, k gateway.UpstreamKey) (gateway.Replacement, bool) {
	u, ok := in.objects[gateway.Ref{Kind: gateway.KindUpstream, Tenant: k.Tenant, Name: k.Name}].(*gateway.Upstream)
	if !ok {
		return gateway.Replacement{}, false
	}
	sets := static([]*gateway.Upstream{u})
	return gateway.Replacement{
		Upstream: u,
		Sets:     slices.AppendSeq(sets, maps.Values(in.sets[k])),
		Verdicts: slices.Collect(maps.Values(in.verdicts[k])),
	}, true
}
