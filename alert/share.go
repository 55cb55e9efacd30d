package alert

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// shareEvery is the shortest time between two notices of a node.
	shareEvery = time.Second
	// shareRoom bounds a notice: the worst alerts of a node, of about 700 bytes each.
	shareRoom, shareDetail = 400, 300
	// untoldFor is for how long a node that does not tell keeps what the one that does may have
	// missed: a leader that dies is known to be dead after ten seconds.
	untoldFor = 30 * time.Second
	// toldAfter is when a message has left a node, or is shown as owed, and toldFor is for how
	// long the others are shown that it has.
	toldAfter, toldFor = 3 * time.Second, time.Minute
	// aloneAfter is how long a node waits for the others before it tells for itself.
	aloneAfter = 15 * time.Second
)

// Board is where the nodes on one store see what each of them has found, for as long as it
// lives, and elect the one that tells of it.
type Board interface {
	// Post shows the newest of values under a key until ctx ends or the process does.
	Post(ctx context.Context, key string, values <-chan []byte) error
	// Watch calls handle with all that is shown, by key, whenever it changes, and with nil
	// when that is not known any more.
	Watch(ctx context.Context, handle func(map[string][]byte)) error
	// Lead calls work in one of the nodes at a time; its ctx ends with that.
	Lead(ctx context.Context, work func(context.Context) error) error
}

// shown is what a node shows the others: what holds, what it has told of late, and what still
// waits for receivers.
type shown struct {
	Alerts []gateway.Alert `json:"alerts"`
	Told   []string        `json:"told,omitempty"` // marks
	Owed   []owed          `json:"owed,omitempty"`
}

// mark names a message about an alert.
func mark(a *gateway.Alert) string {
	if a.Resolved {
		return a.ID + " over"
	}
	return a.ID + " " + string(a.Severity)
}

// share is what the nodes together know. It belongs to the goroutine of Run, which feeds it.
type share struct {
	key   string // on the board: unique, should two processes have one node's name
	posts chan []byte
	heard chan map[string][]byte
	leads chan bool

	others  map[string][]gateway.Alert
	known   bool      // the others are
	unknown time.Time // since when they are not
	leading bool
	held    map[string]gateway.Alert // of all nodes, by ID
	untold  map[string]waiting       // news that this node has not told, by ID
	told    map[string]time.Time     // when it told what, by mark
	owedBy  map[string][]owed        // of the others
	orphans []orphan
	posted  []byte
	next    time.Time // when the next notice may be posted
}

func newShare(node string) *share {
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	return &share{key: node + "/" + hex.EncodeToString(id[:]), posts: make(chan []byte, 1), heard: make(chan map[string][]byte, 1), leads: make(chan bool),
		held: map[string]gateway.Alert{}, untold: map[string]waiting{}, told: map[string]time.Time{}}
}

// Share shows the others what this node has found, takes what they have, and stands for being
// the one that tells, until ctx ends. [Config.Shared] has to be set, and Run to run.
func (a *Alerts) Share(ctx context.Context, board Board) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, done := a.share, make(chan error, 3)
	part := func(work func() error) {
		go func() {
			err := work()
			cancel()
			done <- err
		}()
	}
	part(func() error { return board.Post(ctx, s.key, s.posts) })
	part(func() error { return board.Watch(ctx, func(all map[string][]byte) { hand(ctx, s.heard, all) }) })
	part(func() error {
		return board.Lead(ctx, func(led context.Context) error {
			hand(ctx, s.leads, true)
			<-led.Done()
			hand(ctx, s.leads, false)
			return nil
		})
	})
	var first error
	for range 3 {
		if err := <-done; first == nil {
			first = err
		}
	}
	return first
}

// hand gives Run a value, unless ctx ends first.
func hand[T any](ctx context.Context, to chan<- T, v T) {
	select {
	case to <- v:
	case <-ctx.Done():
	}
}

