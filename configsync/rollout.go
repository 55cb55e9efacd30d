package configsync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// keepRollouts is how many rollouts of a fleet are remembered.
	keepRollouts = 50
	// keepNames is how many nodes of a wave, or nodes that were left out, are named.
	keepNames = 20
	// patience is how long a node may take to run a change, besides its reload budget and the
	// time of draining.
	patience = 2 * time.Minute
)

// rolloutRecord is what all control planes of a store go by: which revision each node of a
// fleet should run. One of them leads and writes it; all serve agents by it.
//
// It is plain data. Its methods decide, and are told the time and what is known in a
// rolloutView.
type rolloutRecord struct {
	Last uint64 `json:"last"` // the largest number that was given
	// Base is what nodes run that Nodes does not name.
	Base gateway.Revision `json:"base"`
	// Target is what the rollout under way brings.
	Target *gateway.Revision `json:"target,omitempty"`
	// Nodes run the files of other revisions than Base: of Target, or of one that it superseded.
	Nodes map[string]uint64 `json:"nodes,omitempty"`
	// Members are the nodes of the fleet, so that a new leader knows for whom to wait.
	Members []string `json:"members,omitempty"`
	// Refused is what the last rollout brought when it failed or was aborted: it is not tried
	// again by itself.
	Refused *gateway.Revision `json:"refused,omitempty"`
	// Rollout is the last one, under way or over.
	Rollout *gateway.Rollout  `json:"rollout,omitempty"`
	History []gateway.Rollout `json:"history,omitempty"` // those that are over, newest first
	// Kept are the revisions whose files are in the store.
	Kept []uint64 `json:"kept,omitempty"`
}

// rolloutView is what is known at one moment.
type rolloutView struct {
	fleet  string
	plan   gateway.RolloutPlan
	reload time.Duration // between two reloads of a node
	nodes  map[string]nodeView
	// newest is what people want now, without a number.
	newest gateway.Revision
	// is says whether newest is the content of a revision, apart from endpoints.
	is func(*gateway.Revision) bool
	// complete adds to a new revision what it brings.
	complete func(*gateway.Revision)
	// listening is since when this control plane leads.
	listening time.Time
	// judge says why the nodes with the change are worse than the others, or nothing.
	judge func() (*gateway.RolloutFigures, string)
}

// nodeView is what is known of a node that is a member.
type nodeView struct {
	heard bool // it has reported within silentAfter
	wait  bool // it has not, but this control plane has not listened for that long
	sight
}

// live says that the node takes part.
func (n nodeView) live() bool { return n.heard && n.Up }

// step brings the record to what v calls for, and says whether it has changed.
func (r *rolloutRecord) step(v *rolloutView, now time.Time) bool {
	changed := r.enrol(v)
	switch {
	case r.Base.Number == 0:
		r.Base = r.next(v, now)
		return true
	case v.plan.AtOnce:
		return r.atOnce(v, now) || changed
	case !r.active() && v.is(&r.Base):
		changed = adopt(&r.Base, &v.newest) || changed
		if r.Refused != nil {
			r.Refused, changed = nil, true
		}
		return changed
	case !r.active() && r.Refused != nil && v.is(r.Refused):
		return changed
	case !r.active():
		r.start(v, now)
	case r.Rollout.Paused:
		return changed
	case v.is(r.Target):
		changed = adopt(r.Target, &v.newest) || changed
	case v.is(&r.Base):
		r.back(gateway.RolloutSuperseded, "The change was taken out again, so the nodes that had it go back.", now)
		r.Refused = nil
		return true
	default:
		r.end(gateway.RolloutSuperseded, "A newer change took its place: it begins with the first wave.", now)
		r.start(v, now)
	}
	return r.advance(v, now) || changed
}

// enrol keeps the members in step with who reports.
func (r *rolloutRecord) enrol(v *rolloutView) bool {
	names := slices.Sorted(maps.Keys(v.nodes))
	if slices.Equal(names, r.Members) {
		return false
	}
	r.Members = names
	return true
}

func (r *rolloutRecord) active() bool { return r.Target != nil }

// latest is what the nodes run, or will when the rollout is done.
func (r *rolloutRecord) latest() *gateway.Revision {
	if r.Target != nil {
		return r.Target
	}
	return &r.Base
}

