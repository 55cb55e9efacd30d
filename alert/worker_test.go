package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// posted is a receiver in virtual time.
type posted struct {
	began    time.Time
	messages []string
	fail     func(n int) error
	tries    int
}

func (p *posted) post(_ context.Context, alerts []gateway.Alert) error {
	p.tries++
	if p.fail != nil {
		if err := p.fail(p.tries); err != nil {
			return err
		}
	}
	var ids []string
	for _, a := range alerts {
		id := a.ID
		if a.Resolved {
			id += "-over"
		}
		ids = append(ids, id)
	}
	p.messages = append(p.messages, fmt.Sprintf("%.0fs %s", time.Since(p.began).Seconds(), strings.Join(ids, " ")))
	return nil
}

func bubble(t *testing.T, r Receiver, p *posted, test func(w *worker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r.Name, r.Type, r.URL = "ops", TypeJSON, "http://127.0.0.1"
		r.Check(func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
		p.began = time.Now()
		w := &worker{receiver: r, queue: newQueue(), post: p.post, log: slog.New(slog.NewTextHandler(io.Discard, nil)), counts: map[string]uint64{}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		test(w)
		cancel()
		<-done
	})
}

func (w *worker) tell(ids ...string) {
	for _, id := range ids {
		name, over := strings.CutSuffix(id, "-over")
		w.queue.put(time.Now(), gateway.Alert{ID: name, Resolved: over})
	}
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("sent\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestFewAreSingleManyAreDigest(t *testing.T) {
	p := &posted{}
	bubble(t, Receiver{}, p, func(w *worker) {
		w.tell("a", "b")
		time.Sleep(10 * time.Second)
		w.tell("c", "d", "e", "f")
		time.Sleep(10 * time.Second)
	})
	same(t, p.messages, "1s a", "1s b", "11s c d e f")
}

func TestBurstKeepsToTheRate(t *testing.T) {
	p := &posted{}
	bubble(t, Receiver{PerMinute: 4}, p, func(w *worker) {
		for i := range 200 { // five in a second, for 40 s
			w.tell(fmt.Sprint(i))
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(3 * time.Minute)
	})
	told := 0
	for _, m := range p.messages {
		told += len(strings.Fields(m)) - 1
	}
	if len(p.messages) > 5 || told != 200 {
		t.Errorf("%d messages told %d of 200 alerts, want all of them in at most 5 messages: %s", len(p.messages), told, strings.Join(p.messages, "\n"))
	}
}

// A receiver that was gone for some time hears each condition once, as it is now.
func TestRetryTellsTheLatestState(t *testing.T) {
	p := &posted{fail: func(n int) error {
		if n <= 6 {
			return errors.New("connection refused")
		}
		return nil
	}}
	bubble(t, Receiver{}, p, func(w *worker) {
		w.tell("a", "b")
		time.Sleep(5 * time.Second)
		if s := w.status(); s.Error != "connection refused" || s.Waiting != 2 || s.RetryAt.IsZero() {
			t.Errorf("status in between: %+v", s)
		}
		w.tell("a-over", "c")
		time.Sleep(5 * time.Minute)
		if s := w.status(); s.Error != "" || s.Waiting != 0 || s.Sent.IsZero() || !s.RetryAt.IsZero() {
			t.Errorf("status at the end: %+v", s)
		}
		if w.counts[outcomeFailed] != 6 || w.counts[outcomeOK] != 3 {
			t.Errorf("counts %v, want 6 failed and 3 ok", w.counts)
		}
	})
	var order []string
	for _, m := range p.messages {
		order = append(order, strings.Fields(m)[1])
	}
	same(t, order, "b", "a-over", "c")
}

func TestPausesGrowAndEnd(t *testing.T) {
	var at []time.Duration
	p := &posted{}
	p.fail = func(int) error {
		at = append(at, time.Since(p.began))
		return errors.New("no")
	}
	bubble(t, Receiver{PerMinute: 100}, p, func(w *worker) {
		w.tell("a")
		time.Sleep(time.Hour)
	})
	for i := 2; i < len(at)-1; i++ {
		if was, is := at[i]-at[i-1], at[i+1]-at[i]; is > longestPause*6/5 || was < 2*time.Minute && is <= was {
			t.Errorf("pause %d is %s after %s", i, is, was)
		}
	}
	if len(at) < 12 || len(at) > 30 {
		t.Errorf("%d attempts in an hour", len(at))
	}
}

func TestRefusedIsNotTriedAgain(t *testing.T) {
	p := &posted{fail: func(n int) error {
		if n == 1 {
			return &RefusedError{"404"}
		}
		return nil
	}}
	bubble(t, Receiver{}, p, func(w *worker) {
		w.tell("a", "b")
		time.Sleep(time.Minute)
		if s := w.status(); s.Dropped != 1 || w.counts[outcomeRefused] != 1 {
			t.Errorf("status %+v, counts %v", s, w.counts)
		}
	})
	same(t, p.messages, "1s b")
}

func TestReceiverSaysWhen(t *testing.T) {
	p := &posted{fail: func(n int) error {
		if n == 1 {
			return &laterError{"slow down", 40 * time.Second}
		}
		return nil
	}}
	bubble(t, Receiver{}, p, func(w *worker) {
		w.tell("a")
		time.Sleep(2 * time.Minute)
	})
	same(t, p.messages, "41s a")
}

func TestQueueIsBounded(t *testing.T) {
	q := newQueue()
	for i := range queueRoom + 10 {
		q.put(start, gateway.Alert{ID: fmt.Sprint(i)})
	}
	if waits, dropped := q.count(); waits != queueRoom || dropped != 10 {
		t.Errorf("%d wait and %d are dropped, want %d and 10", waits, dropped, queueRoom)
	}
	batch := q.take(start)
	if batch[0].ID != "10" {
		t.Errorf("the oldest that is left is %s, want 10", batch[0].ID)
	}
	q.put(start, gateway.Alert{ID: "new"})
	q.giveBack(batch)
	if waits, dropped := q.count(); waits != queueRoom || dropped != 11 {
		t.Errorf("%d wait and %d are dropped, want %d and 11", waits, dropped, queueRoom)
	}
	if left := q.take(start.Add(tooOld + time.Second)); len(left) != 0 {
		t.Errorf("%d are told after %s", len(left), tooOld)
	}
	if _, dropped := q.count(); dropped != 11+queueRoom {
		t.Errorf("%d dropped, want those that are too old among them", dropped)
	}
}
