package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// leadTTL is how many seconds after its last sign of life a leader is taken for dead.
const leadTTL = 10

// Lead elects one process on the store for the work of that name. In the one that is elected
// it calls work, whose context ends when the process is not the leader any more; it then
// stands again. It goes on through restarts of etcd, and returns nil when ctx ends, or the
// error of work, or [ErrClosed].
//
// A leader that loses its connection learns that it was deposed only when its lease runs out,
// and may have a call under way then: work has to be such that a call of two is harmless.
func (s *Store) Lead(ctx context.Context, name, node string, work func(context.Context) error) error {
	pause := watchRetryMin
	for {
		led, err := s.leadOnce(ctx, name, node, work)
		var own workError
		switch {
		case ctx.Err() != nil:
			return nil
		case s.gate.err() != nil:
			return s.gate.err()
		case errors.As(err, &own):
			return own.error
		case led:
			pause = watchRetryMin
		}
		s.log.Warn("store: leadership lost or out of reach; standing again", "work", name, "retryIn", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-s.gate.long.Done():
			return s.gate.err()
		case <-time.After(pause):
		}
		pause = min(2*pause, watchRetryMax)
	}
}

// workError is an error of the work, and not of being elected.
type workError struct{ error }

func (s *Store) leadOnce(ctx context.Context, name, node string, work func(context.Context) error) (led bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, done := s.call(ctx)
	lease, err := s.client.Grant(c, leadTTL)
	done()
	if err != nil {
		return false, failed(ctx, "stand for "+name, err)
	}
	// The session lives as long as its context. It is closed by hand, with a time of its own.
	session, err := concurrency.NewSession(s.client, concurrency.WithLease(lease.ID), concurrency.WithContext(ctx))
	if err != nil {
		return false, failed(ctx, "stand for "+name, err)
	}
	defer s.resign(session)
	go func() {
		select {
		case <-session.Done():
		case <-s.gate.long.Done(): // an embedded etcd that was closed is silent
		case <-ctx.Done():
		}
		cancel()
	}()
	election := concurrency.NewElection(session, leadPrefix+name)
	if err := election.Campaign(clientv3.WithRequireLeader(ctx), node); err != nil {
		return false, fmt.Errorf("stand for %s: %w", name, err)
	}
	if err := work(ctx); err != nil {
		return true, workError{err}
	}
	return true, errors.New("the lease ran out")
}

// resign lets the next one lead at once.
func (s *Store) resign(session *concurrency.Session) {
	session.Orphan()
	c, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.client.Revoke(c, session.Lease()) // or it runs out by itself
}
