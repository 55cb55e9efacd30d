package store

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/sluice-gateway/sluice/gateway"
)

// The errors that callers tell apart with errors.Is. Everything that is none of the first
// three is ErrUnavailable, or the error of the caller's own cancelled context. They are
// gateway's conditions, so that the admin API can tell them without knowing the store.
var (
	// ErrNotFound: there is no such object, or no such revision of it any more.
	ErrNotFound = gateway.ErrNotFound
	// ErrConflict: the object is at another revision. See [ConflictError].
	ErrConflict = gateway.ErrConflict
	// ErrInvalid: the request itself is wrong; repeating it does not help.
	ErrInvalid = gateway.ErrInvalid
	// ErrUnavailable: etcd did not answer in time or refused. A write that ends with it may
	// have been done or not: read before repeating, or repeat it with the same IfRevision.
	ErrUnavailable = fmt.Errorf("store %w", gateway.ErrUnavailable)

	// ErrNoSpace is an ErrUnavailable: the quota is full and the repair freed too little.
	ErrNoSpace = fmt.Errorf("%w: etcd's quota is full", ErrUnavailable)
	// ErrClosed is an ErrUnavailable: Close has been called.
	ErrClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)
)

// ConflictError says which revision an object is really at.
type ConflictError struct {
	Ref gateway.Ref
	// Want is the revision that the write was made for; 0: the object must not exist.
	Want int64
	// Current is the revision of the object; 0: it does not exist.
	Current int64
}

// Error names the object, both revisions and what to do.
func (e *ConflictError) Error() string {
	switch {
	case e.Want == 0:
		return fmt.Sprintf("conflict: %s exists already, at revision %d", e.Ref, e.Current)
	case e.Current == 0:
		return fmt.Sprintf("conflict: %s does not exist any more (the change was made for revision %d)", e.Ref, e.Want)
	}
	return fmt.Sprintf("conflict: %s is at revision %d, the change was made for revision %d: read it again and repeat the change", e.Ref, e.Current, e.Want)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

func notFound(ref gateway.Ref) error { return fmt.Errorf("%w: %s", ErrNotFound, ref) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// failed sorts an error of the etcd client into ours. doing completes "store: cannot ...".
func failed(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge):
		return fmt.Errorf("%s: %w: etcd's limit is lower than configured: %w", doing, ErrInvalid, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// isOurs says whether an error is about the request rather than about etcd.
func isOurs(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid)
}
