package admin

import (
	"context"
	"slices"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// ListCertificateViews lists every certificate that was written or is derived, with what it is used for now.
// Private keys are no part of it.
func (s *server) ListCertificateViews(ctx context.Context, r api.ListCertificateViewsRequestObject) (api.ListCertificateViewsResponseObject, error) {
	written, err := list[gateway.Certificate](ctx, s, gateway.KindCertificate, deref(r.Params.Tenant))
	if err != nil {
		return nil, err
	}
	snap := s.Control.Snapshot()
	out := api.ListCertificateViews200JSONResponse{Generation: snap.Generation, Items: make([]api.CertificateView, 0, len(written))}
	problems, upstreams := problemsByRef(s.problems(snap)), upstreamsByCertificate(snap)
	for i := range written {
		c := &written[i]
		v := api.CertificateView{
			Tenant: c.Tenant, Name: c.Name, Status: *c.Status, Hosts: []string{}, DerivedFrom: c.DerivedFrom,
			Upstreams: full(upstreams[c.Key()]), Problems: full(problems[c.Ref()]),
		}
		if e := snap.Certificate(c.Key()); e != nil {
			v.Usable, v.Hosts = true, full(e.Hosts)
			if e.ClientAuth != nil {
				mode := api.CertificateViewClientAuth(e.ClientAuth.Mode)
				v.ClientAuth = &mode
			}
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

// upstreamsByCertificate names the upstreams whose endpoints are shown each certificate, sorted.
func upstreamsByCertificate(s *gateway.Snapshot) map[gateway.CertificateKey][]string {
	m := map[gateway.CertificateKey][]string{}
	for _, u := range s.Upstreams {
		if u.TLS != nil && u.TLS.Certificate != "" {
			k := gateway.CertificateKey{Tenant: u.Key.Tenant, Name: u.TLS.Certificate}
			m[k] = append(m[k], u.Key.Name)
		}
	}
	for _, names := range m {
		slices.Sort(names)
	}
	return m
}
