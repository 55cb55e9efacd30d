package kubernetes

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// run is the state of one Run, owned by its loop.
type run struct {
	*Source
	out    chan<- gateway.EndpointSet
	store  *store
	wanted map[types.NamespacedName]map[gateway.SetKey]*order
}

// order is one want and what was sent for it; nil before the first set.
type order struct {
	ref  gateway.KubernetesDiscover
	sent *content
}

// want takes a new list. Wants that stay keep what was sent for them.
func (r *run) want(ctx context.Context, list []discovery.Want) {
	r.update(func(st *discovery.SourceStatus) { st.Wants = len(list) })
	before := r.wanted
	r.wanted = make(map[types.NamespacedName]map[gateway.SetKey]*order, len(list))
	for _, w := range list {
		if w.Ref.Kubernetes == nil {
			continue // not ours: the manager sorts by source
		}
		ref := *w.Ref.Kubernetes
		of := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Service}
		if r.wanted[of] == nil {
			r.wanted[of] = map[gateway.SetKey]*order{}
		}
		f := before[of][w.Key]
		if f == nil {
			f = &order{ref: ref}
		}
		r.wanted[of][w.Key] = f
	}
	for of, orders := range r.wanted {
		for key, f := range orders {
			if f.sent == nil {
				r.sendOne(ctx, of, key, f)
			}
		}
	}
}

// send sends the sets of the Services that have changed.
func (r *run) send(ctx context.Context) {
	all, dirty := r.store.take()
	if all {
		r.sendAll(ctx)
		return
	}
	for of := range dirty {
		for key, f := range r.wanted[of] {
			r.sendOne(ctx, of, key, f)
		}
	}
}

func (r *run) sendAll(ctx context.Context) {
	for of, orders := range r.wanted {
		for key, f := range orders {
			r.sendOne(ctx, of, key, f)
		}
	}
}

// sendOne sends a set unless it is the one that was sent before.
func (r *run) sendOne(ctx context.Context, of types.NamespacedName, key gateway.SetKey, f *order) {
	list, ok := r.store.get(of)
	if !ok {
		return // not known yet, which is not the same as empty
	}
	c := translate(f.ref, list)
	if f.sent != nil && f.sent.equal(c) {
		return
	}
	set := gateway.EndpointSet{SetKey: key, Endpoints: slices.Clone(c.endpoints), Problems: slices.Clone(c.problems), Out: slices.Clone(c.out)}
	select {
	case r.out <- set:
		f.sent = &c
	case <-ctx.Done():
	}
}
