package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// owed is a message that waits for receivers, as a node shows it to the others, so that it
// outlives the node: who tells next goes on with it.
type owed struct {
	// Alert is whole if it is over. Of one that holds only the ID counts: how it is by then, the
	// others know.
	Alert gateway.Alert `json:"alert"`
	// Since is when it began to wait, so that its time goes on with the next node.
	Since     time.Time `json:"since"`
	Receivers []string  `json:"receivers"`
}

// orphan is what a node owed that is gone.
type orphan struct {
	owed
	of string    // the node's key
	at time.Time // when it was found to be gone
}

// owes lists what waits for the receivers: the newest, in a stable order.
func owes(workers []*worker) []owed {
	var out []owed
	at := map[string]int{}
	for _, w := range workers {
		for _, m := range w.queue.waiting() {
			key := m.ID
			if m.Resolved {
				key = mark(&m.Alert)
			}
			i, ok := at[key]
			if !ok {
				i, at[key] = len(out), len(out)
				o := owed{Alert: gateway.Alert{ID: m.ID}, Since: m.at.UTC()}
				if m.Resolved {
					o.Alert = m.Alert
					o.Alert.Detail = clip(m.Detail, shareDetail)
				}
				out = append(out, o)
			}
			out[i].Receivers = append(out[i].Receivers, w.receiver.Name)
			if m.at.Before(out[i].Since) {
				out[i].Since = m.at.UTC()
			}
		}
	}
	slices.SortFunc(out, func(a, b owed) int {
		if n := b.Since.Compare(a.Since); n != 0 {
			return n
		}
		return strings.Compare(mark(&a.Alert), mark(&b.Alert))
	})
	return out[:min(len(out), shareRoom)]
}

// adopt keeps what nodes owed that are gone, until it is known who tells on. One that is back,
// because its lease had only lapsed, tells by itself.
func (s *share) adopt(now time.Time, owedBy map[string][]owed) {
	for key, list := range s.owedBy {
		if _, there := owedBy[key]; there {
			continue
		}
		for _, o := range list {
			s.orphans = append(s.orphans, orphan{o, key, now})
		}
	}
	s.owedBy = owedBy
	s.orphans = slices.DeleteFunc(s.orphans, func(o orphan) bool {
		_, back := owedBy[o.of]
		return back
	})
}

// inherit hands out the orphans that still say something, if this node tells: what holds as it
// is now, and the end of what does not. The beginning of what is over meanwhile is left out:
// its end is told like any other.
func (s *share) inherit(now time.Time) (out []owed) {
	if !s.tells(now) {
		s.orphans = slices.DeleteFunc(s.orphans, func(o orphan) bool { return s.known && now.Sub(o.at) > untoldFor })
		return nil
	}
	for _, o := range s.orphans {
		is, holds := s.held[o.Alert.ID]
		if holds == o.Alert.Resolved {
			continue
		}
		if holds {
			o.Alert = is
		}
		out = append(out, o.owed)
	}
	s.orphans = nil
	return out
}