// assigned is the revision whose files a node should run.
func (r *rolloutRecord) assigned(node string) uint64 {
	if n := r.Nodes[node]; n != 0 {
		return n
	}
	return r.Base.Content()
}

// number is the number of the revision that a node should run.
func (r *rolloutRecord) number(node string) uint64 { return cmp.Or(r.Nodes[node], r.Base.Number) }

// needed are the revisions whose files are needed.
func (r *rolloutRecord) needed() []uint64 {
	list := []uint64{r.Base.Content()}
	if r.Target != nil {
		list = append(list, r.Target.Number)
	}
	list = append(list, slices.Collect(maps.Values(r.Nodes))...)
	slices.Sort(list)
	return slices.Compact(list)
}

// next gives what people want now a number.
func (r *rolloutRecord) next(v *rolloutView, now time.Time) gateway.Revision {
	r.Last++
	rev := v.newest
	rev.Number, rev.At = r.Last, now.UTC()
	v.complete(&rev)
	return rev
}

// atOnce numbers a change that all nodes get at once.
func (r *rolloutRecord) atOnce(v *rolloutView, now time.Time) bool {
	r.Refused = nil
	if !r.active() && v.is(&r.Base) {
		return adopt(&r.Base, &v.newest)
	}
	if r.active() {
		r.end(gateway.RolloutSuperseded, "The fleet gets changes on all nodes at once now.", now)
	}
	from := r.Base.Number
	r.Base, r.Target, r.Nodes = r.next(v, now), nil, nil
	r.Rollout = r.rollout(v, &r.Base, from, now)
	w := &r.Rollout.Waves[0]
	w.Nodes, w.Count, w.StartedAt = slices.Clone(r.Members), len(r.Members), now.UTC()
	r.end(gateway.RolloutDone, "All nodes were told at once.", now)
	return true
}

func (r *rolloutRecord) rollout(v *rolloutView, rev *gateway.Revision, from uint64, now time.Time) *gateway.Rollout {
	ro := &gateway.Rollout{Fleet: v.fleet, Revision: rev.Number, From: from, State: gateway.RolloutRolling, Objects: rev.Objects, Authors: rev.Authors,
		Wave: 1, StartedAt: now.UTC()}
	for _, w := range v.plan.Waves {
		ro.Waves = append(ro.Waves, gateway.RolloutWave{Size: w, Nodes: []string{}})
	}
	return ro
}

// start begins with the first wave. Nodes on a revision that is superseded keep it until their
// turn comes.
func (r *rolloutRecord) start(v *rolloutView, now time.Time) {
	rev := r.next(v, now)
	r.Target, r.Refused = &rev, nil
	r.Rollout = r.rollout(v, r.Target, r.Base.Number, now)
}

// back gives all nodes the files of the base again, as a revision of its own: numbers only
// grow, so that what a node is told never looks like something old.
func (r *rolloutRecord) back(state gateway.RolloutState, reason string, now time.Time) {
	r.Refused = r.Target
	r.Last++
	r.Base.Back, r.Base.Number, r.Base.At = r.Base.Content(), r.Last, now.UTC()
	r.Target, r.Nodes = nil, nil
	r.end(state, reason, now)
}

// end closes the rollout and remembers it.
func (r *rolloutRecord) end(state gateway.RolloutState, reason string, now time.Time) {
	ro := *r.Rollout
	ro.State, ro.Reason, ro.EndedAt, ro.BakeUntil, ro.Paused = state, reason, now.UTC(), time.Time{}, false
	r.Rollout = &ro
	short := ro
	short.Waves = slices.Clone(ro.Waves)
	for i := range short.Waves {
		w := &short.Waves[i]
		w.Nodes = slices.Clone(w.Nodes[:min(len(w.Nodes), keepNames)])
	}
	r.History = append([]gateway.Rollout{short}, r.History...)
	r.History = r.History[:min(len(r.History), keepRollouts)]
}

// names lists a few nodes.
func names(list []string) string {
	if len(list) > keepNames {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:keepNames], ", "), len(list)-keepNames)
	}
	return strings.Join(list, ", ")
}
