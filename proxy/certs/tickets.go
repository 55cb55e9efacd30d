package certs

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"
)

// Vault keeps one value that all nodes share.
type Vault interface {
	// Swap writes value when the value has that revision (0: there is none), and says
	// whether it did.
	Swap(ctx context.Context, value []byte, revision int64) (bool, error)
	// Watch calls handle with the value as it is (nil at revision 0: there is none) and
	// then with each new one, until ctx ends.
	Watch(ctx context.Context, handle func(value []byte, revision int64)) error
}

// TicketKeys are the keys of session tickets. Current makes tickets; all three open them:
// Previous those from before the rotation, Next those of nodes that have rotated already.
type TicketKeys struct {
	// Rotated is when Current came into force.
	Rotated  time.Time `json:"rotated"`
	Current  []byte    `json:"current"`
	Previous []byte    `json:"previous"`
	Next     []byte    `json:"next"`
}

const ticketKeySize = 32

// usable says whether the keys can be used; what another version wrote may not.
func (k *TicketKeys) usable() bool {
	return len(k.Current) == ticketKeySize && len(k.Previous) == ticketKeySize && len(k.Next) == ticketKeySize
}

// rotated gives the keys that follow k at now. Those that follow unusable ones are new.
func (k *TicketKeys) rotated(now time.Time) TicketKeys {
	fresh := func() []byte {
		b := make([]byte, ticketKeySize)
		_, _ = rand.Read(b) // never fails, says crypto/rand
		return b
	}
	if !k.usable() {
		return TicketKeys{Rotated: now, Current: fresh(), Previous: fresh(), Next: fresh()}
	}
	return TicketKeys{Rotated: now, Current: k.Next, Previous: k.Current, Next: fresh()}
}

func (k *TicketKeys) list() [][32]byte {
	return [][32]byte{[32]byte(k.Current), [32]byte(k.Previous), [32]byte(k.Next)}
}

// TicketsConfig configures Tickets. Vault and Apply have to be set.
type TicketsConfig struct {
	Vault Vault
	// Apply puts keys into force on this node.
	Apply func(keys [][32]byte)
	// Every is how long a key makes tickets. Default 12h: a session can be resumed for
	// between one and two times as long.
	Every time.Duration
	Log   *slog.Logger
}

// Tickets keeps the keys of session tickets the same on all nodes, and rotates them: the
// node that comes first does it for all. Until the keys are there crypto/tls uses its own.
type Tickets struct {
	cfg      TicketsConfig
	now      TicketKeys
	revision int64
}

// NewTickets returns what Run runs.
func NewTickets(cfg TicketsConfig) *Tickets {
	cfg.Every = cmp.Or(cfg.Every, 12*time.Hour)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	return &Tickets{cfg: cfg}
}

// ticketsRetry is the pause after a rotation that failed.
const ticketsRetry = time.Minute

// Run follows and rotates the keys until ctx ends. Call it once.
func (t *Tickets) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type state struct {
		value    []byte
		revision int64
	}
	seen, ended := make(chan state), make(chan error, 1)
	go func() {
		ended <- t.cfg.Vault.Watch(ctx, func(value []byte, revision int64) {
			select {
			case seen <- state{value, revision}:
			case <-ctx.Done():
			}
		})
	}()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	// Three things happen: somebody has written keys, they are due for a rotation, and the
	// watch ends, which it does with ctx or when the store is closed.
	for {
		select {
		case s := <-seen:
			due.Reset(t.take(s.value, s.revision, time.Now()))
		case <-due.C:
			due.Reset(t.rotate(ctx, time.Now()))
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// take puts keys into force and returns when they are due.
func (t *Tickets) take(value []byte, revision int64, now time.Time) time.Duration {
	t.now, t.revision = TicketKeys{}, revision
	if value != nil {
		if err := json.Unmarshal(value, &t.now); err != nil || !t.now.usable() {
			t.cfg.Log.Warn("shared session ticket keys cannot be read and are replaced", "err", err)
			t.now = TicketKeys{}
		}
	}
	if !t.now.usable() {
		return 0
	}
	t.cfg.Apply(t.now.list())
	return max(0, t.now.Rotated.Add(t.cfg.Every).Sub(now))
}

// rotate writes the next keys. They come into force when the watch brings them, as those of
// another node that was faster do.
func (t *Tickets) rotate(ctx context.Context, now time.Time) time.Duration {
	next := t.now.rotated(now)
	value, err := json.Marshal(next)
	if err != nil {
		panic("certs: keys always marshal: " + err.Error())
	}
	if _, err := t.cfg.Vault.Swap(ctx, value, t.revision); err != nil && ctx.Err() == nil {
		t.cfg.Log.Warn("session ticket keys were not rotated; trying again", "err", err, "in", ticketsRetry)
	}
	return ticketsRetry // the watch brings the new keys before that
}
