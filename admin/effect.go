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
	changed(before.Hosts, after.Hosts, compareHosts, func(old, is *gateway.Host) {
		e.Hosts = append(e.Hosts, api.HostChange{Host: either(old, is).Name, Change: difference(old == nil, is == nil)})
	})
	changed(before.Upstreams, after.Upstreams, gateway.CompareUpstreams, func(old, is *gateway.EffectiveUpstream) {
		had, has := addresses(old), addresses(is)
		e.Upstreams = append(e.Upstreams, api.UpstreamChange{
			Upstream: either(old, is).Key, Change: difference(old == nil, is == nil),
			EndpointsAdded: minus(has, had), EndpointsRemoved: minus(had, has),
		})
	})
	return e
}

// changed visits what two lists of snapshots tell differently. Old or is is nil when it is in
// one list only.
func changed[T any](before, after []*T, compare func(a, b *T) int, visit func(old, is *T)) {
	for old, is := range gateway.Differing(before, after, compare) {
		if !reflect.DeepEqual(old, is) {
			visit(old, is)
		}
	}
}

func compareHosts(a, b *gateway.Host) int { return cmp.Compare(a.Name, b.Name) }

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
