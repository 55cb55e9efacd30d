package configsync

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// Reverts keeps what nodes are asked to take back, for all control planes of a store: a node may be
// away when it is asked, and report to another control plane, or to one that was started anew.
type Reverts interface {
	// Swap writes the record if the present one has that revision (0: there is none), and says
	// whether it did.
	Swap(ctx context.Context, record []byte, revision int64) (bool, error)
	// Watch calls handle with the record and its revision, and then with each new one. It goes on
	// through trouble with the store, and returns nil when ctx or the store ends.
	Watch(ctx context.Context, handle func(record []byte, revision int64)) error
}

const (
	// revertFor is how long a node that is away is waited for: an edit that is made again long
	// after it was taken back is another one, for another reason.
	revertFor = 24 * time.Hour
	// maxReverts bounds the record in bytes: etcd takes 1.5 MiB.
	maxReverts = 1 << 20
)

// revert is an edit that nodes are asked to take back. Files outside of the rendered tree are made
// when they are sent, of what the nodes have then.
type revert struct {
	Fleet   string    `json:"fleet"`
	Hunk    string    `json:"hunk"`
	Outside bool      `json:"outside,omitempty"` // of the rendered tree
	Nodes   []string  `json:"nodes"`             // that have not done it yet
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
}

// task is a revert for one node.
type task struct {
	hunk    string
	at      int64 // Unix nanoseconds: asked for again, it is another task
	outside bool
}

func (r *revert) task() task { return task{hunk: r.Hunk, at: r.At.UnixNano(), outside: r.Outside} }

func (r *revert) over(now time.Time) bool { return now.Sub(r.At) > revertFor }

// reverts is what a controller knows of them. It is guarded by its mu.
type reverts struct {
	store    Reverts
	list     []revert // never changed, only replaced
	revision int64    // of the list in the store
	loaded   bool
	of       map[protocol.Peer][]task // of list, by hunk
	done     map[protocol.Peer]map[task]bool
	stale    map[string]bool // fleets whose files outside of rendered trees are to be made
	kick     chan struct{}   // holds a value when there is work for followReverts
}

func newReverts(store Reverts) reverts {
	return reverts{store: store, loaded: store == nil, of: map[protocol.Peer][]task{}, done: map[protocol.Peer]map[task]bool{},
		stale: map[string]bool{}, kick: make(chan struct{}, 1)}
}

// set replaces the list, and forgets what is known of those that are gone.
func (r *reverts) set(list []revert) {
	r.list, r.of = list, map[protocol.Peer][]task{}
	for i := range list {
		for _, node := range list[i].Nodes {
			p := protocol.Peer{Fleet: list[i].Fleet, Node: node}
			r.of[p] = append(r.of[p], list[i].task())
		}
		if list[i].Outside {
			r.stale[list[i].Fleet] = true
		}
	}
	for _, tasks := range r.of {
		slices.SortFunc(tasks, func(a, b task) int { return cmp.Or(cmp.Compare(a.hunk, b.hunk), cmp.Compare(a.at, b.at)) })
	}
	for p, done := range r.done {
		for t := range done {
			if !slices.Contains(r.of[p], t) {
				delete(done, t)
			}
		}
		if len(done) == 0 {
			delete(r.done, p)
		}
	}
}

// due are the tasks that a node has not done.
func (r *reverts) due(p protocol.Peer, now time.Time) (list []task) {
	for _, t := range r.of[p] {
		if !r.done[p][t] && now.UnixNano()-t.at <= int64(revertFor) {
			list = append(list, t)
		}
	}
	return list
}

// finish says that a node has done tasks.
func (r *reverts) finish(p protocol.Peer, tasks []task) {
	if r.done[p] == nil {
		r.done[p] = map[task]bool{}
	}
	for _, t := range tasks {
		r.done[p][t] = true
	}
	r.nudge()
}

func (r *reverts) nudge() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// left is the list without what nodes have done and what is too old, which is returned too.
func (r *reverts) left(list []revert, now time.Time) (left, over []revert) {
	for _, one := range list {
		if one.over(now) {
			over = append(over, one)
			continue
		}
		t := one.task()
		one.Nodes = slices.DeleteFunc(slices.Clone(one.Nodes), func(node string) bool { return r.done[protocol.Peer{Fleet: one.Fleet, Node: node}][t] })
		if len(one.Nodes) > 0 {
			left = append(left, one)
		}
	}
	return left, over
}

// with is the list with one more, which takes the place of older ones of the same nodes.
func with(list []revert, one revert) (out []revert) {
	for _, old := range list {
		if old.Fleet == one.Fleet && old.Hunk == one.Hunk {
			old.Nodes = slices.DeleteFunc(slices.Clone(old.Nodes), func(n string) bool { return slices.Contains(one.Nodes, n) })
		}
		if len(old.Nodes) > 0 {
			out = append(out, old)
		}
	}
	return append(out, one)
}

func packReverts(list []revert) []byte {
	if list == nil {
		list = []revert{}
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("configsync: plain data always marshals: " + err.Error())
	}
	return b
}
