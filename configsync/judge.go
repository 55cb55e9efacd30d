package configsync

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Checker lets an nginx beside the control plane judge trees. Its methods are called by
// several goroutines.
type Checker interface {
	// Build is the version and the modules of that nginx, or an error when there is none.
	Build(ctx context.Context) (version string, modules []string, err error)
	// Check returns nginx's complaint about a tree for a node with these facts, or nil. An
	// error says that nothing was found out.
	Check(ctx context.Context, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error)
}

// judgeTime bounds what is done about one tree, with all its checks.
const judgeTime = 10 * time.Minute

// judge decides what of a rendered tree goes out to nodes. Checks run in goroutines of their
// own, one for each kind of node of a fleet; until one is done the nodes keep what was found
// good before.
//
// mu guards everything below it.
type judge struct {
	check  Checker // nil: none
	log    *slog.Logger
	done   func() // called without locks after a judgement has changed
	closed <-chan struct{}
	keep   *keeper

	mu      sync.Mutex
	states  map[stateKey]*judgement
	results results
	counts  map[string]uint64 // of checks, by how they ended
	// checking are closed when the check of a likeness that is under way ends.
	checking map[string]chan struct{}
	// telling says that done is being called, and tellMore that it has to be once more.
	telling, tellMore bool
}

type stateKey struct {
	fleet, facts string
	content      uint64 // of a revision that is made anew, else 0
}

// judgement is what is known about the trees of one kind of nodes of a fleet.
type judgement struct {
	key      stateKey
	rendered string             // digest of the tree that was judged last
	approved *nginxconf.Tree    // what goes out for it, or before anything was judged nil
	problems []gateway.Problem  // of the tree that was judged last
	forms    map[string]form    // of the files of approved that are not as rendered
	good     fragments          // of approved trees
	probe    fragments          // of the same trees as the checking nginx gets them; often good itself
	shared   bool               // probe is good
	refused  map[string]refusal // by path: what nodes do not take
	next     *job
	busy     bool
	prober   prober // of the worker while busy, else of who holds judge.mu
}

// refusal is a version of a file that a node refused.
type refusal struct {
	content   [32]byte
	complaint nginxconf.Complaint
	node      string
}

// job is a tree to judge.
type job struct {
	fleet    string
	content  uint64 // see stateKey
	snapshot *gateway.Snapshot
	facts    gateway.NodeFacts
	tree     *nginxconf.Tree
}

func newJudge(cfg Config, done func(), closed <-chan struct{}) *judge {
	return &judge{check: cfg.Check, log: cfg.Log, done: done, closed: closed, keep: newKeeper(cfg.KeepFile, cfg.Log),
		states: map[stateKey]*judgement{}, counts: map[string]uint64{}, checking: map[string]chan struct{}{}}
}

// take returns what of a rendered tree goes out now, with the problems of that. A tree that
// nobody knows yet, nor one like it, is judged in the background, and done is called after it: it
// is pending, and what went out before still does.
func (j *judge) take(in job) (tree *nginxconf.Tree, problems []gateway.Problem, pending bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.state(stateKey{in.fleet, factsKey(in.facts), in.content})
	st.forget(in.tree)
	switch {
	case st.rendered == in.tree.Digest && st.approved != nil:
	case j.check == nil:
		j.finish(st, in, st.fromNodes(in.tree), in.tree)
	case j.known(st, in):
	default:
		st.next = &in
		if !st.busy {
			st.busy = true
			go j.work(st)
		}
	}
	if st.approved == nil {
		return &nginxconf.Tree{}, nil, true // an empty digest tells agents that there is nothing new
	}
	return st.approved, st.problems, st.rendered != in.tree.Digest
}

// state finds or makes the judgement of a kind of nodes. mu is held.
func (j *judge) state(key stateKey) *judgement {
	st := j.states[key]
	if st == nil {
		st = &judgement{key: key, good: j.keep.load(stateKey{fleet: key.fleet, facts: key.facts}), probe: fragments{}, refused: map[string]refusal{}, prober: prober{fleet: key.fleet}}
		for path, list := range st.good {
			st.probe[path] = slices.Clone(list)
		}
		j.states[key] = st
	}
	return st
}

