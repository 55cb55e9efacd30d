package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// gate counts the calls that are inside etcd and refuses new ones once it is shut. The
// embedded etcd needs it: after its end a watch stays silent for ever and some calls
// panic, so everyone has to be out before.
type gate struct {
	// long is done as soon as the gate is shut: watches and lease keep-alives end.
	long     context.Context
	endLong  context.CancelFunc
	short    context.Context // done when calls in flight have used up their grace
	endShort context.CancelFunc

	before func() // every call
	crew   crew

	mu     sync.Mutex
	reason error // set when shut
	inside sync.WaitGroup
}

func newGate(before func()) *gate {
	g := &gate{before: before}
	g.long, g.endLong = context.WithCancel(context.Background())
	g.short, g.endShort = context.WithCancel(context.Background())
	return g
}

// enter lets one call in. The caller uses the context that it gets, and leaves at the end.
func (g *gate) enter(ctx context.Context) (_ context.Context, leave func(), _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason != nil {
		return nil, nil, g.reason
	}
	g.inside.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.short, cancel)
	return ctx, func() { stop(); cancel(); g.inside.Done() }, nil
}

// follow gives a context for a watch or keep-alive: it ends with ctx or with the gate.
func (g *gate) follow(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.long, cancel)
	context.AfterFunc(ctx, func() { stop() })
	return ctx
}

// shut refuses new calls with reason, ends watches, and gives calls inside the grace to
// finish before their contexts end. The first reason stays. It returns when all are out,
// or a second after the grace.
func (g *gate) shut(reason error, grace time.Duration) {
	g.mu.Lock()
	if g.reason == nil {
		g.reason = reason
	}
	g.mu.Unlock()
	g.crew.dismiss()
	g.endLong()
	if g.short.Err() != nil {
		grace = 0 // shut before, because etcd gave up: nobody inside will finish
	}
	timer := time.AfterFunc(grace, g.endShort)
	defer timer.Stop()
	defer g.endShort()
	out := make(chan struct{})
	go func() { g.inside.Wait(); close(out) }()
	select {
	case <-out:
	case <-time.After(grace + time.Second):
	}
}

// err is the reason for which the gate is shut, or nil.
func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// closed says whether the gate was shut by Close, and not because etcd gave up.
func (g *gate) closed() bool { return errors.Is(g.err(), ErrClosed) }

// through runs one call inside the gate. The call has a goroutine of its own, because an
// embedded etcd that gave up, on a full disk for example, may hold its locks for ever: the
// caller goes home when its time is up or the gate is shut, whatever etcd does.
func through[T any](ctx context.Context, g *gate, call func(context.Context) (T, error)) (T, error) {
	inner, leave, err := g.enter(ctx)
	if err != nil {
		var none T
		return none, err
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	g.before()
	g.crew.run(func() {
		defer leave()
		var r result
		r.value, r.err = call(inner)
		done <- r
	})
	var r result
	select {
	case r = <-done:
	case <-inner.Done():
		select {
		case r = <-done: // it ended as well, and its own leave ended inner
		default:
			r.err = inner.Err()
		}
	}
	if reason := g.err(); r.err != nil && reason != nil && ctx.Err() == nil {
		r.err = reason // rather than the cancellation that follows from it
	}
	return r.value, r.err
}
