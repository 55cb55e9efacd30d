package admin

import (
	"cmp"
	"context"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// defaultLimit is how many entries of a log are given when the caller does not say.
const defaultLimit = 100

// GetHistory lists the versions of one object.
func (s *server) GetHistory(ctx context.Context, r api.GetHistoryRequestObject) (api.GetHistoryResponseObject, error) {
	ref := gateway.Ref{Kind: r.Params.Kind, Tenant: deref(r.Params.Tenant), Name: r.Params.Name}
	if ref.Kind.Owned() && ref.Tenant == "" {
		return nil, invalidField("tenant", "objects of kind "+string(ref.Kind)+" belong to a tenant: say which")
	}
	items, err := s.Store.History(ctx, ref, cmp.Or(deref(r.Params.Limit), defaultLimit))
	if err != nil {
		return nil, err
	}
	return api.GetHistory200JSONResponse{Items: full(items)}, nil
}

// GetAudit lists who changed what.
func (s *server) GetAudit(ctx context.Context, r api.GetAuditRequestObject) (api.GetAuditResponseObject, error) {
	items, err := s.Store.Audit(ctx, deref(r.Params.Since), deref(r.Params.Who), cmp.Or(deref(r.Params.Limit), defaultLimit))
	if err != nil {
		return nil, err
	}
	return api.GetAudit200JSONResponse{Items: full(items)}, nil
}
