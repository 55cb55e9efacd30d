package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// Apply puts several objects in one transaction, and prunes.
func (s *server) Apply(ctx context.Context, r api.ApplyRequestObject) (api.ApplyResponseObject, error) {
	changes := make([]gateway.Change, 0, len(r.Body.Objects))
	named := map[gateway.Ref]bool{}
	for i, o := range r.Body.Objects {
		ref := o.Head().Ref()
		if named[ref] {
			return nil, invalidField(fmt.Sprintf("objects[%d]", i), fmt.Sprintf("%s is there twice", ref))
		}
		named[ref] = true
		changes = append(changes, gateway.Change{Ref: ref, Object: o.Object, IfRevision: ownRevision(o.Object)})
	}
	if p := r.Body.Prune; p != nil {
		gone, err := s.prune(ctx, *p, named)
		if err != nil {
			return nil, err
		}
		changes = append(changes, gone...)
	}
	return s.write(ctx, changes, deref(r.Params.DryRun))
}

// prune deletes what the tenants own and keep does not name. Each delete is for the
// revision seen here, so an object that somebody changes meanwhile survives.
func (s *server) prune(ctx context.Context, p api.Prune, keep map[gateway.Ref]bool) ([]gateway.Change, error) {
	var labels []string
	if p.Label != nil {
		labels = []string{*p.Label}
	}
	var gone []gateway.Change
	seen := map[string]bool{}
	for _, tenant := range p.Tenants {
		if seen[tenant] {
			continue
		}
		seen[tenant] = true
		objs, err := s.Store.List(ctx, "", tenant)
		if err != nil {
			return nil, err
		}
		for _, o := range objs {
			ref := o.Head().Ref()
			if ref.Kind.Owned() && !keep[ref] && hasLabels(o, labels) {
				gone = append(gone, gateway.Change{Ref: ref, IfRevision: ownRevision(o)})
			}
		}
	}
	return gone, nil
}

// plain is the JSON of each field of an object, without what the server sets, so that a nil and an
// empty slice compare equal where JSON leaves both out.
func plain(o gateway.Object) map[string]json.RawMessage {
	b, err := gateway.MarshalClear(o)
	if err != nil {
		panic("admin: objects always marshal: " + err.Error())
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		panic("admin: objects always unmarshal: " + err.Error())
	}
	for _, k := range []string{"revision", "createdRevision", "createdBy", "updatedBy", "updatedAt"} {
		delete(m, k)
	}
	return m
}
