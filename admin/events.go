package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// writeTimeout bounds one write to an event stream, so that a client that no longer reads
// does not hold a goroutine for ever.
const writeTimeout = 10 * time.Second

// StreamEvents follows what changes, until the client goes away.
func (s *server) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	return &stream{server: s, ctx: ctx, lastID: deref(r.Params.LastEventID)}, nil
}

// stream is one client's event stream. It is owned by the goroutine of its request.
type stream struct {
	*server
	ctx    context.Context
	lastID string

	out      http.ResponseWriter
	flush    *http.ResponseController
	snap     *gateway.Snapshot
	problems []gateway.Problem
	nodes    map[string]gateway.Node
	rollouts map[string]gateway.Rollout
}

// VisitStreamEventsResponse sends the stream.
//
// It ends when writing fails, the client goes away, or the process shuts down. An error is
// not reported: the answer has begun, and the usual one is a closed browser tab.
func (st *stream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	st.out, st.flush = w, http.NewResponseController(w)
	// Subscribe before the first look, so that nothing falls between the two.
	snapshots, cancel := st.Control.Subscribe()
	defer cancel()
	if err := st.start(); err != nil {
		return nil
	}
	ping, poll := time.NewTicker(st.Ping), time.NewTicker(st.Poll)
	defer ping.Stop()
	defer poll.Stop()
	for {
		var err error
		// The client goes away; the process shuts down; a new snapshot; time to look at what
		// nobody announces (nodes and their problems); time for a sign of life.
		select {
		case <-st.ctx.Done():
			return nil
		case <-st.Done:
			return nil
		case snap, ok := <-snapshots:
			if !ok {
				return nil
			}
			err = st.next(snap)
		case <-poll.C:
			err = st.look()
		case now := <-ping.C:
			err = st.send("ping", "", api.PingEvent{At: now.UTC()})
		}
		if err != nil {
			return nil
		}
	}
}

// start sends the state on connecting. A client that comes back and missed nothing is told
// so by resync being false.
func (st *stream) start() error {
	st.snap = st.Control.Snapshot()
	st.problems = st.server.problems(st.snap)
	st.nodes = byName(st.server.nodes(st.snap))
	st.rollouts = st.lastRollouts()
	e := st.event(st.snap, len(st.problems))
	e.Resync = st.lastID != "" && st.lastID != st.id(st.snap)
	return st.send("snapshot", st.id(st.snap), e)
}

func (st *stream) event(s *gateway.Snapshot, problems int) api.SnapshotEvent {
	return api.SnapshotEvent{
		Generation: s.Generation, Digest: s.Digest, VerdictDigest: s.VerdictDigest, Problems: problems,
		Upstreams: []gateway.UpstreamKey{}, Hosts: []string{},
	}
}

func (st *stream) id(s *gateway.Snapshot) string { return fmt.Sprintf("%s-%d", st.epoch, s.Generation) }

// next tells what a new snapshot changed.
func (st *stream) next(snap *gateway.Snapshot) error {
	if snap.Generation <= st.snap.Generation {
		return nil // seen already: it was the newest when the stream began
	}
	old := st.snap
	st.snap = snap
	e := st.event(snap, len(st.server.problems(snap)))
	var verdicts []gateway.Verdict
	changed(old.Hosts, snap.Hosts, compareHosts, func(a, b *gateway.Host) { e.Hosts = append(e.Hosts, either(a, b).Name) })
	changed(old.Upstreams, snap.Upstreams, gateway.CompareUpstreams, func(a, b *gateway.EffectiveUpstream) {
		e.Upstreams = append(e.Upstreams, either(a, b).Key)
		verdicts = append(verdicts, newVerdicts(a, b)...)
	})
	if err := st.send("snapshot", st.id(snap), e); err != nil {
		return err
	}
	for _, v := range verdicts {
		if err := st.send("verdict", "", v); err != nil {
			return err
		}
	}
	return st.look()
}

// newVerdicts are those of b that are not the same in a.
func newVerdicts(a, b *gateway.EffectiveUpstream) []gateway.Verdict {
	if a == nil || b == nil {
		return nil
	}
	var out []gateway.Verdict
	for _, e := range b.Endpoints {
		i := slices.IndexFunc(a.Endpoints, func(o gateway.Endpoint) bool { return o.Address == e.Address })
		if i >= 0 && !reflect.DeepEqual(a.Endpoints[i].Verdict, e.Verdict) {
			out = append(out, e.Verdict)
		}
	}
	return out
}

// look sends problems and nodes that changed. Nodes report every few seconds and have no
// subscription; a look each second costs less than keeping one right.
func (st *stream) look() error {
	if list := st.server.problems(st.snap); !slices.Equal(list, st.problems) {
		st.problems = list
		if err := st.send("problems", "", api.ProblemsEvent{Problems: list}); err != nil {
			return err
		}
	}
	now := st.server.nodes(st.snap)
	for _, n := range now {
		old, known := st.nodes[n.Fleet+"/"+n.Node]
		if known && reflect.DeepEqual(old, n) {
			continue
		}
		if err := st.send("node", "", n); err != nil {
			return err
		}
	}
	st.nodes = byName(now)
	return st.lookAtRollouts()
}

func byName(nodes []gateway.Node) map[string]gateway.Node {
	m := make(map[string]gateway.Node, len(nodes))
	for _, n := range nodes {
		m[n.Fleet+"/"+n.Node] = n
	}
	return m
}

// send writes one event. JSON has no line breaks, so one data line holds it.
func (st *stream) send(event, id string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	// Not every writer has deadlines; then the server's own hold.
	_ = st.flush.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := fmt.Fprintf(st.out, "%sevent: %s\ndata: %s\n\n", id, event, b); err != nil {
		return err
	}
	return st.flush.Flush()
}
