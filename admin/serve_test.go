package admin_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestEveryOperationIsServed sends one request to each operation of openapi.yaml. What it
// answers is tested elsewhere; here it must not be "no such path", nor a defect.
func TestEveryOperationIsServed(t *testing.T) {
	w := newWorld(t, nil)
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(t.Context()); err != nil {
		t.Errorf("openapi.yaml: %v", err)
	}
	names := strings.NewReplacer("{tenant}", "t", "{upstream}", "u", "{route}", "r", "{override}", "o", "{policy}", "p", "{fleet}", "f", "{certificate}", "c", "{node}", "n", "{address}", "10.0.0.1:80", "{receiver}", "ops", "{rollout}", "current", "{action}", "pause", "{hunk}", "0123456789ab", "{id}", "0123456789ab", "{allowance}", "a", "{stream}", "s", "{pin}", "pn")
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if path == "/events" {
				continue // it does not end; TestEvents reads it
			}
			url := "/api/v1" + names.Replace(path)
			if strings.Contains(url, "{") {
				t.Fatalf("%s: a parameter without a value", path)
			}
			rec := w.do(method, url, "")
			if rec.Code == http.StatusInternalServerError || rec.Code == http.StatusMethodNotAllowed || strings.Contains(rec.Body.String(), "no such path") {
				t.Errorf("%s %s (%s): %d %s", method, path, op.OperationID, rec.Code, rec.Body)
			}
			if op.Description == "" && op.Summary == "" {
				t.Errorf("%s says nothing to people", op.OperationID)
			}
			checkAnswer(t, op, rec)
		}
	}
}

// checkAnswer holds a JSON answer to its schema.
func checkAnswer(t *testing.T, op *openapi3.Operation, rec *httptest.ResponseRecorder) {
	t.Helper()
	if rec.Code == http.StatusNoContent && op.Responses.Status(http.StatusNoContent) != nil {
		return // there is nothing to hold
	}
	media, schema := "application/json", op.Responses.Status(http.StatusOK)
	if rec.Code != http.StatusOK {
		media, schema = "application/problem+json", op.Responses.Default()
	}
	if got := rec.Header().Get("Content-Type"); got != media {
		t.Errorf("%s: content type %q, want %q", op.OperationID, got, media)
		return
	}
	var v any
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Errorf("%s: %v", op.OperationID, err)
		return
	}
	if err := schema.Value.Content.Get(media).Schema.Value.VisitJSON(v, openapi3.VisitAsResponse()); err != nil {
		t.Errorf("%s: the answer is not as its schema says: %v", op.OperationID, err)
	}
}

// TestAnswersFitTheirSchemas does so for answers with something in them.
func TestAnswersFitTheirSchemas(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.must("PUT", "/api/v1/fleets/shared", `{"kind":"Fleet","name":"shared","spec":{}}`)
	w.fleets.nodes = []gateway.Node{{NodeReport: gateway.NodeReport{Fleet: "shared", Node: "edge-1", ReportedAt: time.Now()}, State: gateway.NodeInSync}}
	w.control.verdicts = []gateway.Verdict{{
		EndpointKey: gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Address: "10.0.0.4:8080"},
		State:       gateway.StateEjected, Since: time.Now(), Until: time.Now().Add(time.Minute), Reason: "5 gateway errors in a row (502)",
		Evidence: gateway.Evidence{Observer: "edge-1", Ejections: 1, Samples: []gateway.Sample{{At: time.Now(), Kind: "request", Status: 502, Latency: gateway.Duration(time.Millisecond)}}},
	}}
	w.control.rebuild(t)
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	for path, url := range map[string]string{
		"/objects": "", "/tenants": "", "/tenants/{tenant}": "/tenants/acme", "/tenants/{tenant}/upstreams/{upstream}": "/tenants/acme/upstreams/api",
		"/tenants/{tenant}/upstreams/{upstream}/endpoints": "/tenants/acme/upstreams/api/endpoints",
		"/tenants/{tenant}/routes":                         "/tenants/acme/routes", "/fleets/{fleet}/nodes": "/fleets/shared/nodes", "/snapshot": "", "/upstreams": "", "/status": "",
		"/explain": "/explain?url=shop.example.com/cart", "/history": "/history?kind=Route&tenant=acme&name=cart", "/audit": "", "/problems": "",
	} {
		if url == "" {
			url = path
		}
		rec := w.do("GET", "/api/v1"+url, "")
		if rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", url, rec.Code, rec.Body)
			continue
		}
		checkAnswer(t, spec.Paths.Find(path).Get, rec)
	}
}

