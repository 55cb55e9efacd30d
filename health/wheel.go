package health

import "time"

const (
	// tick is the resolution of the wheel: probes that are due within one start together.
	tick = 10 * time.Millisecond
	// spokes times tick is one turn, 10.24 s: longer than most intervals, so that most
	// probes are looked at once, when they are due.
	spokes = 1 << 10
)

// wheel is a hashed timer wheel: it keeps the targets that wait for their next probe by when
// that is due. Putting one in costs the same among fifty thousand as among five, and what
// is due comes out in one go: the process wakes a hundred times a second at most. Fifty
// thousand timers of the runtime would wake it for every probe, and cost a goroutine or a
// channel each. Its owner serialises the calls; time comes in as an argument.
type wheel struct {
	epoch  time.Time
	at     int64 // the tick up to which targets were taken out
	spokes [spokes][]*probing
	count  int
}

func newWheel(now time.Time) *wheel { return &wheel{epoch: now} }

// ticksUntil is the tick at which something that is due at t has to be taken out: never early.
func (w *wheel) ticksUntil(t time.Time) int64 {
	return int64((t.Sub(w.epoch) + tick - 1) / tick)
}

// put keeps t until the time, and says when it will be taken out.
func (w *wheel) put(t *probing, due time.Time) time.Time {
	t.due = max(w.ticksUntil(due), w.at+1)
	s := &w.spokes[t.due%spokes]
	*s = append(*s, t)
	w.count++
	return w.time(t.due)
}

func (w *wheel) time(ticks int64) time.Time { return w.epoch.Add(time.Duration(ticks) * tick) }

// take hands out what is due at now, in the order of the ticks, and drops what has stopped.
func (w *wheel) take(now time.Time, give func(*probing)) {
	last := int64(now.Sub(w.epoch) / tick)
	// After a turn every spoke has been seen: a process that was stopped for an hour looks at
	// none twice.
	for from := max(w.at+1, last-spokes+1); from <= last; from++ {
		s := w.spokes[from%spokes]
		kept := s[:0]
		for _, t := range s {
			switch {
			case t.stopped:
				w.count--
			case t.due <= last:
				w.count--
				give(t)
			default:
				kept = append(kept, t)
			}
		}
		clear(s[len(kept):]) // so that the collector gets what went
		w.spokes[from%spokes] = kept
	}
	w.at = max(w.at, last)
}

// next is when the next spoke that holds something comes round; zero when none does.
func (w *wheel) next() time.Time {
	if w.count == 0 {
		return time.Time{}
	}
	for t := w.at + 1; t <= w.at+spokes; t++ {
		if len(w.spokes[t%spokes]) > 0 {
			return w.time(t)
		}
	}
	return time.Time{}
}
