package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// noticeEvery is the shortest time between two notices of a node.
	noticeEvery = time.Second
	// maxSights and maxServices bound a notice, which is about 300 bytes for each of them.
	maxSights   = 500
	maxServices = 200
	// maxSightReason bounds a sight's reason, in bytes.
	maxSightReason = 160
)

// Board is where observers see each other's notices, for as long as each of them lives.
type Board interface {
	// Post shows the newest of values under a key until ctx ends or the process does.
	Post(ctx context.Context, key string, values <-chan []byte) error
	// Watch calls handle with all that is shown, by key, whenever it changes, and with nil
	// when that is not known any more.
	Watch(ctx context.Context, handle func(map[string][]byte)) error
}

// ObserversConfig is what an Observers needs.
type ObserversConfig struct {
	// Node is the name under which the others see this one.
	Node string
	// Health is whose verdicts are shown.
	Health *Health
	// Agreed is called with what the observers together see, whenever that changes, by the
	// goroutine of Run.
	Agreed func(gateway.Agreement)
	// Every is the shortest time between two notices. Default 1s.
	Every time.Duration
	Log   *slog.Logger
}

// Observers compares what this node sees with what others see. It changes no verdict: those
// of others are evidence for whoever has no eyes of its own, and for people.
//
// mu guards what is below it. Notices are never changed once they are stored.
type Observers struct {
	cfg   ObserversConfig
	key   string        // on the board: unique, should two processes have one node's name
	wake  chan struct{} // one slot: something has changed
	posts chan []byte   // one slot: the newest notice

	mu     sync.Mutex
	bad    map[gateway.EndpointKey]gateway.Verdict // of this node
	others map[string]gateway.Notice               // by key on the board
	agreed gateway.Agreement
}

// NewObservers returns an Observers that knows nobody but this node.
func NewObservers(cfg ObserversConfig) *Observers {
	cfg.Every = cmp.Or(cfg.Every, noticeEvery)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Agreed == nil {
		cfg.Agreed = func(gateway.Agreement) {}
	}
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	return &Observers{cfg: cfg, key: cfg.Node + "/" + hex.EncodeToString(id[:]), wake: make(chan struct{}, 1), posts: make(chan []byte, 1),
		bad: map[gateway.EndpointKey]gateway.Verdict{}, others: map[string]gateway.Notice{}, agreed: gateway.Agree([]gateway.Notice{{Observer: cfg.Node}})}
}

// SetVerdicts takes transitions of this node's health, in order.
func (o *Observers) SetVerdicts(verdicts []gateway.Verdict) {
	o.mu.Lock()
	for _, v := range verdicts {
		if s := sightOf(&v); s.Bad() {
			o.bad[v.EndpointKey] = v
		} else {
			delete(o.bad, v.EndpointKey)
		}
	}
	o.mu.Unlock()
	o.ring()
}

// Agreement is what the observers together see.
func (o *Observers) Agreement() gateway.Agreement {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.agreed
}

// Run compares, and writes notices, until ctx ends. The first change after a quiet time counts
// at once.
func (o *Observers) Run(ctx context.Context) error {
	// Of services; which ones is asked for in step, so that any event will do: one of an endpoint
	// may have pushed out one of a service.
	events, cancel := o.cfg.Health.Subscribe(1)
	defer cancel()
	var last []byte
	o.ring() // that this node is there is news by itself
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events:
		case <-o.wake:
		}
		last = o.step(last)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.cfg.Every):
		}
	}
}

// Share shows this node's notices to others, and takes theirs, until ctx ends.
func (o *Observers) Share(ctx context.Context, board Board) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	posted := make(chan error, 1)
	go func() {
		posted <- board.Post(ctx, o.key, o.posts)
		cancel()
	}()
	err := board.Watch(ctx, o.heard)
	cancel()
	return cmp.Or(err, <-posted)
}

