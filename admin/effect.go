package admin

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// effect says how two snapshots differ.
func effect(before, after *gateway.Snapshot) api.Effect {
	e := api.Effect{
		DigestBefore: before.Digest, DigestAfter: after.Digest,
		Hosts: []api.HostChange{}, Upstreams: []api.UpstreamChange{},
		ProblemsAdded: without(after.Problems, before.Problems),
		ProblemsFixed: without(before.Problems, after.Problems),
	}
	changed(before.Hosts, after.Hosts, compareHosts, func(old, new *gateway.Host) {
		e.Hosts = append(e.Hosts, api.HostChange{Host: either(old, new).Name, Change: difference(old == nil, new == nil)})
	})
	changed(before.Upstreams, after.Upstreams, compareUpstreams, func(old, new *gateway.EffectiveUpstream) {
		was, is := addresses(old), addresses(new)
		e.Upstreams = append(e.Upstreams, api.UpstreamChange{
			Upstream: either(old, new).Key, Change: difference(old == nil, new == nil),
			EndpointsAdded: minus(is, was), EndpointsRemoved: minus(was, is),
		})
	})
	return e
}

// changed walks two sorted lists and visits what differs; old or new is nil when it is in
// one list only. Snapshots share what did not change, so most pairs are one pointer.
func changed[T any](before, after []*T, compare func(a, b *T) int, visit func(old, new *T)) {
	for len(before) > 0 || len(after) > 0 {
		var order int
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = compare(before[0], after[0])
		}
		switch {
		case order < 0:
			visit(before[0], nil)
			before = before[1:]
		case order > 0:
			visit(nil, after[0])
			after = after[1:]
		default:
			if before[0] != after[0] && !reflect.DeepEqual(before[0], after[0]) {
				visit(before[0], after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
}

func compareHosts(a, b *gateway.Host) int { return cmp.Compare(a.Name, b.Name) }

func compareUpstreams(a, b *gateway.EffectiveUpstream) int { return a.Key.Compare(b.Key) }

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func difference(isNew, isGone bool) api.Difference {
	switch {
	case isNew:
		return api.Added
	case isGone:
		return api.Removed
	}
	return api.Changed
}

func addresses(u *gateway.EffectiveUpstream) []string {
	list := []string{}
	if u != nil {
		for _, e := range u.Endpoints {
			list = append(list, e.Address)
		}
	}
	return list
}

// minus is what is in a and not in b.
func minus(a, b []string) []string {
	out := []string{}
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

// without is what is in a and not in b.
func without(a, b []gateway.Problem) []gateway.Problem {
	in := make(map[gateway.Problem]bool, len(b))
	for _, p := range b {
		in[p] = true
	}
	out := []gateway.Problem{}
	for _, p := range a {
		if !in[p] {
			out = append(out, p)
		}
	}
	return out
}
