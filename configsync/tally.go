package configsync

import (
	"maps"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// maxServers is for how many servers a node's answers are counted apart. Those of all others
// count in the sum only.
const maxServers = 500

// counts only grow.
type counts struct {
	Requests      uint64 `json:"r,omitempty"` // that clients made, as far as an endpoint was asked or they failed
	Errors        uint64 `json:"e,omitempty"` // of them with 5xx answers
	Exchanges     uint64 `json:"x,omitempty"` // with endpoints
	ConnectErrors uint64 `json:"c,omitempty"` // of them without a connection
}

func (c counts) plus(o counts) counts {
	return counts{c.Requests + o.Requests, c.Errors + o.Errors, c.Exchanges + o.Exchanges, c.ConnectErrors + o.ConnectErrors}
}

// since is how much was counted after o. Counting begins anew in another process.
func (c counts) since(o counts) counts {
	if c.Requests < o.Requests || c.Exchanges < o.Exchanges || c.Errors < o.Errors || c.ConnectErrors < o.ConnectErrors {
		return c
	}
	return counts{c.Requests - o.Requests, c.Errors - o.Errors, c.Exchanges - o.Exchanges, c.ConnectErrors - o.ConnectErrors}
}

func (c counts) public(nodes int) gateway.RolloutCounts {
	return gateway.RolloutCounts{Nodes: nodes, Requests: c.Requests, Errors: c.Errors, Exchanges: c.Exchanges, ConnectErrors: c.ConnectErrors}
}

// tally counts by the first name of nginx's server, and everything.
type tally map[string]counts

// add counts a batch of a node.
func (t tally) add(in *protocol.Outcomes) {
	sum := t[everything]
	for _, e := range in.Endpoints {
		for _, r := range e.Runs {
			sum.Exchanges += uint64(r.Count)
			if r.Failure == gateway.FailureConnect {
				sum.ConnectErrors += uint64(r.Count)
			}
		}
	}
	for _, a := range in.Answers {
		one := counts{Requests: uint64(a.Count), Errors: uint64(a.Errors)}
		sum = sum.plus(one)
		if c, known := t[a.Server]; a.Server != everything && (known || len(t) < maxServers) {
			t[a.Server] = c.plus(one)
		}
	}
	t[everything] = sum
}

// merge adds what was counted after before.
func (t tally) merge(now, before tally) {
	for server, c := range now {
		if c = c.since(before[server]); c != (counts{}) {
			t[server] = t[server].plus(c)
		}
	}
}

// lookback is how far back the time before a change reaches: between one and two of it.
const lookback = time.Minute

// meter is what the leader has seen of the nodes of a fleet. Counts of several control planes
// come together in it.
type meter struct {
	now        map[string]tally // by node
	old, older map[string]tally // about a lookback ago, and two
	turned     time.Time
	revision   uint64           // of the rollout that before was taken for
	before     map[string]tally // what nodes did before it
	since      time.Time        // since when the wave runs
	mark       map[string]tally // now at since
}

// take brings the meter up to date.
func (m *meter) take(now map[string]tally, at time.Time) {
	m.now = now
	if at.Sub(m.turned) >= lookback {
		m.older, m.old, m.turned = m.old, copied(now), at
	}
}

// begin notes what nodes did before a rollout.
func (m *meter) begin(revision uint64) {
	if m.revision == revision {
		return
	}
	m.revision, m.before = revision, map[string]tally{}
	past := m.older
	if past == nil {
		past = m.old
	}
	for node, t := range m.now {
		m.before[node] = tally{}
		m.before[node].merge(t, past[node])
	}
}

// count begins to count for a wave.
func (m *meter) count(since time.Time) {
	if !m.since.Equal(since) {
		m.since, m.mark = since, copied(m.now)
	}
}

// sum is what nodes did since the wave runs.
func (m *meter) sum(nodes []string) tally {
	out := tally{}
	for _, node := range nodes {
		out.merge(m.now[node], m.mark[node])
	}
	return out
}

// sumBefore is what they did before the rollout.
func (m *meter) sumBefore(nodes []string) tally {
	out := tally{}
	for _, node := range nodes {
		out.merge(m.before[node], nil)
	}
	return out
}

func copied(all map[string]tally) map[string]tally {
	out := make(map[string]tally, len(all))
	for node, t := range all {
		out[node] = maps.Clone(t)
	}
	return out
}
