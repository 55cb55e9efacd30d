package enrol

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"
)

// Vault keeps one value that all replicas share.
type Vault interface {
	// Swap writes value when the value has that revision (0: there is none), and says whether
	// it did.
	Swap(ctx context.Context, value []byte, revision int64) (bool, error)
	// Watch calls handle with the value as it is (nil at revision 0: there is none) and then
	// with each new one, until ctx ends.
	Watch(ctx context.Context, handle func(value []byte, revision int64)) error
}

// Ledger keeps small values by name that all replicas share.
type Ledger interface {
	Entries(ctx context.Context) (map[string][]byte, error)
	// Get reads one entry and its revision; nil and 0: there is none.
	Get(ctx context.Context, entry string) (value []byte, revision int64, err error)
	// Swap is that of Vault.
	Swap(ctx context.Context, entry string, value []byte, revision int64) (bool, error)
	Delete(ctx context.Context, entry string) error
}

// DefaultLifetime of a node's certificate. Nodes renew after two thirds of it, so one may be
// away for ten days without a new token, and a stolen key is useless after a month.
const DefaultLifetime = 30 * 24 * time.Hour

// Config of an [Authority]. The five places in the store have to be set.
type Config struct {
	// Secrets keeps the authority's keys, and Refused whose certificates are refused.
	Secrets, Refused Vault
	// Tokens keeps the hashes of tokens, and Nodes who is enrolled.
	Tokens, Nodes Ledger
	// Lifetime of a node's certificate. Default DefaultLifetime.
	Lifetime time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

func (c *Config) complete() {
	c.Lifetime = cmp.Or(c.Lifetime, DefaultLifetime)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}