// TestEvents follows a change of an upstream, a verdict, a problem and a node.
func TestEvents(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.must("PUT", "/api/v1/fleets/shared", `{"kind":"Fleet","name":"shared","spec":{}}`)
	srv := httptest.NewServer(w.handler)
	defer srv.Close()
	events, lastID := follow(t, srv.URL, "")

	first := next(t, events, "snapshot")
	if !strings.Contains(first, `"resync":false`) || !strings.Contains(first, `"upstreams":[]`) {
		t.Errorf("first event: %s", first)
	}
	seen := *lastID
	w.must("POST", "/api/v1/tenants/acme/upstreams/api/endpoints", `{"address":"10.0.0.6:8080"}`)
	if e := next(t, events, "snapshot"); !strings.Contains(e, `"upstreams":[{"tenant":"acme","name":"api"}]`) {
		t.Errorf("after a change: %s", e)
	}
	w.control.mu.Lock()
	w.control.verdicts = []gateway.Verdict{{EndpointKey: gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Address: "10.0.0.4:8080"}, State: gateway.StateDown, Reason: "probe failed"}}
	w.control.mu.Unlock()
	w.control.rebuild(t)
	if e := next(t, events, "verdict"); !strings.Contains(e, `"state":"down"`) {
		t.Errorf("verdict: %s", e)
	}
	w.fleets.mu.Lock()
	w.fleets.nodes = []gateway.Node{{NodeReport: gateway.NodeReport{Fleet: "shared", Node: "edge-1"}, State: gateway.NodeRolling}}
	w.fleets.problems = []gateway.Problem{{Object: gateway.Ref{Kind: gateway.KindFleet, Name: "shared"}, Code: "refused", Message: "nginx refused it."}}
	w.fleets.mu.Unlock()
	if e := next(t, events, "problems"); !strings.Contains(e, "nginx refused it.") {
		t.Errorf("problems: %s", e)
	}
	if e := next(t, events, "node"); !strings.Contains(e, `"state":"rolling"`) {
		t.Errorf("node: %s", e)
	}
	next(t, events, "ping")

	again, _ := follow(t, srv.URL, *lastID)
	if e := next(t, again, "snapshot"); !strings.Contains(e, `"resync":false`) {
		t.Errorf("a client that missed nothing: %s", e)
	}
	late, _ := follow(t, srv.URL, seen)
	if e := next(t, late, "snapshot"); !strings.Contains(e, `"resync":true`) {
		t.Errorf("a client that missed something: %s", e)
	}
	close(w.done)
	for range events { // ends, since the process shuts down
	}
}

type event struct{ name, data string }

// follow reads an event stream until it ends. The id is written before the event is sent.
func follow(t *testing.T, url, lastID string) (<-chan event, *string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("events: %s %s", resp.Status, got)
	}
	out, id := make(chan event), new(string)
	go func() {
		defer close(out)
		defer cancel()
		defer func() { _ = resp.Body.Close() }() // read only
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				*id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, id
}

// next skips to the next event of a name.
func next(t *testing.T, events <-chan event, name string) string {
	t.Helper()
	for e := range events {
		if e.name == name {
			return e.data
		}
	}
	t.Fatalf("the stream ended without an event %q", name)
	return ""
}

func TestDownload(t *testing.T) {
	w := newWorld(t, nil)
	w.fleets.nodes = []gateway.Node{{NodeReport: gateway.NodeReport{Fleet: "shared", Node: "edge-1"}}}
	w.fleets.trees = map[string]map[string]string{"edge-1": {"upstreams.conf": "u\n", "/etc/nginx/nginx.conf": "n\n", "../../etc/passwd": "evil\n"}}
	w.fleets.desired = map[string]string{"upstreams.conf": "d\n"}
	first := w.do("GET", "/api/v1/fleets/shared/nodes/edge-1/tree.tar.gz", "")
	again := w.do("GET", "/api/v1/fleets/shared/nodes/edge-1/tree.tar.gz", "")
	if !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) {
		t.Error("equal trees give different bytes")
	}
	if got := first.Header().Get("Content-Disposition"); got != `attachment; filename="shared-edge-1-disk.tar.gz"` {
		t.Errorf("Content-Disposition: %s", got)
	}
	want := "tree/etc/passwd=evil\n root/etc/nginx/nginx.conf=n\n tree/upstreams.conf=u\n "
	if got := unpack(t, first.Body); got != want {
		t.Errorf("archive: %q, want %q", got, want)
	}
	if got := unpack(t, w.do("GET", "/api/v1/fleets/shared/nodes/edge-1/tree.tar.gz?which=desired", "").Body); got != "tree/upstreams.conf=d\n " {
		t.Errorf("desired: %q", got)
	}
}

