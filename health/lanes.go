package health

// lanes decides which of the probes that are due may start. Every probe under way holds a
// socket, and one that is never answered holds it for the whole timeout, so that endpoints
// behind a black hole could take all the room. Three rules keep them from it:
//
//   - The slow lane has half of the room, and is for endpoints that did not answer in time,
//     or whose siblings of late did not. The other half is the others'.
//   - In the quick lane an upstream has no more than a 64th of the room: who answers within
//     milliseconds needs no more. What it has to start on top of that takes the slow lane,
//     too, since nobody knows yet that an upstream has gone dark.
//   - In both lanes together an upstream has a quarter of the room.
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
	running [2]int        // by lane
	queue   [2][]*probing // by the lane that they were put in
	listed  [2]bool       // it stands in lanes.turns
	silent  int           // results in a row, of any target, that came late or not at all
}

const quickLane, slowLane = 0, 1

// dark upstreams do not get the quick lane: that many results in a row were late.
const dark = 2

// add makes t wait for its turn; [lanes.start] says whether that has come.
func (l *lanes) add(t *probing) {
	lane := quickLane
	if t.slow {
		lane = slowLane
	}
	t.group.queue[lane] = append(t.group.queue[lane], t)
	l.waiting++
	l.list(t.group)
}

// list gives the group turns in the lanes that it may take.
func (l *lanes) list(g *group) {
	for lane := range l.turns {
		if !g.listed[lane] && l.choose(g, lane) >= 0 {
			g.listed[lane] = true
			l.turns[lane] = append(l.turns[lane], g)
		}
	}
}

// choose says from which queue the group may start something in the lane, or -1.
func (l *lanes) choose(g *group, lane int) int {
	quick := g.silent < dark && g.running[quickLane] < max(1, l.room/64)
	switch {
	case g.running[quickLane]+g.running[slowLane] >= max(1, l.room/4):
		return -1
	case lane == slowLane && len(g.queue[slowLane]) > 0:
		return slowLane
	case len(g.queue[quickLane]) > 0 && quick == (lane == quickLane):
		return quickLane
	}
	return -1
}

// start takes out a target that may start now, or returns nil. The caller hands each one
// back by [lanes.done].
func (l *lanes) start() *probing {
	for lane := range l.turns {
		for len(l.turns[lane]) > 0 && l.running < l.room && (lane == quickLane || l.slow < max(1, l.room/2)) {
			g := l.turns[lane][0]
			l.turns[lane][0] = nil
			l.turns[lane] = l.turns[lane][1:]
			g.listed[lane] = false
			t := l.pop(g, lane)
			l.list(g)
			if t != nil {
				return t
			}
		}
	}
	return nil
}

// pop takes the group's next target for the lane that is still wanted.
func (l *lanes) pop(g *group, lane int) *probing {
	for from := l.choose(g, lane); from >= 0; from = l.choose(g, lane) {
		t := g.queue[from][0]
		g.queue[from][0] = nil
		g.queue[from] = g.queue[from][1:]
		l.waiting--
		if t.stopped {
			continue
		}
		t.lane = uint8(lane)
		g.running[lane]++
		l.running++
		l.slow += lane
		return t
	}
	return nil
}

// done gives the room of t back. Late says that its result came late or not at all.
func (l *lanes) done(t *probing, late bool) {
	g := t.group
	t.slow = late
	if g.silent++; !late {
		g.silent = 0
	}
	g.running[t.lane]--
	l.running--
	l.slow -= int(t.lane)
	l.list(g)
}
