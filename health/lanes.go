package health

// lanes decides which of the probes that are due may start. Every probe under way holds a
// socket, and one that is never answered holds it for the whole timeout, so that endpoints
// behind a black hole could take them all. Two rules keep them from it:
//
//   - Endpoints that did not answer in time take the slow lane, which has half of the room.
//     Those that answer, be it with a refusal, have the rest to themselves.
//   - The targets of one upstream get a quarter of the room, so that an upstream that goes
//     dark as a whole, before anyone knows, leaves the others theirs.
//
// What may not start waits, and upstreams with something that waits take turns. The owner of a
// lanes serialises the calls.
type lanes struct {
	room    int // probes under way, at most
	running int
	slow    int // of them, in the slow lane
	waiting int
	turns   [2][]*group // by lane: the upstreams that have something to start
}

// group is the targets of one upstream that are under way or wait for room.
type group struct {
	running int
	queue   [2][]*probing // by lane
	listed  [2]bool       // it stands in lanes.turns
}

const quickLane, slowLane = 0, 1

func laneOf(t *probing) int {
	if t.slow {
		return slowLane
	}
	return quickLane
}

// add makes t wait for its turn; [lanes.start] says whether that has come.
func (l *lanes) add(t *probing) {
	lane := laneOf(t)
	t.group.queue[lane] = append(t.group.queue[lane], t)
	l.waiting++
	l.list(t.group, lane)
}

// list gives the group turns if it has something to start and may.
func (l *lanes) list(g *group, lane int) {
	if !g.listed[lane] && len(g.queue[lane]) > 0 && g.running < max(1, l.room/4) {
		g.listed[lane] = true
		l.turns[lane] = append(l.turns[lane], g)
	}
}

// start takes out a target that may start now, or returns nil. The caller hands each one
// back by [lanes.done].
func (l *lanes) start() *probing {
	for lane := range l.turns {
		for len(l.turns[lane]) > 0 && l.running < l.room && (lane == quickLane || l.slow < max(1, l.room/2)) {
			g := l.turns[lane][0]
			l.turns[lane] = l.turns[lane][1:]
			g.listed[lane] = false
			t := l.pop(g, lane)
			l.list(g, lane)
			if t != nil {
				return t
			}
		}
	}
	return nil
}

// pop takes the next target that is still wanted, if the group may start one.
func (l *lanes) pop(g *group, lane int) *probing {
	for len(g.queue[lane]) > 0 && g.running < max(1, l.room/4) {
		t := g.queue[lane][0]
		g.queue[lane][0] = nil
		g.queue[lane] = g.queue[lane][1:]
		l.waiting--
		if t.stopped {
			continue
		}
		t.lane = uint8(lane)
		g.running++
		l.running++
		l.slow += lane
		return t
	}
	return nil
}

// done gives the room of t back.
func (l *lanes) done(t *probing) {
	g := t.group
	g.running--
	l.running--
	l.slow -= int(t.lane)
	l.list(g, quickLane)
	l.list(g, slowLane)
}
