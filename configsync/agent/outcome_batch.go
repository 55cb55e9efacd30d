package agent

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// batch sums up outcomes until it is taken.
type batch struct {
	mu     sync.Mutex
	of     map[batchKey]*protocol.EndpointOutcomes // guarded by mu
	total  int                                     // guarded by mu
	missed uint64                                  // guarded by mu; for which there was no room
	// answers are guarded by mu; by server.
	answers map[string]*protocol.Answers
}

// answer counts what a client got. Servers for which a batch has no room are left out.
func (b *batch) answer(a answered) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.answers[a.server]
	if one == nil {
		if len(b.answers) == protocol.MaxServers {
			return
		}
		if b.answers == nil {
			b.answers = map[string]*protocol.Answers{}
		}
		one = &protocol.Answers{Server: a.server}
		b.answers[a.server] = one
	}
	one.Count++
	if a.failed {
		one.Errors++
	}
}

type batchKey struct{ upstream, address string }

// add counts an outcome. Those for which a batch has no room are left out: they would say the
// same as the thousands before.
func (b *batch) add(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := batchKey{o.upstream, o.address}
	e := b.of[k]
	if b.total == protocol.MaxOutcomes || e == nil && len(b.of) == protocol.MaxEndpoints {
		b.missed++
		return
	}
	if e == nil {
		if b.of == nil {
			b.of = map[batchKey]*protocol.EndpointOutcomes{}
		}
		e = &protocol.EndpointOutcomes{Upstream: o.upstream, Address: o.address}
		b.of[k] = e
	}
	b.total++
	r := runFor(e, o)
	r.Count++
	r.Seconds += o.latency.Seconds()
}

// runFor is the run that the outcome belongs to: the last one, if that is of its kind, or a new
// one. When there are too many, the order is given up before the numbers are.
func runFor(e *protocol.EndpointOutcomes, o outcome) *protocol.Run {
	alike := func(r protocol.Run) bool { return r.Status == o.status && r.Failure == o.failure }
	if n := len(e.Runs); n > 0 && alike(e.Runs[n-1]) {
		return &e.Runs[n-1]
	}
	if len(e.Runs) >= protocol.MaxRuns {
		if i := slices.IndexFunc(e.Runs, alike); i >= 0 {
			return &e.Runs[i]
		}
	}
	e.Runs = append(e.Runs, protocol.Run{Status: o.status, Failure: o.failure})
	return &e.Runs[len(e.Runs)-1]
}

// take empties the batch.
func (b *batch) take() (out protocol.Outcomes, missed uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.of {
		out.Endpoints = append(out.Endpoints, *e)
	}
	slices.SortFunc(out.Endpoints, func(x, y protocol.EndpointOutcomes) int {
		return cmp.Or(cmp.Compare(x.Upstream, y.Upstream), cmp.Compare(x.Address, y.Address))
	})
	for _, name := range slices.Sorted(maps.Keys(b.answers)) {
		out.Answers = append(out.Answers, *b.answers[name])
	}
	missed = b.missed
	b.of, b.total, b.missed, b.answers = nil, 0, 0, nil
	return out, missed
}
