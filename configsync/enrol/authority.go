package enrol

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// Authority is one replica's part of the control plane's authority.
//
// Run follows the store and replaces secrets and refused, which are never changed; everything
// else may be called by any goroutine.
type Authority struct {
	cfg     Config
	ready   chan struct{} // closed when both are there for the first time
	once    sync.Once
	secrets atomic.Pointer[secrets]
	refused atomic.Pointer[refusals]

	mu     sync.Mutex
	server *tls.Certificate // guarded by mu; nil: none was needed yet
	signer *secrets         // guarded by mu; that server was signed by
}

// New returns what Run keeps up to date.
func New(cfg Config) *Authority {
	cfg.complete()
	return &Authority{cfg: cfg, ready: make(chan struct{})}
}

// retry is the pause after a write to the store that failed.
const retry = 2 * time.Second

// Run follows the store until ctx ends: it makes the secrets where there are none, rotates them,
// and learns who is refused.
func (a *Authority) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.keepSecrets(ctx) })
	g.Go(func() error {
		return a.cfg.Refused.Watch(ctx, func(value []byte, revision int64) {
			r, err := readRefusals(value, revision)
			if err != nil {
				a.cfg.Log.Error("the list of revoked nodes can not be read; the one before counts", "error", err)
				return
			}
			a.refused.Store(r)
			a.begin()
		})
	})
	return g.Wait()
}

// begin tells those who wait, once everything is there.
func (a *Authority) begin() {
	if a.secrets.Load() != nil && a.refused.Load() != nil {
		a.once.Do(func() { close(a.ready) })
	}
}

// Wait blocks until the authority can be used, or ctx ends.
func (a *Authority) Wait(ctx context.Context) error {
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: the authority has not been read from the store yet", gateway.ErrUnavailable)
	}
}

func (a *Authority) keepSecrets(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type state struct {
		value    []byte
		revision int64
	}
	seen, ended := make(chan state), make(chan error, 1)
	go func() {
		ended <- a.cfg.Secrets.Watch(ctx, func(value []byte, revision int64) {
			select {
			case seen <- state{value, revision}:
			case <-ctx.Done():
			}
		})
	}()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	var now state
	// Somebody has written secrets; they are missing or due for a rotation; the watch ends,
	// which it does with ctx or when the store is closed.
	for {
		select {
		case now = <-seen:
			if wait, ok := a.takeSecrets(now.value); ok {
				due.Reset(wait)
			} else {
				due.Stop()
			}
		case <-due.C:
			if err := a.writeSecrets(ctx, now.value, now.revision); err != nil && ctx.Err() == nil {
				a.cfg.Log.Warn("the authority's secrets were not written; trying again", "error", err, "in", retry)
			}
			due.Reset(retry) // the watch brings them before that
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// takeSecrets puts secrets into force and says when they are to be written anew. Those that can
// not be read are never replaced: nodes trust them.
func (a *Authority) takeSecrets(value []byte) (wait time.Duration, ok bool) {
	if value == nil {
		return 0, true
	}
	s, err := readSecrets(value)
	if err != nil {
		a.cfg.Log.Error("the authority in the store can not be read, so no node can enrol; restore the store from a backup, or run the version that wrote it", "error", err)
		return 0, false
	}
	a.secrets.Store(s)
	a.begin()
	return max(0, s.Rotated.Add(keyLifetimes*a.cfg.Lifetime).Sub(a.cfg.Now())), true
}

// writeSecrets writes the first or the next ones. Another replica may be faster.
func (a *Authority) writeSecrets(ctx context.Context, value []byte, revision int64) error {
	var next shared
	var err error
	if value == nil {
		next, err = makeSecrets(a.cfg.Now())
	} else if err = json.Unmarshal(value, &next); err == nil {
		next = next.rotated(a.cfg.Now())
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	_, err = a.cfg.Secrets.Swap(ctx, text, revision)
	return err
}

// Sign vouches for a bundle.
func (a *Authority) Sign(s protocol.Statement) (protocol.Envelope, error) {
	keys := a.secrets.Load()
	if keys == nil {
		return protocol.Envelope{}, errNotReady
	}
	s.IssuedAt = a.cfg.Now().UTC()
	return protocol.Sign(s, keys.bundle)
}

var errNotReady = fmt.Errorf("%w: %w", gateway.ErrUnavailable, errors.New("the control plane is starting: its authority has not been read from the store yet"))
