package gateway

import "errors"

// The conditions that callers tell apart. A package wraps the one that fits, so that errors.Is
// finds it, and says in its own words what it was doing and to whom. The admin API maps each
// to a stable code.
var (
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else has changed the object since, or it exists already.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: what was given cannot be accepted as it is.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: the part that would answer cannot be reached now; try again later.
	ErrUnavailable = errors.New("unavailable")
)
