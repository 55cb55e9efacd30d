package health

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// upstream guards one tracker.
type upstream struct {
	key gateway.UpstreamKey
	// cells are read by every outcome, and replaced when endpoints come or go. They are sorted
	// by address: most upstreams have few endpoints, for which a map takes three times the
	// memory, and more time.
	cells atomic.Pointer[[]addressed]

	mu      sync.Mutex
	tracker *Tracker
	ledger  *ledger
	applied *gateway.EffectiveUpstream // nil before the first
	watched bool                       // the tracker's windows were due to be moved on at the last schedule
	panics  bool                       // what was told last
	secure  *Secure
	probes  probeCounts
}

// addressed is the cell of an address. The address stands here, so that a search reads
// neighbours only.
type addressed struct {
	address string
	*cell
}

type probeCounts struct{ succeeded, failed uint64 }

func newUpstream(t *Tracker, l *ledger) *upstream {
	u := &upstream{key: t.upstream, tracker: t, ledger: l}
	u.cells.Store(&[]addressed{})
	return u
}

// cell returns that of the address, or nil.
func (u *upstream) cell(address string) *cell {
	cells := *u.cells.Load()
	from, to := 0, len(cells)
	for from < to { // by hand: this is on the way of every request
		switch mid := (from + to) / 2; {
		case cells[mid].address == address:
			return cells[mid].cell
		case cells[mid].address < address:
			from = mid + 1
		default:
			to = mid
		}
	}
	return nil
}

// configure takes over a definition unless it is as before.
func (u *upstream) configure(now time.Time, eu *gateway.EffectiveUpstream, secure *Secure, p *Prober, out *outbox) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.panicked(now, eu.Panic)
	if u.applied != nil && sameDefinition(u.applied, eu) && reflect.DeepEqual(u.secure, secure) {
		u.applied = eu
		return
	}
	u.applied, u.secure = eu, secure
	changed := u.tracker.Configure(now, eu.Health, eu.Endpoints)

	cells := make([]addressed, 0, len(eu.Endpoints))
	for _, e := range eu.Endpoints {
		c := u.tracker.find(e.Address).cell
		c.quiet.Store(u.tracker.Quiet(e.Address))
		cells = append(cells, addressed{e.Address, c})
	}
	slices.SortFunc(cells, func(a, b addressed) int { return strings.Compare(a.address, b.address) })
	u.cells.Store(&cells)
	// Still under the lock: a result of a probe that ends here is out of date when its
	// goroutine gets the lock, and sees it by its context.
	p.Set(u.key, targets(eu, secure))
	u.publish(changed, out)
	u.schedule(out)
}

// panicked notes what gateway.Build has decided about the upstream as a whole. That nobody is
// used before probes have decided is no panic that anybody should hear of, nor is one of a
// snapshot that the first probes have overtaken.
func (u *upstream) panicked(now time.Time, panics bool) {
	if panics == u.panics || panics && !u.tracker.misses() {
		return
	}
	u.panics = panics
	e := gateway.HealthEvent{At: now, Kind: gateway.EventCalm, Upstream: u.key, Observer: u.tracker.observer, Rule: RuleCalm, Reason: "enough endpoints are healthy again"}
	if panics {
		e.Kind, e.Rule, e.Reason = gateway.EventPanic, RulePanic, "less than half of the endpoints would be in rotation: ejections are ignored"
	}
	u.ledger.add([]gateway.HealthEvent{e})
}

// remove forgets every endpoint.
func (u *upstream) remove(now time.Time, p *Prober, out *outbox) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cells.Store(&[]addressed{})
	p.Set(u.key, nil)
	u.publish(u.tracker.Configure(now, u.tracker.check, nil), out)
	u.ledger.forget(u.key)
	u.schedule(out)
}

func (u *upstream) request(now time.Time, o gateway.Outcome, out *outbox) {
	u.mu.Lock()
	defer u.mu.Unlock()
	changed := u.tracker.Request(now, o)
	u.refresh(o.Address)
	u.publish(changed, out)
}