// take takes the notices of the others; nil: they are not known any more. Then what they said
// last stands: that they can not be heard does not mean that all is well.
func (s *share) take(now time.Time, all map[string][]byte) (unread []string) {
	if all == nil {
		if s.known {
			s.known, s.unknown = false, now
		}
		return nil
	}
	s.known, s.others = true, map[string][]gateway.Alert{}
	owedBy := map[string][]owed{}
	for key, text := range all {
		var of shown
		if key == s.key {
			continue
		}
		if err := json.Unmarshal(text, &of); err != nil {
			unread = append(unread, key)
			owedBy[key] = s.owedBy[key]
			continue
		}
		s.others[key], owedBy[key] = of.Alerts, of.Owed
		maps.DeleteFunc(s.untold, func(_ string, w waiting) bool { return slices.Contains(of.Told, mark(&w.Alert)) })
	}
	s.adopt(now, owedBy)
	return unread
}

// tells says whether this node tells: because it leads, or has waited for the others for long.
func (s *share) tells(now time.Time) bool {
	return s.leading || !s.known && now.Sub(s.unknown) >= aloneAfter
}

// merge compares what holds for any node with what did before. It returns what this node has
// to tell: nothing while another one does.
func (s *share) merge(now time.Time, own, ownNews []gateway.Alert) (tell, ended []gateway.Alert) {
	all := s.all(own)
	for id, is := range all {
		if was, ok := s.held[id]; !ok || is.Severity.Above(was.Severity) {
			s.untold[id] = waiting{is, now}
		}
	}
	for id, was := range s.held {
		if _, ok := all[id]; ok {
			continue
		}
		was.Resolved, was.Ended, was.Detail = true, now.UTC(), ""
		for i := range ownNews {
			if n := &ownNews[i]; n.ID == id && n.Resolved {
				was.Ended, was.Detail = n.Ended, n.Detail
			}
		}
		ended = append(ended, was)
		s.untold[id] = waiting{was, now}
	}
	s.held = all
	if !s.tells(now) {
		if s.known { // whoever leads tells
			maps.DeleteFunc(s.untold, func(_ string, w waiting) bool { return now.Sub(w.at) > untoldFor })
		}
		return nil, ended
	}
	for _, w := range s.untold {
		tell = append(tell, w.Alert)
		s.told[mark(&w.Alert)] = now
	}
	clear(s.untold)
	slices.SortFunc(tell, func(a, b gateway.Alert) int { return a.Compare(&b) })
	return tell, ended
}

// all is what holds for any node: of one condition the worst, since the first, with the nodes
// that say so.
func (s *share) all(own []gateway.Alert) map[string]gateway.Alert {
	out, nodes := map[string]gateway.Alert{}, map[string][]string{}
	add := func(list []gateway.Alert) {
		for _, a := range list {
			nodes[a.ID] = append(nodes[a.ID], a.Node)
			if was, ok := out[a.ID]; ok {
				if !a.Severity.Above(was.Severity) {
					a, was = was, a
				}
				if was.Since.Before(a.Since) {
					a.Since = was.Since
				}
			}
			out[a.ID] = a
		}
	}
	add(own)
	for _, key := range slices.Sorted(maps.Keys(s.others)) {
		add(s.others[key])
	}
	for id, names := range nodes {
		a := out[id]
		slices.Sort(names)
		a.Node = strings.Join(slices.Compact(names), ", ")
		out[id] = a
	}
	return out
}

// post shows the others what this node has found and owes, when that has changed.
func (s *share) post(now time.Time, own []gateway.Alert, owes []owed) {
	if now.Before(s.next) {
		return // the next look does it
	}
	list := shown{Alerts: make([]gateway.Alert, 0, min(len(own), shareRoom)), Owed: owes}
	for _, a := range own[:min(len(own), shareRoom)] {
		a.Detail = clip(a.Detail, shareDetail)
		list.Alerts = append(list.Alerts, a)
	}
	maps.DeleteFunc(s.told, func(_ string, at time.Time) bool { return now.Sub(at) > toldFor })
	for _, what := range slices.Sorted(maps.Keys(s.told)) {
		if now.Sub(s.told[what]) >= toldAfter && len(list.Told) < shareRoom {
			list.Told = append(list.Told, what)
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic("alert: plain data always marshals: " + err.Error())
	}
	if bytes.Equal(text, s.posted) {
		return
	}
	select { // take out an older one that nobody has fetched
	case <-s.posts:
	default:
	}
	s.posts <- text
	s.posted, s.next = text, now.Add(shareEvery)
}
