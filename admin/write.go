package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// put writes one object under the conditions of the request's headers, or, without them, of
// the revision that the object itself carries.
func (s *server) put(ctx context.Context, ref gateway.Ref, obj gateway.Object, dryRun *bool, ifMatch *string, create bool) (*written, error) {
	if got := obj.Head().Ref(); got != ref {
		return nil, invalidField("name", fmt.Sprintf("the body is %s, but the path names %s", got, ref))
	}
	change := gateway.Change{Ref: ref, Object: obj, IfRevision: ownRevision(obj)}
	conditional := create || ifMatch != nil
	switch {
	case create:
		change.IfRevision = new(int64)
	case ifMatch != nil:
		revision, err := s.match(ctx, ref, *ifMatch)
		if err != nil {
			return nil, err
		}
		change.IfRevision = &revision
	}
	w, err := s.write(ctx, []gateway.Change{change}, deref(dryRun))
	return w, asPrecondition(err, conditional)
}

// delete deletes one object under the condition of the request's header.
func (s *server) delete(ctx context.Context, ref gateway.Ref, dryRun *bool, ifMatch *string) (*written, error) {
	change := gateway.Change{Ref: ref}
	if ifMatch != nil {
		revision, err := s.match(ctx, ref, *ifMatch)
		if err != nil {
			return nil, err
		}
		change.IfRevision = &revision
	}
	w, err := s.write(ctx, []gateway.Change{change}, deref(dryRun))
	return w, asPrecondition(err, ifMatch != nil)
}

// match is the revision that an If-Match field asks for. "*" asks for any, so it is the
// present one (RFC 9110 section 13.1.1).
func (s *server) match(ctx context.Context, ref gateway.Ref, tag string) (int64, error) {
	if tag != "*" {
		return revisionOf(tag)
	}
	obj, err := s.Store.Get(ctx, ref)
	if errors.Is(err, gateway.ErrNotFound) {
		return 0, preconditionError{fmt.Errorf("%w: %s does not exist, and If-Match: * wants it to", gateway.ErrConflict, ref)}
	}
	if err != nil {
		return 0, err
	}
	return obj.Head().Revision, nil
}

func asPrecondition(err error, conditional bool) error {
	if conditional && errors.Is(err, gateway.ErrConflict) {
		return preconditionError{err}
	}
	return err
}

// ownRevision makes "read, edit, write back" safe without headers: the object still carries
// the revision that was read.
func ownRevision(obj gateway.Object) *int64 {
	if r := obj.Head().Revision; r != 0 {
		return &r
	}
	return nil
}

// write makes changes, or with dryRun finds out what they would do.
func (s *server) write(ctx context.Context, changes []gateway.Change, dryRun bool) (*written, error) {
	return s.writeIf(ctx, changes, dryRun, func(api.Effect) error { return nil })
}

// writeIf is write for callers who refuse some effects.
func (s *server) writeIf(ctx context.Context, changes []gateway.Change, dryRun bool, accept func(api.Effect) error) (*written, error) {
	before, err := s.before(ctx, changes)
	if err != nil {
		return nil, err
	}
	result := api.WriteResult{DryRun: dryRun, Changes: make([]api.ObjectChange, len(changes))}
	idle := true
	for i, c := range changes {
		result.Changes[i] = api.ObjectChange{Object: c.Ref, Action: action(before[i], c.Object)}
		idle = idle && result.Changes[i].Action == api.Unchanged
	}
	now := s.Control.Snapshot()
	then := now
	if !idle {
		if then, err = s.Control.DryRun(ctx, changes); err != nil {
			return nil, fmt.Errorf("find out the effect of the change: %w", err)
		}
	}
	result.Effect = effect(now, then)
	if err := accept(result.Effect); err != nil {
		return nil, err
	}
	w := &written{result: result}
	if dryRun {
		return w, nil
	}
	return w, s.commit(ctx, changes, before, w)
}

// commit stores the changes and completes the result with what the store did.
func (s *server) commit(ctx context.Context, changes []gateway.Change, before []gateway.Object, w *written) error {
	who, _ := auth.From(ctx)
	stored, err := s.Store.Apply(ctx, who.Name, changes)
	if err != nil {
		return err
	}
	for i, obj := range stored {
		if obj == nil {
			continue
		}
		c := &w.result.Changes[i]
		c.Revision = obj.Head().Revision
		if before[i] != nil && before[i].Head().Revision == c.Revision {
			c.Action = api.Unchanged
		}
	}
	if len(stored) == 1 && stored[0] != nil {
		w.etag = etag(stored[0].Head().Revision)
	}
	return nil
}

// before reads what the changes will replace, checks their conditions, so that a dry run
// fails where the write would, and gives the new objects the server's fields of the old
// ones, since age decides between claims of the same host.
func (s *server) before(ctx context.Context, changes []gateway.Change) ([]gateway.Object, error) {
	old := make([]gateway.Object, len(changes))
	for i, c := range changes {
		obj, err := s.Store.Get(ctx, c.Ref)
		switch {
		case errors.Is(err, gateway.ErrNotFound):
			if d := s.Control.Derived(c.Ref); d != nil {
				return nil, derivedError(d.Head())
			}
			obj = nil
		case err != nil:
			return nil, err
		}
		if err := check(c, obj); err != nil {
			return nil, err
		}
		old[i] = obj
		if c.Object == nil {
			continue
		}
		head := c.Object.Head()
		fresh := gateway.Meta{Kind: head.Kind, Name: head.Name, Tenant: head.Tenant, Labels: head.Labels, CreatedRevision: math.MaxInt64}
		if obj != nil {
			o := obj.Head()
			fresh.Revision, fresh.CreatedRevision = o.Revision, o.CreatedRevision
			fresh.CreatedBy, fresh.UpdatedBy, fresh.UpdatedAt = o.CreatedBy, o.UpdatedBy, o.UpdatedAt
		}
		*head = fresh
		if err := gateway.KeepSecrets(c.Object, obj); err != nil {
			return nil, err
		}
	}
	return old, nil
}

// check compares a change's condition with the object as it is.
func check(c gateway.Change, now gateway.Object) error {
	if c.Object == nil && now == nil && (c.IfRevision == nil || *c.IfRevision == 0) {
		return fmt.Errorf("%w: %s", gateway.ErrNotFound, c.Ref)
	}
	if c.IfRevision == nil {
		return nil
	}
	want, have := *c.IfRevision, int64(0)
	if now != nil {
		have = now.Head().Revision
	}
	switch {
	case want == have:
		return nil
	case want == 0:
		return fmt.Errorf("%w: %s exists already, at revision %d", gateway.ErrConflict, c.Ref, have)
	case have == 0:
		return fmt.Errorf("%w: %s does not exist any more", gateway.ErrConflict, c.Ref)
	}
	return fmt.Errorf("%w: %s is at revision %d, the change was made for revision %d: read it again and repeat the change", gateway.ErrConflict, c.Ref, have, want)
}

// action says what putting now over before does; a nil now deletes. The heads agree in the
// server's fields, see [server.before].
func action(before, now gateway.Object) api.Action {
	switch {
	case now == nil:
		return api.Deleted
	case before == nil:
		return api.Created
	case maps.EqualFunc(plain(before), plain(now), slices.Equal[json.RawMessage]):
		return api.Unchanged
	}
	return api.Updated
}
