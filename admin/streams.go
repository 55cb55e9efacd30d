package admin

import (
	"context"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// ListStreams lists streams as written.
func (s *server) ListStreams(ctx context.Context, r api.ListStreamsRequestObject) (api.ListStreamsResponseObject, error) {
	items, err := list[gateway.Stream](ctx, s, gateway.KindStream, r.Tenant)
	return api.ListStreams200JSONResponse{Items: items}, err
}

// GetStream reads a stream.
func (s *server) GetStream(ctx context.Context, r api.GetStreamRequestObject) (api.GetStreamResponseObject, error) {
	obj, err := get[*gateway.Stream](ctx, s, gateway.Ref{Kind: gateway.KindStream, Tenant: r.Tenant, Name: r.Stream})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetStream200JSONResponse{Body: *obj, Headers: api.GetStream200ResponseHeaders{ETag: &tag}}, nil
}

// PutStream creates or replaces a stream.
func (s *server) PutStream(ctx context.Context, r api.PutStreamRequestObject) (api.PutStreamResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindStream, Tenant: r.Tenant, Name: r.Stream}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteStream deletes a stream.
func (s *server) DeleteStream(ctx context.Context, r api.DeleteStreamRequestObject) (api.DeleteStreamResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindStream, Tenant: r.Tenant, Name: r.Stream}, r.Params.DryRun, r.Params.IfMatch)
}

// ListPins lists pins as written.
func (s *server) ListPins(ctx context.Context, r api.ListPinsRequestObject) (api.ListPinsResponseObject, error) {
	items, err := list[gateway.Pin](ctx, s, gateway.KindPin, r.Tenant)
	return api.ListPins200JSONResponse{Items: items}, err
}

// GetPin reads a pin.
func (s *server) GetPin(ctx context.Context, r api.GetPinRequestObject) (api.GetPinResponseObject, error) {
	obj, err := get[*gateway.Pin](ctx, s, gateway.Ref{Kind: gateway.KindPin, Tenant: r.Tenant, Name: r.Pin})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetPin200JSONResponse{Body: *obj, Headers: api.GetPin200ResponseHeaders{ETag: &tag}}, nil
}

// PutPin creates or replaces a pin.
func (s *server) PutPin(ctx context.Context, r api.PutPinRequestObject) (api.PutPinResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindPin, Tenant: r.Tenant, Name: r.Pin}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeletePin deletes a pin.
func (s *server) DeletePin(ctx context.Context, r api.DeletePinRequestObject) (api.DeletePinResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindPin, Tenant: r.Tenant, Name: r.Pin}, r.Params.DryRun, r.Params.IfMatch)
}
