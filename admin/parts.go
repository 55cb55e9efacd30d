package admin

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
)

// Store holds what people want. Its errors wrap gateway.ErrNotFound, ErrConflict,
// ErrInvalid or ErrUnavailable.
type Store interface {
	Get(ctx context.Context, ref gateway.Ref) (gateway.Object, error)
	// List returns objects by kind in the order of gateway.Kinds, tenant and name. An empty
	// kind is every kind, an empty tenant every tenant.
	List(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, error)
	// Apply makes all changes in one transaction, or none, and returns the objects as
	// stored, in the order of changes, nil for a delete. What would change nothing keeps
	// its revision.
	Apply(ctx context.Context, actor string, changes []gateway.Change) ([]gateway.Object, error)
	// History returns the versions of an object, newest first, at most limit.
	History(ctx context.Context, ref gateway.Ref, limit int) ([]api.Version, error)
	// Audit returns writes at or after since, newest first, at most limit; by who, when that
	// is not empty.
	Audit(ctx context.Context, since time.Time, who string, limit int) ([]api.Record, error)
}

// Control decides.
type Control interface {
	// Snapshot is the newest one. It is never nil.
	Snapshot() *gateway.Snapshot
	// Subscribe hands out every new snapshot, or only the newest when the receiver is slow,
	// until cancel is called.
	Subscribe() (snapshots <-chan *gateway.Snapshot, cancel func())
	// DryRun decides as if the changes were made to the inputs of this moment.
	DryRun(ctx context.Context, changes []gateway.Change) (*gateway.Snapshot, error)
	// Derived is the object of that name that nobody wrote, and DerivedObjects are all of
	// them: those in force, which the store does not have. They are only read.
	Derived(ref gateway.Ref) gateway.Object
	DerivedObjects() []gateway.Object
}

// Fleets knows the nginx nodes. Its errors wrap those of gateway, as Store's do.
type Fleets interface {
	Nodes(fleet string) ([]gateway.Node, error)
	Node(fleet, node string) (gateway.Node, error)
	// Tree is the node's files by path: those that it has, or, when desired is set, those
	// that it should have. Paths of the rendered tree are relative, all others absolute.
	Tree(fleet, node string, desired bool) (map[string]string, error)
	// Bundles are those that Revision knows; Revision is the one whose digest begins like this.
	Bundles(fleet string) ([]gateway.Bundle, error)
	Revision(fleet, digest string) (map[string]string, error)
	// Groups says which nodes are alike; Hunk finds an edit by its id.
	Groups(fleet string) (gateway.FleetDrift, error)
	Hunk(fleet, id string) (gateway.NodeHunk, error)
	// Revert asks nodes, without nodes all, to take an edit back, in the name of by, and returns
	// which.
	Revert(ctx context.Context, fleet, id string, nodes []string, by string) ([]string, error)
	// Adoption says what has to be written so that all nodes have an edit.
	Adoption(fleet, id, reason string) (gateway.Adoption, error)
	Problems() []gateway.Problem
	// Rollouts lists those of a fleet, the newest first; Rollout is that of a revision, 0 the
	// last one. Act does with that what actor says.
	Rollouts(fleet string) ([]gateway.Rollout, error)
	Rollout(fleet string, revision uint64) (gateway.Rollout, error)
	Act(ctx context.Context, fleet string, action gateway.RolloutAction, actor string) (gateway.Rollout, error)
}

// Config connects the API with its parts. All fields are needed unless they say otherwise.
type Config struct {
	Store   Store
	Control Control
	Fleets  Fleets
	Tokens  *auth.Tokens
	// Sources, StoreStatus and Listeners are asked for each status.
	Sources     func() []api.SourceStatus
	StoreStatus func(ctx context.Context) api.StoreStatus
	// Health tells what this node says about endpoints.
	Health Health
	// Alerts tells what is wrong now, and tries receivers.
	Alerts Alerts
	// Enrolment decides who is a node of a fleet.
	Enrolment Enrolment
	// Shrink settles what the guard of the sources keeps.
	Shrink    ShrinkGuard
	Listeners func() []api.ListenerStatus
	// FleetCheck may be nil, and may return nil, where the nodes alone check their bundles.
	FleetCheck func() *api.FleetCheckStatus
	// Names may be nil, and may return nil, where no names are announced. NameList is nil
	// where Names is.
	Names    func() *api.NameStatus
	NameList func() api.NameList
	// Normalise brings the path of a request into the form that rules are compared with, or
	// says why the proxy refuses it, so that explanations tell what the proxy does.
	Normalise func(path string) (string, error)
	// Slardar is what its contract needs besides. Nil: it is not served.
	Slardar *slardar.Parts

	// UI is the built web UI, with index.html at its root. When that is missing, a page says
	// how to build it.
	UI fs.FS

	Version   string
	Node      string
	StartedAt time.Time
	// Done ends open event streams, so that the HTTP server can shut down. Optional.
	Done <-chan struct{}
	Log  *slog.Logger
	// Ping is the time between two pings of an event stream, and Poll between two looks at
	// nodes and problems. Default 15s and 1s.
	Ping, Poll time.Duration
}
