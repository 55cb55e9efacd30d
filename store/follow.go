package store

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// State is the whole set of objects at a revision.
type State struct {
	Revision int64
	// Objects sorted by kind, tenant and name. The slice is the receiver's; the objects are
	// shared between states and must not be changed.
	Objects []gateway.Object
}

// Follow calls handle with the whole set of objects, first as it is now and then after
// each change, for those who decide from everything anyway. It returns like [Store.Watch].
func (s *Store) Follow(ctx context.Context, handle func(State)) error {
	set := map[gateway.Ref]gateway.Object{}
	return s.Watch(ctx, 0, func(u Update) {
		if u.Resync {
			clear(set)
		}
		for _, c := range u.Changes {
			if c.Object == nil {
				delete(set, c.Ref)
				continue
			}
			set[c.Ref] = c.Object
		}
		handle(State{Revision: u.Revision, Objects: sorted(set)})
	})
}

func sorted(set map[gateway.Ref]gateway.Object) []gateway.Object {
	return slices.SortedFunc(maps.Values(set), func(a, b gateway.Object) int {
		return a.Head().Ref().Compare(b.Head().Ref())
	})
}