func unpack(t *testing.T, r io.Reader) string {
	t.Helper()
	zip, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(h.Name + "=" + string(b) + " ")
	}
}

func TestUI(t *testing.T) {
	w := newWorld(t, func(c *admin.Config) {
		c.UI = fstest.MapFS{
			".keep":             {},
			"index.html":        {Data: []byte(`<meta name="csp-nonce" content="__CSP_NONCE__">`)},
			"favicon.svg":       {Data: []byte("<svg/>")},
			"assets/app-1a2.js": {Data: []byte("export {}")},
		}
	})
	for _, c := range []struct {
		what, cache, contentType string
		status                   int
	}{
		{"GET /", "no-store", "text/html; charset=utf-8", 200},
		{"GET /index.html", "no-store", "text/html; charset=utf-8", 200},
		{"GET /upstreams/acme/api", "no-store", "text/html; charset=utf-8", 200},
		{"GET /favicon.svg", "no-cache", "image/svg+xml", 200},
		{"GET /assets/app-1a2.js", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8", 200},
		{"GET /assets/gone.js", "no-store", "text/plain; charset=utf-8", 404},
		{"GET /assets/old", "no-store", "text/plain; charset=utf-8", 404},
		{"GET /.keep", "no-store", "text/plain; charset=utf-8", 404},
		{"GET /assets/../../etc/passwd.txt", "no-store", "text/plain; charset=utf-8", 404},
		{"POST /", "", "text/plain; charset=utf-8", 405},
	} {
		method, path, _ := strings.Cut(c.what, " ")
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		h := rec.Header()
		if strings.Contains(path, "..") && rec.Code == http.StatusTemporaryRedirect {
			continue // the mux cleans such paths before anything sees them
		}
		if rec.Code != c.status || h.Get("Cache-Control") != c.cache || h.Get("Content-Type") != c.contentType {
			t.Errorf("%s: %d, Cache-Control %q, Content-Type %q", c.what, rec.Code, h.Get("Cache-Control"), h.Get("Content-Type"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", c.what, h)
		}
	}
	one, two := w.do("GET", "/", ""), w.do("GET", "/", "")
	if one.Body.String() == two.Body.String() || strings.Contains(one.Body.String(), "__CSP_NONCE__") {
		t.Errorf("nonces: %s and %s", one.Body, two.Body)
	}
	nonce := strings.Split(one.Body.String(), `"`)[3]
	if got := one.Header().Get("Content-Security-Policy"); !strings.Contains(got, "style-src 'self' 'nonce-"+nonce+"'; style-src-attr 'none'") {
		t.Errorf("policy %s, nonce %s", got, nonce)
	}
}

func TestUIThatWasNotBuilt(t *testing.T) {
	w := newWorld(t, func(c *admin.Config) { c.UI = fstest.MapFS{".keep": {}} })
	if rec := w.do("GET", "/", ""); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "make ui build") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	_, err := admin.New(admin.Config{UI: fstest.MapFS{"index.html": {Data: []byte("<html>")}}})
	if err == nil || !strings.Contains(err.Error(), "__CSP_NONCE__") {
		t.Errorf("an index.html without a place for the nonce: %v", err)
	}
}

func TestOnePanicCostsOneRequest(t *testing.T) {
	w := newWorld(t, func(c *admin.Config) {
		c.Sources = func() []api.SourceStatus { panic("secret detail") }
	})
	rec := w.do("GET", "/api/v1/status", "")
	if rec.Code != 500 || !strings.Contains(rec.Body.String(), `"code":"internal"`) || strings.Contains(rec.Body.String(), "secret detail") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := w.do("GET", "/api/v1/session", ""); rec.Code != 200 {
		t.Errorf("the next request: %d", rec.Code)
	}
}

func TestLargeBody(t *testing.T) {
	w := newWorld(t, nil)
	body := `{"objects":[{"kind":"Tenant","name":"x","spec":{"hosts":["` + strings.Repeat("a", 5<<20) + `"]}}]}`
	rec := w.do("POST", "/api/v1/apply", body)
	if rec.Code != http.StatusRequestEntityTooLarge || !strings.Contains(rec.Body.String(), `"code":"invalid"`) {
		t.Errorf("%d %.300s", rec.Code, rec.Body)
	}
}

// TestStoreThatIsGone answers "unavailable" and says to come back.
func TestStoreThatIsGone(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/api/v1/tenants", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), `"code":"unavailable"`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
