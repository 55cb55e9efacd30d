package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

// What a server says of the second object of a request is told of the file and the line that it
// stands in.
func TestRefusalNamesFileAndObject(t *testing.T) {
	items := []manifest.Item{
		{File: "a.yaml", Line: 1, Object: &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}}},
		{File: "a.yaml", Line: 5, Object: &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "u"}}},
	}
	for name, c := range map[string]struct{ body, want string }{
		"two fields": {
			`{"title":"Invalid","detail":"objects[1].spec.a: no","errors":[{"field":"objects[1].spec.a","message":"no"},{"field":"objects[0].spec","message":"bad"}]}`,
			"a.yaml:5: Upstream acme/u: spec.a: no\n  a.yaml:1: Tenant acme: spec: bad",
		},
		"a whole object": {
			`{"title":"Invalid","detail":"objects[1]: Upstream acme/u is there twice","errors":[{"field":"objects[1]","message":"Upstream acme/u is there twice"}]}`,
			"a.yaml:5: Upstream acme/u: Upstream acme/u is there twice",
		},
		"a summary":        {`{"title":"Invalid","detail":"two things","errors":[{"field":"objects[1].x","message":"no"}]}`, "two things\n  a.yaml:5: Upstream acme/u: x: no"},
		"another field":    {`{"title":"Invalid","detail":"prune: no","errors":[{"field":"prune","message":"no"}]}`, "prune: no"},
		"no such object":   {`{"title":"Invalid","detail":"d","errors":[{"field":"objects[7].x","message":"no"}]}`, "d\n  objects[7].x: no"},
		"without fields":   {`{"title":"Conflict","detail":"Upstream acme/u is at revision 7"}`, "Upstream acme/u is at revision 7"},
		"without a detail": {`{"title":"Conflict"}`, "Conflict"},
		"no problem":       {`<html>`, "400 Bad Request: <html>"},
	} {
		err := problem(&http.Response{StatusCode: 400, Status: "400 Bad Request", Body: io.NopCloser(strings.NewReader(c.body))})
		if r, ok := err.(*refusal); ok { //nolint:errorlint // it is not wrapped here
			r.locate(items)
		}
		if err.Error() != c.want {
			t.Errorf("%s: %q, want %q", name, err, c.want)
		}
	}
}
