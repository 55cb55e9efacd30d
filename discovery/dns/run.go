package dns

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// run is the state of one Run, owned by its loop.
type run struct {
	*Source
	out       chan<- gateway.EndpointSet
	followers map[question]*follower
	news      chan news
	running   *sync.WaitGroup
}

// want starts and stops followers so that they match the list.
func (r *run) want(ctx context.Context, list []discovery.Want) {
	r.health.wants(len(list))
	wanted := map[question]map[gateway.SetKey]bool{}
	var order []question
	for _, w := range list {
		if w.Ref.DNS == nil {
			continue // not ours: the manager sorts by source
		}
		q := questionOf(*w.Ref.DNS)
		if wanted[q] == nil {
			wanted[q] = map[gateway.SetKey]bool{}
			order = append(order, q)
		}
		wanted[q][w.Key] = true
	}
	for q, f := range r.followers {
		if wanted[q] == nil {
			f.cancel()
			r.health.forget(q)
			delete(r.followers, q)
		}
	}
	for _, q := range order {
		r.follow(ctx, q, wanted[q])
	}
}

// follow has a follower for the question, and sends what is known to wants that are new.
func (r *run) follow(ctx context.Context, q question, wants map[gateway.SetKey]bool) {
	f := r.followers[q]
	if f == nil {
		f = r.start(ctx, q)
	}
	before := f.wants
	f.wants = wants
	if f.known == nil {
		return
	}
	for key := range wants {
		if !before[key] {
			r.send(ctx, key, *f.known)
		}
	}
}

func (r *run) start(ctx context.Context, q question) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{question: q, cancel: cancel}
	r.followers[q] = f
	tell := func(n news) {
		select {
		case r.news <- n:
		case <-ctx.Done():
		}
	}
	r.running.Go(func() { f.run(ctx, r.Source, tell) })
	return f
}

// told sends what a name stands for now, unless that is what it stood for before.
func (r *run) told(ctx context.Context, n news) {
	f := n.from
	if r.followers[f.question] != f {
		return // the last words of one that was stopped
	}
	if r.health.question(f.question, n.err) {
		r.cfg.Log.Warn("name cannot be looked up", "source", r.Name(), "name", f.question.String(), "error", n.err)
	}
	if n.found == nil {
		return
	}
	r.health.event(time.Now())
	if f.known != nil && f.known.same(*n.found) {
		return
	}
	f.known = n.found
	for key := range f.wants {
		r.send(ctx, key, *n.found)
	}
}

func (f finding) same(o finding) bool {
	return f.absence == o.absence && slices.Equal(f.endpoints, o.endpoints) && slices.Equal(f.problems, o.problems)
}

func (r *run) send(ctx context.Context, key gateway.SetKey, f finding) {
	set := gateway.EndpointSet{SetKey: key, Endpoints: slices.Clone(f.endpoints), Problems: slices.Clone(f.problems), Absence: f.absence}
	if set.Endpoints == nil {
		set.Endpoints = []gateway.SourceEndpoint{}
	}
	select {
	case r.out <- set:
	case <-ctx.Done():
	}
}
