package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// object is one that was written, or else one of that name that is derived.
func (s *server) object(ctx context.Context, ref gateway.Ref) (gateway.Object, error) {
	obj, err := s.Store.Get(ctx, ref)
	if errors.Is(err, gateway.ErrNotFound) {
		if d := s.Control.Derived(ref); d != nil {
			return d, nil
		}
	}
	return obj, err
}

// objects are those that were written and those that are derived, in the order of
// [Store.List].
func (s *server) objects(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, error) {
	all, err := s.Store.List(ctx, kind, tenant)
	if err != nil {
		return nil, err
	}
	written := make(map[gateway.Ref]bool, len(all))
	for _, o := range all {
		written[o.Head().Ref()] = true
	}
	n := len(all)
	for _, o := range s.Control.DerivedObjects() {
		ref := o.Head().Ref()
		if (kind == "" || ref.Kind == kind) && (tenant == "" || ref.Tenant == tenant) && !written[ref] {
			all = append(all, o)
		}
	}
	if len(all) > n {
		slices.SortStableFunc(all, func(x, y gateway.Object) int {
			a, b := x.Head(), y.Head()
			return cmp.Or(cmp.Compare(slices.Index(gateway.Kinds, a.Kind), slices.Index(gateway.Kinds, b.Kind)),
				cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name))
		})
	}
	return all, nil
}

// derivedFrom says what an object in service follows from, or nil when somebody wrote it.
func (s *server) derivedFrom(ref gateway.Ref) *gateway.DerivedFrom {
	if d := s.Control.Derived(ref); d != nil {
		return d.Head().DerivedFrom
	}
	return nil
}

// plainAge is a derived object without the age by which control knows it; others stay.
func plainAge(o gateway.Object) gateway.Object {
	if o.Head().DerivedFrom == nil {
		return o
	}
	switch o := o.(type) {
	case *gateway.Upstream:
		c := *o
		c.CreatedRevision = 0
		return &c
	case *gateway.Route:
		c := *o
		c.CreatedRevision = 0
		return &c
	case *gateway.Certificate:
		c := *o
		c.CreatedRevision = 0
		return &c
	}
	return o
}

// derivedError says where to change what can't be written here. A written object of the name
// would count from now on, and no change of what it is derived from would be seen any more:
// whoever wants that gives it another name.
func derivedError(o *gateway.Meta) error {
	more := ""
	if o.Kind == gateway.KindRoute {
		more = "; an Override can change what is allowed of it"
	}
	return fmt.Errorf("%w: %s is made from %s: change it there, or write an object of another name%s", gateway.ErrConflict, o.Ref(), o.DerivedFrom, more)
}
