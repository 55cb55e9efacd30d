package dns

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The pause after a failure: doubled from the first to the longest.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// follower asks one question again and again.
type follower struct {
	question question
	cancel   context.CancelFunc

	// The fields below belong to the loop in Source.Run.
	wants map[gateway.SetKey]bool
	known *finding // nil until there was an answer
}

// news is what a lookup came to.
type news struct {
	from  *follower
	found *finding // nil: no answer, or one that has to be confirmed
	err   error
}

// run follows the question until ctx ends. tell receives what came of each lookup.
func (f *follower) run(ctx context.Context, s *Source, tell func(news)) {
	denied, first, pause := 0, 0, firstPause
	for ctx.Err() == nil {
		found, err := s.lookup(ctx, f.question, first)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			tell(news{from: f, err: err})
			wait, pause = pause/2+rand.N(pause/2), min(2*pause, longestPause)
		case found.doubtful && denied == 0:
			tell(news{from: f})
			denied, pause = 1, firstPause
			wait = s.cfg.Confirm
		default:
			pause = firstPause
			if !found.doubtful {
				denied = 0
			}
			tell(news{from: f, found: &found})
			wait = s.clamp(found.ttl)
			wait += rand.N(wait/10 + 1) // not before the answer is stale, or a cache gives it again
		}
		first = denied // the second opinion is another server's
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
