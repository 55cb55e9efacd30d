package configsync

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// DefaultReloadEvery is the shortest time between two reloads of a node when its fleet
// does not say.
const DefaultReloadEvery = gateway.Duration(10 * time.Second)

// Config of a [Controller]. Every field may be left out.
type Config struct {
	Log *slog.Logger
	// Report is called with all problems of all fleets whenever they change, one call at a
	// time.
	Report func([]gateway.Problem)
	// Changed is called after something that [Controller.Nodes] shows has changed, with the
	// fleet's name. It must not block.
	Changed func(fleet string)
	// View gives a fleet the snapshot with its own verdicts. It must not call the Controller.
	// Default: all fleets have those of the snapshot.
	View func(fleet *gateway.Fleet, s *gateway.Snapshot) *gateway.Snapshot
	// Observe is called with how exchanges of a fleet's nginx nodes with endpoints ended, by
	// several goroutines. Default: nobody wants to know.
	Observe func(fleet string, o gateway.Outcome)
	// Signer and Numberer vouch for bundles. Without them agents get none.
	Signer   Signer
	Numberer Numberer
	// Rollouts keeps how far rollouts are; see [Controller.Run]. Default: nothing is kept, and
	// all fleets get changes on all nodes at once.
	Rollouts Rollouts
	// Reverts keeps what nodes are asked to take back; see [Controller.Run]. Default: this process
	// does, and forgets it when it ends.
	Reverts Reverts
	// Author says who has written an object, or nothing. Default: nobody knows.
	Author func(context.Context, gateway.Ref) string
	// Version of this program. Another one may render other files of the same snapshot.
	Version string
	// Check judges bundles before nodes get them. Default: nobody does, and nodes alone check.
	Check Checker
	// KeepFile is where the last good versions of quarantined files are kept over a restart.
	// Default: nowhere.
	KeepFile string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Controller holds what the nodes of every fleet should run and what they report.
//
// mu guards everything below it. Snapshots, trees and reports are never changed once they
// are stored, so they are handed out without copies.
type Controller struct {
	cfg    Config
	closed chan struct{} // ends every waiting sync
	judge  *judge

	sealing  sync.Mutex // held while a bundle gets its number and signature; taken before mu
	reportMu sync.Mutex // held while Report is called, so that the newest call is the last
	reported []gateway.Problem

	mu       sync.Mutex
	snapshot *gateway.Snapshot
	fleets   map[string]*fleetState
	book     book
	moving   moves
	roster   roster
	reverts  reverts
}

// fleetState is a fleet of the snapshot, or one that was removed while nodes still report for it.
type fleetState struct {
	name        string
	exists      bool
	seen        *gateway.Snapshot              // with its own verdicts
	names       map[string]gateway.UpstreamKey // see upstreamNames
	named       *gateway.Snapshot              // that names is made of
	reloadEvery gateway.Duration
	nodes       map[string]*node
	renderings  map[string]*rendering // what people want now, by factsKey
	rolloutState
	live *liveSets // see liveFor
}

// New returns a controller without fleets; Apply brings them.
func New(cfg Config) *Controller {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Report == nil {
		cfg.Report = func([]gateway.Problem) {}
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.View == nil {
		cfg.View = func(_ *gateway.Fleet, s *gateway.Snapshot) *gateway.Snapshot { return s }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, gateway.Outcome) {}
	}
	if cfg.Author == nil {
		cfg.Author = func(context.Context, gateway.Ref) string { return "" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Controller{cfg: cfg, closed: make(chan struct{}), fleets: map[string]*fleetState{}, book: newBook(cfg.Rollouts), moving: moves{}, roster: roster{since: cfg.Now()}, reverts: newReverts(cfg.Reverts)}
	c.judge = newJudge(cfg, c.Refresh, c.closed)
	return c
}

// Close answers all waiting agents, so that the server that carries the handler can shut
// down at once. It may be called once; reading and Apply still work afterwards.
func (c *Controller) Close() { close(c.closed) }

// Apply renders a new snapshot for every fleet. Agents whose bundle changed are answered at
// once.
func (c *Controller) Apply(s *gateway.Snapshot) { c.renderAll(s) }

// Refresh renders the newest snapshot again, after something that Config.View looks at has
// changed.
func (c *Controller) Refresh() { c.renderAll(nil) }

// renderAll brings every fleet up to s, or, if that is nil, to the snapshot before.
func (c *Controller) renderAll(s *gateway.Snapshot) {
	c.mu.Lock()
	if s == nil && c.snapshot == nil {
		c.mu.Unlock()
		return
	}
	if s == nil {
		s = c.snapshot
	}
	c.moving.note(c.snapshot, s)
	c.snapshot = s
	for _, f := range c.fleets {
		f.exists = false
	}
	var changed []string
	for _, o := range s.Fleets {
		f := c.fleets[o.Name]
		if f == nil {
			f = &fleetState{name: o.Name, nodes: map[string]*node{}, renderings: map[string]*rendering{}, rolloutState: newRolloutState(c.book.files(o.Name))}
			f.record = c.book.records[o.Name]
			c.fleets[o.Name] = f
		}
		served := c.moving.with(o.Name, s)
		f.seen, f.plan, f.intent = c.cfg.View(o, served), o.Spec.Plan(), c.intentOf(o.Name, served)
		f.exists, f.reloadEvery = true, o.Spec.ReloadBudget.Bounded()
		if f.reloadEvery <= 0 {
			f.reloadEvery = DefaultReloadEvery
		}
		c.renderLive(f)
		if c.renderFleet(f) {
			changed = append(changed, f.name)
		}
		if c.placeAll(f) {
			changed = append(changed, f.name)
		}
		c.wake(f)
	}
	for _, f := range c.fleets {
		if !f.exists && len(f.nodes) == 0 {
			delete(c.fleets, f.name)
		}
	}
	c.judge.drop(func(k stateKey) bool {
		f := c.fleets[k.fleet]
		return f != nil && (k.content == 0 && f.renderings[k.facts] != nil || f.anew.makes(k.content, k.facts))
	})
	c.mu.Unlock()
	c.nudge()
	for _, name := range slices.Compact(changed) {
		c.cfg.Changed(name)
	}
	c.publish()
}

// find returns a fleet of the snapshot. The error lists the ones that exist. mu is held.
func (c *Controller) find(name string) (*fleetState, error) {
	f := c.fleets[name]
	if f != nil && f.exists {
		return f, nil
	}
	var known []string
	for _, n := range slices.Sorted(maps.Keys(c.fleets)) {
		if c.fleets[n].exists {
			known = append(known, n)
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("fleet %q: %w: no fleet exists yet; apply an object of kind Fleet with this name", name, gateway.ErrNotFound)
	}
	return nil, fmt.Errorf("fleet %q: %w: the fleets are %q; apply an object of kind Fleet with this name, or correct the name", name, gateway.ErrNotFound, known)
}

// findNode returns a node that has reported. mu is held.
func (c *Controller) findNode(fleet, name string) (*fleetState, *node, error) {
	f, err := c.find(fleet)
	if err != nil {
		return nil, nil, err
	}
	n := f.nodes[name]
	if n == nil {
		return f, nil, fmt.Errorf("node %q of fleet %q: %w: the nodes that have reported are %q", name, fleet, gateway.ErrNotFound, slices.Sorted(maps.Keys(f.nodes)))
	}
	return f, n, nil
}

// DesiredTree is what a node should run. A fingerprint stands in the place of secrets.
func (c *Controller) DesiredTree(fleet, node string) (nginxconf.Tree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, n, err := c.findNode(fleet, node)
	if err != nil {
		return nginxconf.Tree{}, err
	}
	return shown(n.rendering.tree), nil
}
