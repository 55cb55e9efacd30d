package admin

import (
	"context"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// The four operations of every kind. They differ in types and parameters only; what they do
// is in objects.go and write.go.

// ListTenants lists tenants as written.
func (s *server) ListTenants(ctx context.Context, _ api.ListTenantsRequestObject) (api.ListTenantsResponseObject, error) {
	items, err := list[gateway.Tenant](ctx, s, gateway.KindTenant, "")
	return api.ListTenants200JSONResponse{Items: items}, err
}

// GetTenant reads a tenant.
func (s *server) GetTenant(ctx context.Context, r api.GetTenantRequestObject) (api.GetTenantResponseObject, error) {
	obj, err := get[*gateway.Tenant](ctx, s, gateway.Ref{Kind: gateway.KindTenant, Name: r.Tenant})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetTenant200JSONResponse{Body: *obj, Headers: api.GetTenant200ResponseHeaders{ETag: &tag}}, nil
}

// PutTenant creates or replaces a tenant.
func (s *server) PutTenant(ctx context.Context, r api.PutTenantRequestObject) (api.PutTenantResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindTenant, Name: r.Tenant}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteTenant deletes a tenant.
func (s *server) DeleteTenant(ctx context.Context, r api.DeleteTenantRequestObject) (api.DeleteTenantResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindTenant, Name: r.Tenant}, r.Params.DryRun, r.Params.IfMatch)
}

// ListPolicies lists policies as written.
func (s *server) ListPolicies(ctx context.Context, _ api.ListPoliciesRequestObject) (api.ListPoliciesResponseObject, error) {
	items, err := list[gateway.Policy](ctx, s, gateway.KindPolicy, "")
	return api.ListPolicies200JSONResponse{Items: items}, err
}

// GetPolicy reads a policy.
func (s *server) GetPolicy(ctx context.Context, r api.GetPolicyRequestObject) (api.GetPolicyResponseObject, error) {
	obj, err := get[*gateway.Policy](ctx, s, gateway.Ref{Kind: gateway.KindPolicy, Name: r.Policy})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetPolicy200JSONResponse{Body: *obj, Headers: api.GetPolicy200ResponseHeaders{ETag: &tag}}, nil
}

// PutPolicy creates or replaces a policy.
func (s *server) PutPolicy(ctx context.Context, r api.PutPolicyRequestObject) (api.PutPolicyResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindPolicy, Name: r.Policy}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeletePolicy deletes a policy.
func (s *server) DeletePolicy(ctx context.Context, r api.DeletePolicyRequestObject) (api.DeletePolicyResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindPolicy, Name: r.Policy}, r.Params.DryRun, r.Params.IfMatch)
}

// ListFleets lists fleets as written.
func (s *server) ListFleets(ctx context.Context, _ api.ListFleetsRequestObject) (api.ListFleetsResponseObject, error) {
	items, err := list[gateway.Fleet](ctx, s, gateway.KindFleet, "")
	return api.ListFleets200JSONResponse{Items: items}, err
}

// GetFleet reads a fleet.
func (s *server) GetFleet(ctx context.Context, r api.GetFleetRequestObject) (api.GetFleetResponseObject, error) {
	obj, err := get[*gateway.Fleet](ctx, s, gateway.Ref{Kind: gateway.KindFleet, Name: r.Fleet})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetFleet200JSONResponse{Body: *obj, Headers: api.GetFleet200ResponseHeaders{ETag: &tag}}, nil
}

// PutFleet creates or replaces a fleet.
func (s *server) PutFleet(ctx context.Context, r api.PutFleetRequestObject) (api.PutFleetResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindFleet, Name: r.Fleet}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteFleet deletes a fleet.
func (s *server) DeleteFleet(ctx context.Context, r api.DeleteFleetRequestObject) (api.DeleteFleetResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindFleet, Name: r.Fleet}, r.Params.DryRun, r.Params.IfMatch)
}

// ListTenantUpstreams lists upstreams as written.
func (s *server) ListTenantUpstreams(ctx context.Context, r api.ListTenantUpstreamsRequestObject) (api.ListTenantUpstreamsResponseObject, error) {
	items, err := list[gateway.Upstream](ctx, s, gateway.KindUpstream, r.Tenant)
	return api.ListTenantUpstreams200JSONResponse{Items: items}, err
}

// GetUpstream reads an upstream.
func (s *server) GetUpstream(ctx context.Context, r api.GetUpstreamRequestObject) (api.GetUpstreamResponseObject, error) {
	obj, err := get[*gateway.Upstream](ctx, s, gateway.Ref{Kind: gateway.KindUpstream, Tenant: r.Tenant, Name: r.Upstream})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetUpstream200JSONResponse{Body: *obj, Headers: api.GetUpstream200ResponseHeaders{ETag: &tag}}, nil
}

