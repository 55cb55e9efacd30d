package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// closeGrace is how long calls in flight may go on after Close has begun.
const closeGrace = 2 * time.Second

// Store is what people want, in etcd. Its methods may be called from any goroutine.
type Store struct {
	cfg    Config
	log    *slog.Logger
	engine engine
	client *clientv3.Client
	gate   *gate
	lock   *lock

	// maxOps and maxRequest bound one transaction.
	maxOps, maxRequest int
	// fresh is how an object is read as of its last acknowledged write. The one member of an embedded
	// etcd need not ask a quorum for that: it has applied what it acknowledges.
	fresh []clientv3.OpOption

	repair  repair
	writes  atomic.Int64
	closing sync.Once
	closed  error
}

// engine is what differs between an embedded etcd and a cluster.
type engine interface {
	connection() *clientv3.Client
	// defrag gives free pages of every member back to the file system.
	defrag(context.Context) error
	// tidy does so again for members that have got free pages since, and tells whether
	// there can be such.
	tidy(context.Context) (bool, error)
	status(context.Context) Status
	// unload gives memory back that only the start needed.
	unload() error
	close(*slog.Logger) error
}

// Open takes the lock on the data directory and starts the embedded etcd, or connects to
// the cluster. It fails within a bounded time, with an error that says what to check. The
// caller closes the store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.Log, gate: newGate(cfg.Before)}
	if cfg.DataDir != "" {
		if s.lock, err = lockDir(cfg.DataDir); err != nil {
			return nil, err
		}
	}
	if cfg.Etcd == nil {
		s.maxOps, s.maxRequest = embeddedTxnOps, embeddedRequest
		s.fresh = []clientv3.OpOption{clientv3.WithSerializable()}
		s.engine, err = orNil(startEmbedded(ctx, cfg, s.gate))
	} else {
		s.maxOps, s.maxRequest = cfg.Etcd.MaxTxnOps, clusterRequestSize
		s.engine, err = orNil(connectCluster(ctx, cfg, s.gate))
	}
	if err != nil {
		return nil, errors.Join(err, s.lock.release())
	}
	s.client = s.engine.connection()
	return s, nil
}

// orNil keeps a nil *T from becoming a non-nil engine.
func orNil[T engine](e T, err error) (engine, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Close ends watches at once, gives calls in flight two seconds, then stops etcd and
// releases the data directory. Calls that come later get [ErrClosed]. It may be called
// more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		// The order counts: an embedded etcd must not end while someone is inside.
		s.gate.shut(ErrClosed, closeGrace)
		err := s.engine.close(s.log)
		if s.closed = errors.Join(err, s.lock.release()); s.closed != nil {
			s.closed = fmt.Errorf("close store: %w", s.closed)
		}
	})
	return s.closed
}

// Client is the etcd client that the store uses, for reading and registering other keys:
// those below /sluice/v1/ belong to the store. Its calls are refused and its watches end
// when the store closes. With the embedded etcd, Client.Sync must not be called.
func (s *Store) Client() *clientv3.Client { return s.client }

// call bounds a single request.
func (s *Store) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.cfg.CallTimeout)
}
