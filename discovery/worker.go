package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The pause before a failed source is started again: doubled from the first to the longest,
// and back to the first after a run of steadyRun.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 30 * time.Second
	steadyRun    = time.Minute
)

// worker keeps one source running and told.
type worker struct {
	name   string
	source Source
	out    func(gateway.EndpointSet)
	log    *slog.Logger
	told   chan struct{} // one slot: desired has changed

	mu sync.Mutex
	// desired is what the last snapshot asks for; nil before the first one.
	desired []Want
	// followed are the keys in the list that the source took last.
	followed map[gateway.SetKey]bool
	// last is the newest set of each followed key.
	last map[gateway.SetKey]gateway.EndpointSet
	// back are keys that are wanted anew. When one comes back before the source has seen
	// it go, the source owes no first set, and the last one is sent again.
	back []gateway.SetKey
	err  error     // why the source is not running
	down time.Time // since when it is not up; zero while it is
}

func newWorker(name string, source Source, out func(gateway.EndpointSet), log *slog.Logger) *worker {
	return &worker{
		name: name, source: source, out: out, log: log,
		told: make(chan struct{}, 1),
		last: map[gateway.SetKey]gateway.EndpointSet{},
	}
}

// want replaces what the source should follow.
func (w *worker) want(list []Want) {
	if list == nil {
		list = []Want{} // an empty list is news too, before the first one
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.desired != nil && slices.EqualFunc(list, w.desired, func(a, b Want) bool { return a.Key == b.Key }) {
		return
	}
	before := keysOf(w.desired)
	for _, want := range list {
		if !before[want.Key] {
			w.back = append(w.back, want.Key)
		}
	}
	w.desired = list
	select {
	case w.told <- struct{}{}:
	default:
	}
}

// run starts the source, and starts it again after each failure, until ctx ends.
func (w *worker) run(ctx context.Context) {
	pause := firstPause
	for {
		started := time.Now()
		err := w.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("stopped without being asked to")
		}
		if time.Since(started) >= steadyRun {
			pause = firstPause
		}
		w.setErr(err)
		w.log.Error("source failed, starting it again", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longestPause)
		w.setErr(nil)
	}
}

// once runs the source until it returns, and serves both of its channels meanwhile.
func (w *worker) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wants, out, done := make(chan []Want), make(chan gateway.EndpointSet), make(chan error, 1)
	go func() { done <- w.runSource(ctx, wants, out) }()

	list := w.newest()
	for {
		offer := wants
		if list == nil {
			offer = nil // nothing new to tell: this case never fires
		}
		// What can happen: a newer snapshot asks for something else; the source takes the
		// list; the source has a set; the source has returned.
		select {
		case <-w.told:
			list = w.newest()
			w.sendAgain()
		case offer <- list:
			w.taken(list)
			list = nil
		case set := <-out:
			w.deliver(set)
		case err := <-done:
			return err
		}
	}
}

// runSource turns a panic of the source into an error: one broken source must not stop
// the proxy.
func (w *worker) runSource(ctx context.Context, wants <-chan []Want, out chan<- gateway.EndpointSet) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.source.Run(ctx, wants, out)
}

// sendAgain sends the last sets of wants that came back.
func (w *worker) sendAgain() {
	w.mu.Lock()
	var sets []gateway.EndpointSet
	for _, key := range w.back {
		if set, ok := w.last[key]; ok {
			sets = append(sets, set)
		}
	}
	w.back = nil
	w.mu.Unlock()
	for _, set := range sets {
		w.out(set)
	}
}

func (w *worker) newest() []Want {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.desired
}

// taken notes that the source owes a fresh set for every key that was not in its list.
func (w *worker) taken(list []Want) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followed = keysOf(list)
	for key := range w.last {
		if !w.followed[key] {
			delete(w.last, key)
		}
	}
}

// deliver hands a set on. A straggler for a want that is gone is dropped.
func (w *worker) deliver(set gateway.EndpointSet) {
	w.mu.Lock()
	wanted := w.followed[set.SetKey]
	if wanted {
		w.last[set.SetKey] = set
	}
	w.mu.Unlock()
	if wanted {
		w.out(set)
	}
}

func (w *worker) setErr(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// note remembers since when the source is not up.
func (w *worker) note(now time.Time) {
	up := w.source.Status().Up
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case up && w.err == nil:
		w.down = time.Time{}
	case w.down.IsZero():
		w.down = now
	}
}

// status is the source's own, corrected by what only the worker knows. copied is when what
// stands in for a source that has said nothing was kept; zero: there is nothing.
func (w *worker) status(copied time.Time) SourceStatus {
	s := w.source.Status()
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Name, s.Wants = w.name, len(w.desired)
	for _, want := range w.desired {
		if _, ok := w.last[want.Key]; !ok {
			s.Pending++
		}
	}
	if w.err != nil {
		s.Up, s.Error = false, w.err.Error()
	}
	switch {
	case s.Up || s.Wants == 0:
	case s.Pending < s.Wants:
		s.StaleSince = w.down
	default:
		s.StaleSince, s.Copied = copied, !copied.IsZero()
	}
	return s
}

func keysOf(list []Want) map[gateway.SetKey]bool {
	keys := make(map[gateway.SetKey]bool, len(list))
	for _, want := range list {
		keys[want.Key] = true
	}
	return keys
}