// forget drops the refusals of versions that are not rendered any more.
func (st *judgement) forget(tree *nginxconf.Tree) {
	for path, r := range st.refused {
		if f := tree.File(path); f == nil || sha256.Sum256([]byte(f.Data)) != r.content {
			delete(st.refused, path)
		}
	}
}

// fromNodes is a verdict that rests on what nodes have refused alone. mu is held.
func (st *judgement) fromNodes(tree *nginxconf.Tree) verdict {
	v := verdict{forms: map[string]form{}}
	for path := range st.refused {
		v.forms[path] = neutral
		if st.good.newest(path) != nil {
			v.forms[path] = lastGood
		}
	}
	return v
}

// work judges the newest tree until there is none left.
func (j *judge) work(st *judgement) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-j.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		j.mu.Lock()
		in := st.next
		st.next = nil
		if in == nil || ctx.Err() != nil {
			st.busy = false
			j.mu.Unlock()
			return
		}
		if j.states[st.key] != st { // its fleet is gone
			j.mu.Unlock()
			return
		}
		v := st.fromNodes(in.tree)
		j.mu.Unlock()
		v, probe := j.judge(ctx, st, *in, v)
		if ctx.Err() != nil {
			continue
		}
		j.mu.Lock()
		j.finish(st, *in, v, probe)
		j.mu.Unlock()
		j.tell()
	}
}

// known settles a tree that is like one that nginx took before, and says whether it is. mu is
// held.
func (j *judge) known(st *judgement, in job) bool {
	v := st.fromNodes(in.tree)
	if st.busy || st.prober.renderer == nil || len(v.forms) > 0 {
		return false
	}
	probe, _ := st.prober.probe(in)
	if c, known := j.results.get(st.prober.like.of(probe)); !known || c != nil {
		return false
	}
	j.finish(st, in, v, probe)
	return true
}

// tell calls done. Judgements that end meanwhile, such as those of nodes that wait for the same
// check, are told together.
func (j *judge) tell() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tellMore = true; j.telling {
		return
	}
	for j.telling = true; j.tellMore; {
		j.tellMore = false
		j.mu.Unlock()
		j.done()
		j.mu.Lock()
	}
	j.telling = false
}

// finish stores a verdict. mu is held.
func (j *judge) finish(st *judgement, in job, v verdict, probe *nginxconf.Tree) {
	st.rendered = in.tree.Digest
	st.problems = v.problems(st, in, probe)
	if v.unsettled != nil && st.approved != nil {
		return
	}
	out := inForms(in.tree, v.forms, st.good.newest)
	st.approved, st.forms = &out, v.forms
	st.good.add(in.tree, v.forms)
	if probe == in.tree {
		st.probe, st.shared = st.good, true
	} else {
		if st.shared {
			st.probe, st.shared = fragments{}, false
		}
		st.probe.add(probe, v.forms)
	}
	if st.key.content == 0 {
		j.keep.save(st.key, v.forms, st.good)
	}
	if len(v.forms) > 0 {
		j.log.Warn("parts of a bundle are left out, because nginx refuses them", "fleet", in.fleet, "digest", out.Digest, "parts", v.named())
	}
}

// refuse takes a node's complaint about a bundle that is desired: the file that it names goes
// out in its last good version from now on, as long as it stays the same. It says whether
// that is news. A complaint about a file that is no tenant's says nothing about tenants.
func (j *judge) refuse(fleet, facts, node string, tree *nginxconf.Tree, failed *gateway.ApplyFailure) bool {
	f := tree.File(failed.File)
	if f == nil || f.Tenant() == "" {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.state(stateKey{fleet: fleet, facts: facts})
	content := sha256.Sum256([]byte(f.Data))
	if st.refused[f.Path].content == content || st.forms[f.Path] == neutral {
		return false
	}
	st.refused[f.Path] = refusal{content: content, node: node, complaint: nginxconf.Complaint{Message: failed.Message, File: failed.File, Line: failed.Line}}
	st.good.drop(f.Path, content)
	st.probe.drop(f.Path, content)
	st.rendered = "" // judge it anew
	return true
}

// drop forgets fleets and kinds of nodes that are not in use any more.
func (j *judge) drop(used func(stateKey) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key := range j.states {
		if !used(key) {
			delete(j.states, key)
		}
	}
}
