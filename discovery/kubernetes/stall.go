package kubernetes

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// OpenWatch opens a watch, which has to be answered within limit, and stops it once it has
// said nothing for as long: a watch over a dead connection, or of a server that forgot it, is
// as silent as one of a quiet cluster. API servers send a bookmark every minute, so that a
// limit of several minutes tells them apart. silent is called when a watch is stopped for it.
// Who reads the watch opens another one then.
func OpenWatch(ctx context.Context, limit time.Duration, open func(context.Context) (watch.Interface, error), silent func()) (watch.Interface, error) {
	w, err := openWithin(ctx, limit, open)
	if err != nil {
		return nil, err
	}
	return renewSilent(w, limit, silent), nil
}

// renewSilent returns w, stopped once it has said nothing for limit.
func renewSilent(w watch.Interface, limit time.Duration, silent func()) watch.Interface {
	v := &vigil{Interface: w, out: make(chan watch.Event), stopped: make(chan struct{})}
	go v.pass(limit, silent)
	return v
}

// vigil passes on the events of a watch. Its goroutine ends when the watch does or when it is
// stopped, and stops the watch.
type vigil struct {
	watch.Interface
	out     chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// ResultChan implements [watch.Interface].
func (v *vigil) ResultChan() <-chan watch.Event { return v.out }

// Stop implements [watch.Interface].
func (v *vigil) Stop() { v.stop.Do(func() { close(v.stopped) }) }

func (v *vigil) pass(limit time.Duration, silent func()) {
	defer close(v.out)
	defer v.drain()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		// What can happen: the watch has news or has ended; it has been silent for too long;
		// nobody wants it any more.
		select {
		case e, ok := <-v.Interface.ResultChan():
			if !ok {
				return
			}
			select {
			case v.out <- e:
			case <-v.stopped:
				return
			}
			timer.Reset(limit)
		case <-timer.C:
			v.Interface.Stop() // first, so that silent finds the connection idle
			silent()
			return
		case <-v.stopped:
			return
		}
	}
}

// drain stops the watch and takes what it still has to say, so that it can end.
func (v *vigil) drain() {
	v.Interface.Stop()
	for range v.Interface.ResultChan() {
		continue
	}
}

// openWithin opens a watch, which has to be answered within limit. Its context ends with the
// watch.
func openWithin(ctx context.Context, limit time.Duration, open func(context.Context) (watch.Interface, error)) (watch.Interface, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(limit, cancel)
	w, err := open(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	if !late.Stop() {
		w.Stop()
		return nil, context.DeadlineExceeded
	}
	return &opened{Interface: w, cancel: cancel}, nil
}

// opened ends the context of its watch's request when it is stopped.
type opened struct {
	watch.Interface
	cancel context.CancelFunc
}

func (o *opened) Stop() {
	o.Interface.Stop()
	o.cancel()
}
