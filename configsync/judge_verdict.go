package configsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// verdict is what came of judging one tree.
type verdict struct {
	forms   map[string]form
	against map[string]*nginxconf.Complaint
	// unsettled is set when nginx refuses the tree and no file could be found to be at fault.
	unsettled *nginxconf.Complaint
}

func (v *verdict) named() []string { return slices.Sorted(maps.Keys(v.forms)) }

// problems says what is left out, and why. The lines are those of the tree that was judged.
func (v *verdict) problems(st *judgement, in job, probe *nginxconf.Tree) []gateway.Problem {
	var list []gateway.Problem
	for _, path := range v.named() {
		f := v.forms[path]
		if r, ok := st.refused[path]; ok {
			list = append(list, quarantineProblem(in.fleet, "node "+r.node, in.tree, path, f, &r.complaint))
		} else if c := v.against[path]; c != nil && probe.File(path) != nil {
			list = append(list, quarantineProblem(in.fleet, "fleet "+in.fleet, probe, path, f, c))
		}
	}
	if v.unsettled != nil {
		list = append(list, fleetProblem(in.fleet, v.unsettled, st.approved == nil))
	}
	return list
}

// judge lets the checking nginx decide about a tree. That nginx may be of another version than
// the nodes': then it gets the same snapshot in the words that it knows, and its verdict is
// about the files of the same names.
func (j *judge) judge(ctx context.Context, st *judgement, in job, v verdict) (verdict, *nginxconf.Tree) {
	version, modules, err := j.check.Build(ctx)
	if err != nil {
		j.count("unavailable")
		j.log.Debug("a bundle is checked by its nodes alone", "fleet", in.fleet, "reason", err)
		return v, in.tree
	}
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	st.prober.learn(in, version, modules)
	probe, facts := st.prober.probe(in)
	q := &quarantine{tree: probe, forms: maps.Clone(v.forms), floor: map[string]bool{},
		good: func(path string) *nginxconf.File { return j.newest(st, path, probe == in.tree) },
		check: func(ctx context.Context, t *nginxconf.Tree) (*nginxconf.Complaint, error) {
			return j.checked(ctx, st.prober.like, t, facts)
		},
	}
	for path := range v.forms {
		q.floor[path] = true
	}
	switch err := q.settle(ctx); {
	case errors.Is(err, errNoTenant):
		return verdict{forms: v.forms, unsettled: q.complain}, probe
	case err != nil:
		j.log.Warn("a bundle could not be checked, so its nodes alone check it", "fleet", in.fleet, "digest", in.tree.Digest, "error", err)
		return v, probe
	}
	return verdict{forms: q.forms, against: q.against}, probe
}

func (j *judge) newest(st *judgement, path string, same bool) *nginxconf.File {
	j.mu.Lock()
	defer j.mu.Unlock()
	if same {
		return st.good.newest(path)
	}
	return st.probe.newest(path)
}

// checked is Check with a memory of trees that are alike. Who asks for one that is being checked
// waits for that.
func (j *judge) checked(ctx context.Context, like *likeness, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error) {
	key := like.of(tree)
	for {
		j.mu.Lock()
		c, known := j.results.get(key)
		if !known {
			c, known = j.results.get(tree.Digest)
		}
		under := j.checking[key]
		if !known && under == nil {
			j.checking[key] = make(chan struct{})
		}
		j.mu.Unlock()
		switch {
		case known:
			return like.own(c), nil
		case under == nil:
			return j.checkNow(ctx, like, key, tree, facts)
		}
		select {
		case <-under: // if it has not found anything out, the loop does it again
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the check of a tree like it: %w", context.Cause(ctx))
		}
	}
}

// checkNow checks a tree, remembers the result under its key, and lets those go on who wait for
// that.
func (j *judge) checkNow(ctx context.Context, like *likeness, key string, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error) {
	c, err := j.check.Check(ctx, tree, facts)
	switch {
	case err != nil:
		j.count("unavailable")
	case c != nil:
		j.count("refused")
	default:
		j.count("ok")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case err != nil:
	case c != nil && nginxconf.IsUpstream(c.File): // its line is that of this tree's endpoints
		j.results.put(tree.Digest, like.common(c))
	default:
		j.results.put(key, like.common(c))
	}
	close(j.checking[key])
	delete(j.checking, key)
	return c, err
}

func (j *judge) count(result string) {
	j.mu.Lock()
	j.counts[result]++
	j.mu.Unlock()
}

// keepResults is how many trees' results are remembered.
const keepResults = 256

// results remembers what came of checks, the oldest is forgotten first.
type results struct {
	known map[string]*nginxconf.Complaint
	order []string
}

func (r *results) get(digest string) (*nginxconf.Complaint, bool) {
	c, ok := r.known[digest]
	return c, ok
}

func (r *results) put(digest string, c *nginxconf.Complaint) {
	if _, ok := r.known[digest]; ok {
		return
	}
	if r.known == nil {
		r.known = map[string]*nginxconf.Complaint{}
	}
	r.known[digest] = c
	if r.order = append(r.order, digest); len(r.order) > keepResults {
		delete(r.known, r.order[0])
		r.order = slices.Clone(r.order[1:])
	}
}
