package alert

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	// eventBatch is how many events are taken in at once.
	eventBatch = 1000
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
	// Shared says that [Alerts.Share] is called once the others can be reached. Default: this
	// node is the only one, and tells at once.
	Shared bool
	Log    *slog.Logger
}

// Alerts tells receivers what is wrong. Run owns what is known; mu guards what is shown of it.
type Alerts struct {
	cfg     Config
	kinds   []gateway.AlertKind
	workers []*worker
	senders map[string]*sender
	// told is who was told that a condition holds, since these are told that it is over,
	// whatever tenants name by then. Owned by Run.
	told  map[string][]*worker
	book  *Book  // owned by Run
	share *share // nil: this node is alone

	mu     sync.Mutex
	own    []gateway.Alert // guarded by mu; what the book holds, sorted
	active []gateway.Alert // guarded by mu; what holds for any node, sorted
}

// New fails when a receiver's authorities can not be read.
func New(cfg Config) (*Alerts, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	a := &Alerts{cfg: cfg, book: NewBook(cfg.Node), senders: map[string]*sender{}, told: map[string][]*worker{}, active: []gateway.Alert{}}
	if cfg.Shared {
		a.share = newShare(cfg.Node)
	}
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
	var heard chan map[string][]byte
	var leads chan bool
	if a.share != nil {
		heard, leads, a.share.unknown = a.share.heard, a.share.leads, time.Now()
	}
	for {
		// The process ends; health has decided; time to look at everything else; time to
		// compare with all verdicts; others have found something; this node tells now, or not
		// any more.
		select {
		case <-ctx.Done():
			return nil
		case e := <-a.cfg.Events:
			a.note(a.events(&e))
		case now := <-look.C:
			a.note(a.book.Look(now, a.kinds, Conditions(a.cfg.Facts())))
		case now := <-review.C:
			a.note(a.events(nil)) // first: the verdicts show what these have led to
			a.note(a.book.Look(now, healthKinds, HealthConditions(a.cfg.Health())))
		case all := <-heard:
			if unread := a.share.take(time.Now(), all); len(unread) > 0 {
				a.cfg.Log.Warn("what other nodes have found can not be read, so they tell of it by themselves or not at all", "keys", unread)
			}
			a.note(nil)
		case leading := <-leads:
			a.share.leading = leading
			a.note(nil)
		}
	}
}

// events notes an event, and those that wait behind it, so that a storm is compared once.
func (a *Alerts) events(first *gateway.HealthEvent) (news []gateway.Alert) {
	if first != nil {
		news = a.book.Event(first)
	}
	for range eventBatch {
		select {
		case e := <-a.cfg.Events:
			news = append(news, a.book.Event(&e)...)
		default:
			return news
		}
	}
	return news
}

// note hands out what is new in the book, or, where there are several nodes, for all of them.
func (a *Alerts) note(news []gateway.Alert) {
	now, own := time.Now(), a.book.Active()
	active, tell := own, news
	for i := range news {
		n := &news[i]
		a.cfg.Log.Info("alert", "id", n.ID, "severity", string(n.Severity), "resolved", n.Resolved, "tenant", n.Tenant, "summary", n.Summary)
	}
	var ended []gateway.Alert
	if s := a.share; s != nil {
		tell, ended = s.merge(now, own, news)
		active = slices.SortedFunc(maps.Values(s.held), func(a, b gateway.Alert) int { return a.Compare(&b) })
	}
	a.mu.Lock()
	a.own, a.active = own, active
	a.mu.Unlock()
	for i := range tell {
		a.tell(now, &tell[i])
	}
	if a.share != nil {
		a.handOver(now, own, ended)
	}
}

// handOver takes on what a node owed that is gone, and shows what this one owes. What is over is
// told by whoever tells now, so that nothing older is to be told after it.
func (a *Alerts) handOver(now time.Time, own, ended []gateway.Alert) {
	s := a.share
	for i := range ended {
		delete(a.told, ended[i].ID) // another node may tell of it
		for _, w := range a.workers {
			if !s.tells(now) {
				w.queue.forget(ended[i].ID)
			}
		}
	}
	for _, o := range s.inherit(now) {
		for _, w := range a.workers {
			if slices.Contains(o.Receivers, w.receiver.Name) {
				w.queue.inherit(waiting{o.Alert, o.Since})
			}
		}
	}
	s.post(now, own, owes(a.workers))
}

// tell puts an alert into the queues of those whom it concerns. Who was told that a condition
// holds is told that it is over; where another node has told of it, those whom it concerns now.
func (a *Alerts) tell(now time.Time, n *gateway.Alert) {
	to, known := a.told[n.ID]
	if n.Resolved {
		if !known {
			to = a.concerned(n)
		}
		for _, w := range to {
			w.queue.put(now, *n)
		}
		delete(a.told, n.ID)
		return
	}
	for _, w := range a.concerned(n) {
		w.queue.put(now, *n)
		if !slices.Contains(to, w) {
			to = append(to, w)
		}
	}
	a.told[n.ID] = to
}

// concerned are the receivers that take an alert.
func (a *Alerts) concerned(n *gateway.Alert) (out []*worker) {
	var named []string
	if n.Tenant != "" {
		named = a.cfg.ReceiversOf(n.Tenant)
	}
	for _, w := range a.workers {
		if w.receiver.takes(n, named) {
			out = append(out, w)
		}
	}
	return out
}

// Active lists what holds now, for any node, the worst first. It is not to be changed.
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
