package etcd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxProblems bounds what a set says about keys, unreadable or out of service; beyond it they
// are counted.
const maxProblems = 20

// content is what a prefix holds, ready to be sent to every upstream that follows it.
type content struct {
	endpoints []gateway.SourceEndpoint // sorted by address, no address twice
	problems  []string
	out       []string // addresses that their keys take out, sorted
	refused   bool     // nobody may follow the prefix: there shall be nothing of it
}

func (c content) equal(o content) bool {
	return slices.Equal(c.endpoints, o.endpoints) && slices.Equal(c.problems, o.problems) && slices.Equal(c.out, o.out)
}

// entry is one key, read.
type entry struct {
	instance
	err      error
	revision int64 // of the last write
}

// table is the entries of one prefix by key. Its follower owns it.
type table map[string]entry

// put reads a key's value.
func (t table) put(kv *mvccpb.KeyValue) {
	e := entry{revision: kv.ModRevision}
	e.instance, e.err = parse(kv.Value)
	t[string(kv.Key)] = e
}

// content merges the entries. It depends on the entries only, not on the order in which
// they came.
func (t table) content() content {
	newest := make(map[string]entry, len(t))
	var unreadable, notes []string
	for _, key := range slices.Sorted(maps.Keys(t)) {
		e := t[key]
		if e.err != nil {
			unreadable = append(unreadable, fmt.Sprintf("key %.200q: %v", key, e.err))
		} else if e.note != "" {
			notes = append(notes, fmt.Sprintf("key %.200q: %s", key, e.note))
		}
		if a := e.endpoint.Address; a != "" && e.revision >= newest[a].revision {
			newest[e.endpoint.Address] = e
		}
	}
	problems := bounded(unreadable, "%d more keys cannot be read")
	problems = append(problems, bounded(notes, "%d more keys have a status that is worth a look")...)
	c := content{endpoints: make([]gateway.SourceEndpoint, 0, len(newest)), problems: problems}
	for _, e := range newest {
		if e.present {
			c.endpoints = append(c.endpoints, e.endpoint)
		} else {
			c.out = append(c.out, e.endpoint.Address)
		}
	}
	slices.Sort(c.out)
	slices.SortFunc(c.endpoints, func(a, b gateway.SourceEndpoint) int { return cmp.Compare(a.Address, b.Address) })
	return c
}

// bounded keeps the first problems and counts the others.
func bounded(problems []string, others string) []string {
	if more := len(problems) - maxProblems; more > 0 {
		return append(problems[:maxProblems], fmt.Sprintf(others, more))
	}
	return problems
}
