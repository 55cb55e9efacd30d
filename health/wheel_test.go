package health

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A wheel gives out what a sorted list would, for any interval and any pause of the process.
func TestWheel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	now := start
	w := newWheel(now)
	waiting := map[*probing]time.Time{}
	for range 20_000 {
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			p := &probing{}
			due := now.Add(time.Duration(rnd.Int64N(int64(30*time.Second))) - time.Second)
			if at := w.put(p, due); at.Before(due) || at.After(due.Add(tick)) && at.After(now.Add(2*tick)) {
				t.Fatalf("due at %s comes at %s, now %s", due.Sub(start), at.Sub(start), now.Sub(start))
			}
			if waiting[p] = due; due.Before(now) {
				waiting[p] = now
			}
		case 4:
			for p := range waiting { // any
				p.stopped = true
				delete(waiting, p)
				break
			}
		case 5:
			if rnd.IntN(100) == 0 {
				now = now.Add(time.Duration(rnd.Int64N(int64(time.Minute)))) // the process was stopped
			}
		default:
			next := w.next()
			for _, due := range waiting {
				if next.IsZero() || due.Add(2*tick).Before(next) && next.After(now.Add(2*tick)) {
					t.Fatalf("sleeps until %s, something is due at %s, now %s", next.Sub(start), due.Sub(start), now.Sub(start))
				}
			}
			now = now.Add(time.Duration(rnd.Int64N(int64(50 * time.Millisecond))))
		}
		w.take(now, func(p *probing) {
			due, ok := waiting[p]
			if !ok || due.After(now) {
				t.Fatalf("took out what is due at %s (waiting: %v), now %s", due.Sub(start), ok, now.Sub(start))
			}
			delete(waiting, p)
		})
		for _, due := range waiting {
			if now.Sub(due) > 2*tick {
				t.Fatalf("what is due at %s waits still, now %s", due.Sub(start), now.Sub(start))
			}
		}
	}
	w.take(now.Add(time.Hour), func(p *probing) { delete(waiting, p) })
	if w.count != 0 || len(waiting) != 0 || !w.next().IsZero() {
		t.Errorf("%d count, %d wait at the end", w.count, len(waiting))
	}
}
