package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
)

// settle is how long the writer waits after something has changed: what is wrong for a moment
// only, while a Service follows its Ingress or a tenant is on its way, is not worth an event.
const settle = time.Second

// desired is what the cluster should show.
type desired struct {
	statuses  []ingress.Status
	problems  []ingress.Problem
	ingresses []*networkingv1.Ingress // as the cluster has them
}

// writer writes statuses and events while it holds the Lease. All but wake, and what mu
// guards, belongs to its loop.
type writer struct {
	client    *client
	log       *slog.Logger
	wake      chan struct{} // one slot: what is desired may have changed
	lease     *lease
	addresses []string
	node      string

	wrote map[types.UID]bool     // Ingresses that have got addresses by us
	told  map[eventKey]time.Time // events that stand for what is wrong now
	known map[eventKey]time.Time // events that this process has written, and when it did so last

	mu    sync.Mutex // guards wrong
	wrong string     // why the last pass failed; "" when it did not
}

func newWriter(cfg Config, c *client, log *slog.Logger) *writer {
	name := "sluice-ingress"
	if cfg.Ingress.Class != "" {
		name += "-" + cfg.Ingress.Class
	}
	return &writer{client: c, log: log, wake: make(chan struct{}, 1), addresses: cfg.Ingress.Addresses, node: cfg.Node,
		lease: newLease(c, cfg.LeaseNamespace, name, cfg.Node),
		wrote: map[types.UID]bool{}, told: map[eventKey]time.Time{}, known: map[eventKey]time.Time{}}
}

// trouble is why writing fails, or "".
func (w *writer) trouble() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

// run holds the Lease and writes what is desired until ctx ends.
func (w *writer) run(ctx context.Context, want func() (desired, bool)) {
	defer w.lease.release()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	pending := true
	// Two things wake the writer: it is time to renew the Lease, which also tries again what
	// has failed, and a change, which then has a moment to settle.
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		case <-w.wake:
			pending = true
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
		}
		d, ok := want()
		if !ok {
			continue // nothing to write, so somebody else may hold the Lease
		}
		held, err := w.lease.hold(ctx, time.Now())
		if err != nil {
			w.note(ctx, fmt.Errorf("hold the Lease %s/%s: %w", w.lease.namespace, w.lease.name, err))
			continue
		}
		if !held {
			// Whoever holds it has told what is wrong; after it is gone all of it is looked at anew.
			w.note(ctx, nil)
			clear(w.told)
			pending = true
			continue
		}
		if pending || w.dueAgain(time.Now()) {
			err = errors.Join(w.writeStatuses(ctx, d), w.writeEvents(ctx, d.problems, time.Now()))
			pending = err != nil
		}
		w.note(ctx, err)
	}
}

// note keeps why writing fails, and logs it when that is new.
func (w *writer) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	w.mu.Lock()
	before := w.wrong
	w.wrong = text
	w.mu.Unlock()
	if text != "" && before == "" {
		w.log.Warn("kubernetes status or events not written, trying again", "err", err)
	}
}

// writeStatuses writes the addresses of those Ingresses that have others, and takes ours off
// those that have stopped to be ours.
func (w *writer) writeStatuses(ctx context.Context, d desired) error {
	if len(w.addresses) == 0 {
		return nil
	}
	wanted := make(map[types.UID][]string, len(d.statuses))
	for _, s := range d.statuses {
		wanted[s.UID] = s.Addresses
	}
	var errs []error
	for _, i := range d.ingresses {
		addresses, ours := wanted[i.UID]
		have := addressesOf(i)
		if !ours && (!w.wrote[i.UID] || !slices.Equal(have, w.addresses)) {
			delete(w.wrote, i.UID)
			continue
		}
		if slices.Equal(have, addresses) {
			w.wrote[i.UID] = ours
			continue
		}
		if err := w.patchStatus(ctx, i, addresses); err != nil {
			errs = append(errs, fmt.Errorf("write the status of Ingress %s/%s: %w", i.Namespace, i.Name, err))
			continue
		}
		w.wrote[i.UID] = ours
	}
	return firstOf(errs)
}

// firstOf keeps an error readable that a whole cluster has.
func firstOf(errs []error) error {
	if len(errs) > 1 {
		return fmt.Errorf("%w, and %d more", errs[0], len(errs)-1)
	}
	return errors.Join(errs...)
}
