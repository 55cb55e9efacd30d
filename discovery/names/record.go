package names

import (
	"context"
	"time"
)

// Phase says how far the announcement of a name is.
type Phase string

// The phases of a name.
const (
	Announcing  Phase = "announcing"  // decided, not known to be done
	Announced   Phase = "announced"   // done
	Withdrawing Phase = "withdrawing" // decided, not known to be done
)

// Record is what is known about a name.
type Record struct {
	Host    string  `json:"host"`
	Service Service `json:"service"`
	Target  Target  `json:"target"`
	Phase   Phase   `json:"phase"`
	// Since is when the phase was decided. With the host it identifies the call, so that
	// one that is made again is known to be the same.
	Since time.Time `json:"since"`
	// Gone is since when the service has been missing. Zero: it is there.
	Gone time.Time `json:"gone,omitzero"`
}

// State keeps the records of all processes that may announce. Package store has one.
type State interface {
	Load(ctx context.Context) ([]Record, error)
	Save(ctx context.Context, r Record) error
	Forget(ctx context.Context, host string) error
}
