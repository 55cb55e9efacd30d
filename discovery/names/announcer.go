package names

import (
	"context"
	"errors"
)

// Announcer tells the outside world. Both calls may come again with the same record, and do
// nothing then.
type Announcer interface {
	// Announce makes the host lead to the record's target.
	Announce(ctx context.Context, r Record) error
	// Withdraw takes the host away. One that is not ours is left alone, without an error.
	Withdraw(ctx context.Context, r Record) error
}

// The errors that are more than a failed attempt.
var (
	// ErrTaken: the name belongs to somebody else. It is tried again once an hour.
	ErrTaken = errors.New("the name belongs to somebody else")
	// ErrRejected: repeating the call does not help. It is made again when the name changes
	// or another process begins to announce.
	ErrRejected = errors.New("rejected")
)