// heard takes the notices of others.
func (o *Observers) heard(all map[string][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.ring()
	if all == nil {
		// They may live, and what they see is not known: they count, and say nothing. So a
		// node that is cut off is not alone with its opinion, and so in the right.
		for k, n := range o.others {
			o.others[k] = gateway.Notice{Observer: n.Observer}
		}
		return
	}
	next := make(map[string]gateway.Notice, len(all))
	for k, text := range all {
		if k == o.key {
			continue
		}
		n := gateway.Notice{}
		if err := json.Unmarshal(text, &n); err != nil || n.Observer == "" {
			o.cfg.Log.Warn("the notice of an observer can not be read, so it counts as one that says nothing", "key", k, "error", err)
			n = gateway.Notice{Observer: k}
		}
		next[k] = n
	}
	o.others = next
}

func (o *Observers) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// step writes a notice if it would differ from the last one, and compares.
func (o *Observers) step(last []byte) []byte {
	o.mu.Lock()
	own := o.notice()
	agreed := gateway.Agree(append(slices.Collect(maps.Values(o.others)), own))
	before := o.agreed
	o.agreed = agreed
	o.mu.Unlock()
	text, err := json.Marshal(own)
	if err != nil {
		panic("health: plain data always marshals: " + err.Error())
	}
	if !bytes.Equal(text, last) {
		select { // take out an older one that nobody has fetched
		case <-o.posts:
		default:
		}
		o.posts <- text
	}
	if !sameAgreement(&before, &agreed) {
		o.cfg.Agreed(agreed)
	}
	return text
}

// notice is what this node has to say; the caller holds mu.
func (o *Observers) notice() gateway.Notice {
	n := gateway.Notice{Observer: o.cfg.Node}
	keys := slices.SortedFunc(maps.Keys(o.bad), gateway.EndpointKey.Compare)
	if len(keys) > maxSights {
		n.Left = len(keys) - maxSights
		keys = keys[:maxSights]
	}
	for _, k := range keys {
		v := o.bad[k]
		n.Sights = append(n.Sights, sightOf(&v))
	}
	for _, k := range o.asked() {
		if len(n.Sights) == 2*maxSights {
			break
		}
		s := gateway.Sight{EndpointKey: k, State: gateway.StateUnknown}
		if v, ok := o.cfg.Health.Verdict(k); ok {
			s = sightOf(&v)
		}
		n.Sights = append(n.Sights, s)
	}
	for _, e := range o.cfg.Health.badServices() {
		if len(n.Services) == maxServices {
			break
		}
		n.Services = append(n.Services, gateway.ServiceSight{Upstream: e.Upstream,
			ServiceVerdict: gateway.ServiceVerdict{Bad: true, Since: e.At, Rule: e.Rule, Reason: shorten(e.Reason)}})
	}
	return n
}

// asked are the endpoints that others find bad and this node does not.
func (o *Observers) asked() []gateway.EndpointKey {
	asked := map[gateway.EndpointKey]bool{}
	for _, n := range o.others {
		for i := range n.Sights {
			s := &n.Sights[i]
			if _, own := o.bad[s.EndpointKey]; s.Bad() && !own {
				asked[s.EndpointKey] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(asked), gateway.EndpointKey.Compare)
}

// sightOf is what a verdict of this node tells others. What a person has said they know from
// the store, and what nobody has probed yet nobody has seen.
func sightOf(v *gateway.Verdict) gateway.Sight {
	s := gateway.Sight{EndpointKey: v.EndpointKey, State: v.State, Since: v.Since.UTC().Truncate(time.Millisecond), Until: v.Until.UTC().Truncate(time.Millisecond), Rule: v.Rule, Reason: shorten(v.Reason)}
	if v.Rule == RuleByHand || v.Rule == RuleInitial {
		s.State = gateway.StateUnknown
	}
	return s
}

func shorten(reason string) string {
	if len(reason) <= maxSightReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxSightReason], "") + "..."
}