func (u *upstream) probe(ctx context.Context, now time.Time, address string, r Result, out *outbox) (unsettled bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	if r.Err == "" {
		u.probes.succeeded++
	} else {
		u.probes.failed++
	}
	e := u.tracker.find(address)
	if e == nil {
		return false
	}
	changed := u.tracker.probed(now, e, r)
	e.cell.quiet.Store(u.tracker.quiet(e))
	u.publish(changed, out)
	u.panicked(now, u.applied != nil && u.applied.Panic) // it may have been awaited
	return e.active.unsettled()
}

func (u *upstream) advance(now time.Time, out *outbox) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.publish(u.tracker.Advance(now), out)
	u.schedule(out)
}

func (u *upstream) health(now time.Time) gateway.UpstreamHealth {
	u.mu.Lock()
	defer u.mu.Unlock()
	h := u.tracker.Health(now)
	h.Panic = u.applied != nil && u.applied.Panic
	return h
}

func (u *upstream) service() gateway.ServiceVerdict {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tracker.Service()
}

func (u *upstream) verdicts() []gateway.Verdict {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tracker.Verdicts()
}

func (u *upstream) verdict(address string) (gateway.Verdict, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.tracker.find(address)
	if e == nil {
		return gateway.Verdict{}, false
	}
	return *e.last, true
}

// counts returns what the metrics need: verdicts, ejections by rule, probes.
func (u *upstream) counts() ([]gateway.Verdict, map[string]uint64, probeCounts) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tracker.Verdicts(), maps.Clone(u.tracker.Ejections()), u.probes
}

// publish puts transitions into the outbox, under the lock so that they keep their order.
func (u *upstream) publish(changed []gateway.Verdict, out *outbox) {
	for i := range changed {
		u.refresh(changed[i].Address)
	}
	if len(changed) > 0 {
		out.put(changed)
	}
	u.ledger.add(u.tracker.Events())
	if len(changed) > 0 || u.watched != (u.tracker.watch != nil) {
		u.schedule(out)
	}
}

// schedule says when the tracker wants to be advanced. Outcomes and probes move that only
// together with a verdict; time and configuration also behind a verdict that hides it.
func (u *upstream) schedule(out *outbox) {
	u.watched = u.tracker.watch != nil
	out.schedule(u, u.tracker.Next())
}

func (u *upstream) refresh(address string) {
	if c := u.cell(address); c != nil {
		c.quiet.Store(u.tracker.Quiet(address))
	}
}

// targets lists what to probe. Terminating endpoints finish what they have and close their
// listeners, so probing them would only report what is known.
func targets(eu *gateway.EffectiveUpstream, secure *Secure) []Target {
	check := filled(eu.Health).Active
	if check == nil {
		return nil
	}
	var ts []Target
	for _, e := range eu.Endpoints {
		if !e.Terminating {
			ts = append(ts, Target{EndpointKey: gateway.EndpointKey{Upstream: eu.Key, Address: e.Address}, Check: check, Secure: secure, Protocol: eu.Protocol, ProxyProtocol: eu.ProxyProtocol})
		}
	}
	return ts
}

// sameDefinition compares what health looks at. A snapshot shares an upstream that has not
// changed, so that mostly one look at the pointers is enough.
func sameDefinition(a, b *gateway.EffectiveUpstream) bool {
	if a == b {
		return true
	}
	if len(a.Endpoints) != len(b.Endpoints) || a.Protocol != b.Protocol || a.ProxyProtocol != b.ProxyProtocol {
		return false
	}
	for i := range a.Endpoints {
		x, y := &a.Endpoints[i], &b.Endpoints[i]
		if x.Address != y.Address || x.Weight != y.Weight || x.Terminating != y.Terminating || x.Fails != y.Fails || !samePin(x.Pin, y.Pin) {
			return false
		}
	}
	return reflect.DeepEqual(a.Health, b.Health)
}

func samePin(a, b *gateway.EndpointPin) bool { return a == b || a != nil && b != nil && *a == *b }
