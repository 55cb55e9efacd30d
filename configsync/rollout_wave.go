package configsync

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// advance moves the rollout under way on: nodes get the change, all of them run it, it bakes,
// the next wave.
func (r *rolloutRecord) advance(v *rolloutView, now time.Time) bool {
	ro := r.Rollout
	changed := r.leaveOut(v)
	if reason := r.refusal(v); reason != "" {
		r.back(gateway.RolloutFailed, reason, now)
		return true
	}
	w := &ro.Waves[ro.Wave-1]
	if r.fill(v, w, now) {
		changed = true
	}
	late := r.late(v)
	switch {
	case len(late) > 0 && ro.State == gateway.RolloutBaking: // such as after nginx was started anew
		ro.State, w.StartedAt, w.RunningAt, ro.BakeUntil = gateway.RolloutRolling, now.UTC(), time.Time{}, time.Time{}
		return true
	case len(late) > 0:
		limit := patience + 2*v.reload + v.plan.Drain.Std()
		if since := later(w.StartedAt, v.listening); now.Sub(since) <= limit {
			return changed
		}
		r.back(gateway.RolloutFailed, fmt.Sprintf("Within %s these nodes have not run the change: %s.", limit, names(late)), now)
		return true
	case r.waiting(v, w):
		return changed
	case w.RunningAt.IsZero() && w.Count > 0:
		ro.State, w.RunningAt, ro.BakeUntil = gateway.RolloutBaking, now.UTC(), now.Add(v.plan.Bake.Std()).UTC()
		return r.bake(v, w, now) || true
	}
	return r.bake(v, w, now) || changed
}

// bake ends the wave when it has run for long enough, or is worse.
func (r *rolloutRecord) bake(v *rolloutView, w *gateway.RolloutWave, now time.Time) bool {
	ro := r.Rollout
	if w.Count > 0 {
		figures, worse := v.judge()
		if worse != "" {
			w.Figures = figures
			r.back(gateway.RolloutFailed, worse, now)
			return true
		}
		if now.Before(ro.BakeUntil) {
			return false
		}
		w.Figures, w.PassedAt = figures, now.UTC()
	}
	if ro.Wave < len(ro.Waves) {
		ro.Wave++
		ro.State, ro.BakeUntil = gateway.RolloutRolling, time.Time{}
		r.advance(v, now)
		return true
	}
	r.Base, r.Target, r.Nodes = *r.Target, nil, nil
	reason := "All nodes run the change."
	if len(ro.LeftOut) > 0 {
		reason = "All nodes run the change but " + names(ro.LeftOut) + ", which get it when they come back."
	}
	r.end(gateway.RolloutDone, reason, now)
	return true
}

// leaveOut names the nodes that can not take part.
func (r *rolloutRecord) leaveOut(v *rolloutView) bool {
	var out []string
	for _, name := range r.Members {
		if n := v.nodes[name]; !n.live() && !n.wait {
			out = append(out, name)
		}
	}
	if slices.Equal(out, r.Rollout.LeftOut) {
		return false
	}
	r.Rollout.LeftOut = out
	return true
}

// has says whether a node was given the change.
func (r *rolloutRecord) has(node string) bool { return r.Nodes[node] == r.Target.Number }

// refusal is why a node with the change can not keep it.
func (r *rolloutRecord) refusal(v *rolloutView) string {
	for _, name := range r.Members {
		switch n := v.nodes[name]; {
		case !r.has(name) || !n.heard:
		case !n.Up:
			return fmt.Sprintf("nginx of node %s does not answer since it got the change.", name)
		case n.Revision == r.Target.Number && n.Refused != "":
			return fmt.Sprintf("Node %s refused the change: %s", name, n.Refused)
		}
	}
	return ""
}

// late are the nodes that have the change and do not run it yet.
func (r *rolloutRecord) late(v *rolloutView) (list []string) {
	for _, name := range r.Members {
		if n := v.nodes[name]; r.has(name) && (n.wait || n.live() && !(n.Revision == r.Target.Number && n.Runs)) {
			list = append(list, name)
		}
	}
	return list
}

// waiting says that the wave has too few nodes, and that some may still be heard.
func (r *rolloutRecord) waiting(v *rolloutView, w *gateway.RolloutWave) bool {
	return r.missing(v, w) > 0 && slices.ContainsFunc(r.Members, func(name string) bool { return v.nodes[name].wait })
}

// missing is how many more nodes have to run the change in the wave.
func (r *rolloutRecord) missing(v *rolloutView, w *gateway.RolloutWave) int {
	total, have := 0, 0
	for _, name := range r.Members {
		if n := v.nodes[name]; n.live() || n.wait {
			total++
			if r.has(name) {
				have++
			}
		}
	}
	return w.Size.Of(total) - have
}

// fill gives the change to as many nodes as the wave needs: first to those that had one that
// was superseded, so that no more nodes than needed leave the base. Once the wave bakes, one
// that falls silent is not replaced, since that would bring the change to more nodes.
func (r *rolloutRecord) fill(v *rolloutView, w *gateway.RolloutWave, now time.Time) bool {
	need := r.missing(v, w)
	last := r.Rollout.Wave == len(r.Rollout.Waves)
	if need <= 0 || !w.RunningAt.IsZero() && !last {
		return false
	}
	var free []string
	for _, name := range r.Members {
		if v.nodes[name].live() && !r.has(name) {
			free = append(free, name)
		}
	}
	slices.SortStableFunc(free, func(a, b string) int { return cmp.Compare(r.Nodes[b], r.Nodes[a]) })
	free = free[:min(need, len(free))]
	if len(free) == 0 {
		return false
	}
	if r.Nodes == nil {
		r.Nodes = map[string]uint64{}
	}
	for _, name := range free {
		r.Nodes[name] = r.Target.Number
	}
	w.Nodes = append(w.Nodes, free...)
	slices.Sort(w.Nodes)
	w.Count = len(w.Nodes)
	r.Rollout.State, w.StartedAt, w.RunningAt, r.Rollout.BakeUntil = gateway.RolloutRolling, now.UTC(), time.Time{}, time.Time{}
	return true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
