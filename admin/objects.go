package admin

import (
	"context"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// get reads an object of a known type.
func get[T gateway.Object](ctx context.Context, s *server, ref gateway.Ref) (T, error) {
	var none T
	obj, err := s.object(ctx, ref)
	if err != nil {
		return none, err
	}
	return withStatus(obj).(T), nil
}

// list reads all objects of a known type.
func list[T any, P interface {
	*T
	gateway.Object
}](ctx context.Context, s *server, kind gateway.Kind, tenant string) ([]T, error) {
	objs, err := s.objects(ctx, kind, tenant)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(objs))
	for _, o := range objs {
		out = append(out, *withStatus(o).(P))
	}
	return out, nil
}

// ListObjects lists objects of several kinds.
func (s *server) ListObjects(ctx context.Context, r api.ListObjectsRequestObject) (api.ListObjectsResponseObject, error) {
	objs, err := s.objects(ctx, deref(r.Params.Kind), deref(r.Params.Tenant))
	if err != nil {
		return nil, err
	}
	out := api.ListObjects200JSONResponse{Items: []api.Object{}}
	for _, o := range objs {
		if hasLabels(o, deref(r.Params.Label)) {
			out.Items = append(out.Items, api.Object{Object: withStatus(o)})
		}
	}
	return out, nil
}

// withStatus is an object with what is worked out from it for people.
func withStatus(o gateway.Object) gateway.Object {
	o = plainAge(o)
	c, ok := o.(*gateway.Certificate)
	if !ok {
		return o
	}
	with := *c
	with.Status = gateway.DescribeCertificate(c.Spec.Certificate)
	return &with
}

// hasLabels says whether the object carries every label, each written "key=value".
func hasLabels(o gateway.Object, labels []string) bool {
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		if have, ok := o.Head().Labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// etag is an object's revision as an entity tag.
func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// revisionOf reads an entity tag as [etag] writes it.
func revisionOf(tag string) (int64, error) {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, invalidField("If-Match", "send the ETag of the object, such as \"42\", with its quotation marks")
	}
	return n, nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
