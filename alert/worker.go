package alert

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// gather is how long the first alert waits for others: what breaks together is told together.
	gather = time.Second
	// single is how many alerts are told one by one. More are a digest.
	single = 3
	// firstPause and longestPause are between attempts; each is twice the one before.
	firstPause, longestPause = time.Second, 5 * time.Minute
	// minute is what perMinute counts in.
	minute = time.Minute
)

// worker tells one receiver what waits for it. Only run sends.
type worker struct {
	receiver Receiver
	queue    *queue
	post     func(ctx context.Context, alerts []gateway.Alert) error
	log      *slog.Logger

	mu      sync.Mutex
	counts  map[string]uint64 // guarded by mu; attempts by outcome
	sentAt  time.Time         // guarded by mu
	problem string            // guarded by mu
	retryAt time.Time         // guarded by mu
}

// The outcomes of attempts.
const (
	outcomeOK      = "ok"
	outcomeFailed  = "failed"  // will be tried again
	outcomeRefused = "refused" // will not, since it would be refused again
)

var outcomes = []string{outcomeOK, outcomeFailed, outcomeRefused}

// run sends until ctx ends.
func (w *worker) run(ctx context.Context) {
	var recent []time.Time // of the messages of the last minute
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.queue.more:
		}
		if !sleep(ctx, gather) {
			return
		}
		for pause := firstPause; ; {
			now := time.Now()
			for len(recent) > 0 && now.Sub(recent[0]) >= minute {
				recent = recent[1:]
			}
			room := w.receiver.PerMinute - len(recent)
			if room <= 0 { // wait for the oldest to leave the minute; the rest gathers meanwhile
				if !sleep(ctx, recent[0].Add(minute).Sub(now)) {
					return
				}
				continue
			}
			batch := w.queue.take(now)
			if len(batch) == 0 {
				break
			}
			messages, err := w.send(ctx, batch, room)
			for range messages {
				recent = append(recent, time.Now())
			}
			if err == nil {
				pause = firstPause
				continue
			}
			if !sleep(ctx, w.delay(err, pause)) {
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// send tells a batch, one by one when they are few, and gives back what should be tried again.
// It returns how many messages it has tried, and the error after which to pause.
func (w *worker) send(ctx context.Context, batch []waiting, room int) (messages int, err error) {
	parts := [][]waiting{batch}
	if len(batch) <= min(single, room) {
		parts = parts[:0]
		for i := range batch {
			parts = append(parts, batch[i:i+1])
		}
	}
	for i, part := range parts {
		alerts := make([]gateway.Alert, len(part))
		for j := range part {
			alerts[j] = part[j].Alert
		}
		err := w.post(ctx, alerts)
		w.note(err)
		switch refused := (*RefusedError)(nil); {
		case err == nil:
			w.queue.sent(len(part))
		case errors.As(err, &refused):
			w.queue.sent(len(part))
			w.queue.drop(len(part))
			w.log.Error("a receiver refuses alerts", "receiver", w.receiver.Name, "alerts", len(part), "err", err)
		default:
			w.queue.giveBack(slices.Concat(parts[i:]...))
			return i + 1, err
		}
	}
	return len(parts), nil
}

// delay is how long to wait after a failure: what the receiver asks for, or the pause, give or
// take a fifth so that several nodes do not come at once.
func (w *worker) delay(err error, pause time.Duration) time.Duration {
	d := time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
	if later := (*laterError)(nil); errors.As(err, &later) {
		d = min(max(d, later.after), longestPause)
	}
	w.mu.Lock()
	first := w.retryAt.IsZero()
	w.retryAt = time.Now().Add(d)
	w.mu.Unlock()
	if first { // once for a whole row of failures
		w.log.Warn("alerts cannot be sent, and are tried again", "receiver", w.receiver.Name, "err", err)
	}
	return d
}

// note counts an attempt.
func (w *worker) note(err error) {
	refused := (*RefusedError)(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.counts[outcomeOK]++
		w.sentAt, w.problem, w.retryAt = time.Now(), "", time.Time{}
	case errors.As(err, &refused):
		w.counts[outcomeRefused]++
		w.problem, w.retryAt = err.Error(), time.Time{}
	default:
		w.counts[outcomeFailed]++
		w.problem = err.Error()
	}
}

// status tells people how the receiver is.
func (w *worker) status() gateway.AlertReceiver {
	waits, dropped := w.queue.count()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := gateway.AlertReceiver{Name: w.receiver.Name, Type: w.receiver.Type, Scope: w.receiver.Scope, Waiting: waits, Dropped: dropped, Error: w.problem}
	if !w.sentAt.IsZero() {
		out.Sent = w.sentAt.UTC()
	}
	if !w.retryAt.IsZero() {
		out.RetryAt = w.retryAt.UTC()
	}
	return out
}

// sleep waits, and says whether ctx still goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
