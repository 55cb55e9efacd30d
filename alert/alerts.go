package alert

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// healthKinds are what events tell of, the others what only looks find.
var healthKinds = []gateway.AlertKind{gateway.AlertEndpointOut, gateway.AlertServiceBad, gateway.AlertPanic}

const (
	// lookEvery is how often facts are compared.
	lookEvery = 2 * time.Second
	// reviewEvery is how often the verdicts of all endpoints are, in case an event was missed:
	// there may be tens of thousands.
	reviewEvery = 30 * time.Second
)

// Config connects [Alerts] with what it tells of.
type Config struct {
	// Node signs the alerts.
	Node string
	// Receivers have been checked ([Receiver.Check]).
	Receivers []Receiver
	// Link is added to messages: the address of the UI. Default: none.
	Link string
	// Facts are asked at each look, from the goroutine of Run.
	Facts func() Facts
	// Health is asked now and then, Events are what it decides in between.
	Health func() []gateway.UpstreamHealth
	Events <-chan gateway.HealthEvent
	// ReceiversOf are those that a tenant names.
	ReceiversOf func(tenant string) []string
	Log         *slog.Logger
}

// Alerts tells receivers what is wrong. Run owns the book; mu guards what is shown of it.
type Alerts struct {
	cfg     Config
	kinds   []gateway.AlertKind
	workers []*worker
	senders map[string]*sender
	// told is who was told that a condition holds, since these are told that it is over,
	// whatever tenants name by then. Owned by Run.
	told map[string][]*worker

	mu     sync.Mutex
	book   *Book           // guarded by mu
	active []gateway.Alert // guarded by mu; what the book holds, sorted
}

// New fails when a receiver's authorities can not be read.
func New(cfg Config) (*Alerts, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	a := &Alerts{cfg: cfg, book: NewBook(cfg.Node), senders: map[string]*sender{}, told: map[string][]*worker{}, active: []gateway.Alert{}}
	for _, k := range gateway.AlertKinds {
		if !slices.Contains(healthKinds, k) {
			a.kinds = append(a.kinds, k)
		}
	}
	for _, r := range cfg.Receivers {
		s, err := newSender(r, cfg.Link)
		if err != nil {
			return nil, err
		}
		a.senders[r.Name] = s
		a.workers = append(a.workers, &worker{receiver: r, queue: newQueue(), post: s.post, log: cfg.Log, counts: map[string]uint64{}})
	}
	return a, nil
}

// Run watches and tells until ctx ends. What waits then is told by the next process, if it
// still holds.
func (a *Alerts) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for _, w := range a.workers {
		running.Go(func() { w.run(ctx) })
	}
	look, review := time.NewTicker(lookEvery), time.NewTicker(reviewEvery)
	defer look.Stop()
	defer review.Stop()
	for {
		// The process ends; health has decided; time to look at everything else; time to
		// compare with all verdicts.
		select {
		case <-ctx.Done():
			return nil
		case e := <-a.cfg.Events:
			a.note(func() []gateway.Alert { return a.book.Event(&e) })
		case now := <-look.C:
			holds := Conditions(a.cfg.Facts())
			a.note(func() []gateway.Alert { return a.book.Look(now, a.kinds, holds) })
		case now := <-review.C:
			a.review(now)
		}
	}
}

// review compares with all verdicts, after the events that have led to them: an event that
// comes in between is of something that the verdicts show already, or later.
func (a *Alerts) review(now time.Time) {
	for {
		select {
		case e := <-a.cfg.Events:
			a.note(func() []gateway.Alert { return a.book.Event(&e) })
			continue
		default:
		}
		break
	}
	holds := HealthConditions(a.cfg.Health())
	a.note(func() []gateway.Alert { return a.book.Look(now, healthKinds, holds) })
}

// note changes the book and hands out what is new.
func (a *Alerts) note(change func() []gateway.Alert) {
	a.mu.Lock()
	news := change()
	a.active = a.book.Active()
	a.mu.Unlock()
	now := time.Now()
	for i := range news {
		n := &news[i]
		a.cfg.Log.Info("alert", "id", n.ID, "severity", string(n.Severity), "resolved", n.Resolved, "tenant", n.Tenant, "summary", n.Summary)
		a.tell(now, n)
	}
}

// tell puts an alert into the queues of those whom it concerns.
func (a *Alerts) tell(now time.Time, n *gateway.Alert) {
	if n.Resolved {
		for _, w := range a.told[n.ID] {
			w.queue.put(now, *n)
		}
		delete(a.told, n.ID)
		return
	}
	var named []string
	if n.Tenant != "" {
		named = a.cfg.ReceiversOf(n.Tenant)
	}
	for _, w := range a.workers {
		if !w.receiver.takes(n, named) {
			continue
		}
		w.queue.put(now, *n)
		if !slices.Contains(a.told[n.ID], w) {
			a.told[n.ID] = append(a.told[n.ID], w)
		}
	}
}

// Active lists what holds now, the worst first. It is not to be changed.
func (a *Alerts) Active() []gateway.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.active
}

// Receivers tells how each receiver is, in the order of the configuration.
func (a *Alerts) Receivers() []gateway.AlertReceiver {
	out := []gateway.AlertReceiver{}
	for _, w := range a.workers {
		out = append(out, w.status())
	}
	return out
}

// Test sends a sample to a receiver at once, past its queue and limits, and says how that
// went: nil, a [RefusedError], or what kept it from getting there.
func (a *Alerts) Test(ctx context.Context, receiver, who string) error {
	s := a.senders[receiver]
	if s == nil {
		return fmt.Errorf("%w: receiver %q is not in alerts.receivers of sluice.yaml", gateway.ErrNotFound, receiver)
	}
	now := time.Now().UTC()
	return s.post(ctx, []gateway.Alert{{ID: "sample/" + a.cfg.Node, Kind: gateway.AlertSample, Severity: gateway.SeverityWarning, Subject: "receiver " + receiver,
		Summary: "this is a sample, nothing is wrong", Detail: "Sent by " + who + " to try receiver " + receiver + ".", Since: now, Node: a.cfg.Node}})
}