// PutUpstream creates or replaces an upstream.
func (s *server) PutUpstream(ctx context.Context, r api.PutUpstreamRequestObject) (api.PutUpstreamResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindUpstream, Tenant: r.Tenant, Name: r.Upstream}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteUpstream deletes an upstream.
func (s *server) DeleteUpstream(ctx context.Context, r api.DeleteUpstreamRequestObject) (api.DeleteUpstreamResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindUpstream, Tenant: r.Tenant, Name: r.Upstream}, r.Params.DryRun, r.Params.IfMatch)
}

// ListRoutes lists routes as written.
func (s *server) ListRoutes(ctx context.Context, r api.ListRoutesRequestObject) (api.ListRoutesResponseObject, error) {
	items, err := list[gateway.Route](ctx, s, gateway.KindRoute, r.Tenant)
	return api.ListRoutes200JSONResponse{Items: items}, err
}

// GetRoute reads a route.
func (s *server) GetRoute(ctx context.Context, r api.GetRouteRequestObject) (api.GetRouteResponseObject, error) {
	obj, err := get[*gateway.Route](ctx, s, gateway.Ref{Kind: gateway.KindRoute, Tenant: r.Tenant, Name: r.Route})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetRoute200JSONResponse{Body: *obj, Headers: api.GetRoute200ResponseHeaders{ETag: &tag}}, nil
}

// PutRoute creates or replaces a route.
func (s *server) PutRoute(ctx context.Context, r api.PutRouteRequestObject) (api.PutRouteResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindRoute, Tenant: r.Tenant, Name: r.Route}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteRoute deletes a route.
func (s *server) DeleteRoute(ctx context.Context, r api.DeleteRouteRequestObject) (api.DeleteRouteResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindRoute, Tenant: r.Tenant, Name: r.Route}, r.Params.DryRun, r.Params.IfMatch)
}

// ListOverrides lists overrides as written.
func (s *server) ListOverrides(ctx context.Context, r api.ListOverridesRequestObject) (api.ListOverridesResponseObject, error) {
	items, err := list[gateway.Override](ctx, s, gateway.KindOverride, r.Tenant)
	return api.ListOverrides200JSONResponse{Items: items}, err
}

// GetOverride reads an override.
func (s *server) GetOverride(ctx context.Context, r api.GetOverrideRequestObject) (api.GetOverrideResponseObject, error) {
	obj, err := get[*gateway.Override](ctx, s, gateway.Ref{Kind: gateway.KindOverride, Tenant: r.Tenant, Name: r.Override})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetOverride200JSONResponse{Body: *obj, Headers: api.GetOverride200ResponseHeaders{ETag: &tag}}, nil
}

// PutOverride creates or replaces an override.
func (s *server) PutOverride(ctx context.Context, r api.PutOverrideRequestObject) (api.PutOverrideResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindOverride, Tenant: r.Tenant, Name: r.Override}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteOverride deletes an override.
func (s *server) DeleteOverride(ctx context.Context, r api.DeleteOverrideRequestObject) (api.DeleteOverrideResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindOverride, Tenant: r.Tenant, Name: r.Override}, r.Params.DryRun, r.Params.IfMatch)
}

// ListCertificates lists certificates as written.
func (s *server) ListCertificates(ctx context.Context, r api.ListCertificatesRequestObject) (api.ListCertificatesResponseObject, error) {
	items, err := list[gateway.Certificate](ctx, s, gateway.KindCertificate, r.Tenant)
	return api.ListCertificates200JSONResponse{Items: items}, err
}

// GetCertificate reads a certificate.
func (s *server) GetCertificate(ctx context.Context, r api.GetCertificateRequestObject) (api.GetCertificateResponseObject, error) {
	obj, err := get[*gateway.Certificate](ctx, s, gateway.Ref{Kind: gateway.KindCertificate, Tenant: r.Tenant, Name: r.Certificate})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetCertificate200JSONResponse{Body: *obj, Headers: api.GetCertificate200ResponseHeaders{ETag: &tag}}, nil
}

// PutCertificate creates or replaces a certificate.
func (s *server) PutCertificate(ctx context.Context, r api.PutCertificateRequestObject) (api.PutCertificateResponseObject, error) {
	return s.put(ctx, gateway.Ref{Kind: gateway.KindCertificate, Tenant: r.Tenant, Name: r.Certificate}, r.Body, r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch != nil)
}

// DeleteCertificate deletes a certificate.
func (s *server) DeleteCertificate(ctx context.Context, r api.DeleteCertificateRequestObject) (api.DeleteCertificateResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindCertificate, Tenant: r.Tenant, Name: r.Certificate}, r.Params.DryRun, r.Params.IfMatch)
}
