package admin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite the golden problem documents")

// scenario is one request: who sends what, and what comes back.
type scenario struct {
	name   string
	who    string // "admin" unless said otherwise, "nobody", "stranger"
	what   string // method and path
	header string
	body   string
	status int
	has    []string // in the body
	hasNot []string
}

func (c scenario) run(t *testing.T, w *world) string {
	t.Helper()
	method, path, _ := strings.Cut(c.what, " ")
	var header []string
	switch c.who {
	case "nobody":
		header = append(header, "Authorization: ")
	case "stranger":
		header = append(header, "Authorization: Bearer some-other-token-000")
	}
	if c.header != "" {
		header = append(header, c.header)
	}
	rec := w.do(method, path, c.body, header...)
	text := rec.Body.String()
	if rec.Code != c.status {
		t.Errorf("%s: %s: status %d, want %d: %s", c.name, c.what, rec.Code, c.status, text)
	}
	for _, s := range c.has {
		if !strings.Contains(text, s) {
			t.Errorf("%s: %s: %q is not in %s", c.name, c.what, s, text)
		}
	}
	for _, s := range c.hasNot {
		if strings.Contains(text, s) {
			t.Errorf("%s: %s: %q is in %s", c.name, c.what, s, text)
		}
	}
	return text
}

const tenantBody = `{"kind":"Tenant","name":"globex","spec":{"hosts":["globex.example.com"]}}`

func TestScenarios(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	w.fleets.nodes = []gateway.Node{
		{NodeReport: gateway.NodeReport{Fleet: "shared", Node: "edge-1", Drift: []gateway.FileDrift{{Path: "upstreams.conf", Change: "modified", Diff: "-a\n+b\n"}}}, State: gateway.NodeDrifted},
		{NodeReport: gateway.NodeReport{Fleet: "shared", Node: "edge-2"}, State: gateway.NodeInSync},
	}
	w.fleets.trees = map[string]map[string]string{
		"edge-1": {"upstreams.conf": "b\n", "servers/shop.conf": "same\n", "/etc/nginx/nginx.conf": "worker_processes 1;\n"},
		"edge-2": {"upstreams.conf": "a\n", "servers/shop.conf": "same\n", "/etc/nginx/nginx.conf": "worker_processes 4;\n"},
	}
	w.fleets.desired = map[string]string{"upstreams.conf": "a\n", "servers/shop.conf": "same\n", "servers/new.conf": "new\n"}

	// The order counts: a later row sees what an earlier one wrote.
	for _, c := range []scenario{
		{name: "who am I", what: "GET /api/v1/session", status: 200, has: []string{`"name":"admin"`, `"role":"admin"`}},
		{name: "list objects", what: "GET /api/v1/objects", status: 200, has: []string{`"kind":"Tenant"`, `"kind":"Route"`}},
		{name: "list by kind", what: "GET /api/v1/objects?kind=Upstream", status: 200, has: []string{`"name":"api"`}, hasNot: []string{`"kind":"Route"`}},
		{name: "list by label", what: "GET /api/v1/objects?label=app%3Dshop", status: 200, has: []string{`"name":"api"`}, hasNot: []string{`"kind":"Route"`}},
		{name: "list by wrong label", what: "GET /api/v1/objects?label=app%3Dother", status: 200, has: []string{`{"items":[]}`}},

		{name: "dry run of a new tenant", what: "PUT /api/v1/tenants/globex?dryRun=true", body: tenantBody, status: 200, has: []string{`"dryRun":true`, `"action":"created"`, `{"change":"added","host":"globex.example.com"}`}},
		{name: "it was not written", what: "GET /api/v1/tenants/globex", status: 404, has: []string{`"code":"not_found"`}},
		{name: "create", what: "PUT /api/v1/tenants/globex", header: "If-None-Match: *", body: tenantBody, status: 200, has: []string{`"action":"created"`, `"revision":`}},
		{name: "create again", what: "PUT /api/v1/tenants/globex", header: "If-None-Match: *", body: tenantBody, status: 412, has: []string{`"code":"conflict"`, "exists already"}},
		{name: "put the same", what: "PUT /api/v1/tenants/globex", body: tenantBody, status: 200, has: []string{`"action":"unchanged"`}},
		{name: "put for an old revision", what: "PUT /api/v1/tenants/globex", header: `If-Match: "1"`, body: tenantBody, status: 412, has: []string{`"code":"conflict"`, "read it again"}},
		{name: "put for any revision", what: "PUT /api/v1/tenants/globex", header: `If-Match: *`, body: tenantBody, status: 200, has: []string{`"action":"unchanged"`}},
		{name: "put for any revision of nothing", what: "PUT /api/v1/fleets/none", header: `If-Match: *`, body: `{"kind":"Fleet","name":"none","spec":{}}`, status: 412, has: []string{`"code":"conflict"`}},
		{name: "the revision in the body counts too", what: "PUT /api/v1/tenants/globex", body: `{"kind":"Tenant","name":"globex","revision":1,"spec":{}}`, status: 409, has: []string{`"code":"conflict"`}},
		{name: "a host of somebody else is a problem", what: "PUT /api/v1/tenants/globex?dryRun=true", body: `{"kind":"Tenant","name":"globex","spec":{"hosts":["shop.example.com"]}}`, status: 200, has: []string{`"code":"host_taken"`, `"problemsAdded":[{`}},
		{name: "dry run of a delete", what: "DELETE /api/v1/tenants/acme/routes/cart?dryRun=true", status: 200, has: []string{`"action":"deleted"`, `{"change":"changed","host":"shop.example.com"}`}},
		{name: "delete", what: "DELETE /api/v1/tenants/globex", status: 200, has: []string{`"action":"deleted"`}},
		{name: "delete again", what: "DELETE /api/v1/tenants/globex", status: 404, has: []string{"Tenant globex"}},

		{name: "policy", what: "PUT /api/v1/policies/default", body: `{"kind":"Policy","name":"default","spec":{"maxBodySize":{"max":"1g"},"timeout":{"max":"30m"}}}`, status: 200},
		{name: "read policy", what: "GET /api/v1/policies/default", status: 200, has: []string{`"max":"1g"`, `"max":"30m"`}},
		{name: "list policies", what: "GET /api/v1/policies", status: 200, has: []string{`"name":"default"`}},
		{name: "delete policy", what: "DELETE /api/v1/policies/default", status: 200},
		{name: "fleet", what: "PUT /api/v1/fleets/shared", body: `{"kind":"Fleet","name":"shared","spec":{"reloadBudget":{"every":"5s"}}}`, status: 200},
		{name: "read fleet", what: "GET /api/v1/fleets/shared", status: 200, has: []string{`"every":"5s"`}},
		{name: "list fleets", what: "GET /api/v1/fleets", status: 200, has: []string{`"name":"shared"`}},
		{name: "override", what: "PUT /api/v1/tenants/acme/overrides/big", body: `{"kind":"Override","name":"big","tenant":"acme","spec":{"route":"cart","set":{"maxBodySize":"200m"},"expires":"2030-01-31T00:00:00Z","reason":"OPS-1"}}`, status: 200},
		{name: "read override", what: "GET /api/v1/tenants/acme/overrides/big", status: 200, has: []string{`"maxBodySize":"200m"`}},
		{name: "list overrides", what: "GET /api/v1/tenants/acme/overrides", status: 200, has: []string{`"name":"big"`}},
		{name: "list tenants", what: "GET /api/v1/tenants", status: 200, has: []string{`"name":"acme"`}},
		{name: "read route", what: "GET /api/v1/tenants/acme/routes/cart", status: 200, has: []string{`"timeout":"5s"`}},
		{name: "list routes", what: "GET /api/v1/tenants/acme/routes", status: 200, has: []string{`"name":"cart"`, `"name":"shop"`}},
		{name: "put route", what: "PUT /api/v1/tenants/acme/routes/cart", body: `{"kind":"Route","name":"cart","tenant":"acme","spec":{"hosts":["shop.example.com"],"match":[{"path":{"prefix":"/cart"}}],"to":[{"upstream":"api","weight":3}]}}`, status: 200, has: []string{`"action":"updated"`}},

		{name: "upstream as written", what: "GET /api/v1/tenants/acme/upstreams/api", status: 200, has: []string{`"address":"10.0.0.4:8080"`}},
		{name: "upstreams as written", what: "GET /api/v1/tenants/acme/upstreams", status: 200, has: []string{`"name":"api"`}},
		{name: "endpoints", what: "GET /api/v1/tenants/acme/upstreams/api/endpoints", status: 200, has: []string{`"inRotation":true`, `"sources":["manual"]`, `"routes":["cart","shop"]`, `"problems":[]`}},
		{name: "endpoints of nothing", what: "GET /api/v1/tenants/acme/upstreams/none/endpoints", status: 404, has: []string{"acme/none is not in service"}},
		{name: "drain an endpoint, dry", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin?dryRun=true", body: `{"state":"drained"}`, status: 200, has: []string{`"action":"created"`, `"object":{"kind":"Pin","tenant":"acme","name":"api-10.0.0.4-8080"}`, `"change":"changed"`}},
		{name: "drain an endpoint", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", body: `{"state":"drained","for":"2h","reason":"disk"}`, status: 200, has: []string{`"action":"created"`}},
		{name: "it is out by the word of the caller", what: "GET /api/v1/tenants/acme/upstreams/api/endpoints", status: 200, has: []string{`"state":"drained"`, `"reason":"drained by admin: disk"`, `"by":"admin"`, `"inRotation":false`}},
		{name: "force it up, in another spelling", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/%5B::ffff:10.0.0.4%5D:8080/pin", body: `{"state":"up"}`, status: 200, has: []string{`"action":"updated"`}},
		{name: "pins are objects", what: "GET /api/v1/objects?kind=Pin", status: 200, has: []string{`"state":"up"`, `"createdBy":"admin"`}},
		{name: "a check with a password", what: "PUT /api/v1/tenants/acme/upstreams/cache", body: `{"kind":"Upstream","name":"cache","tenant":"acme","spec":{"health":{"active":{"type":"redis","password":"open-sesame"}}}}`, status: 200, hasNot: []string{"open-sesame"}},
		{name: "it is not shown", what: "GET /api/v1/tenants/acme/upstreams/cache", status: 200, has: []string{`"password":"(secret)"`}, hasNot: []string{"open-sesame"}},
		{name: "nor in a snapshot", what: "GET /api/v1/snapshot", status: 200, has: []string{`"password":"(secret)"`}, hasNot: []string{"open-sesame"}},
		{name: "what was shown keeps it", what: "PUT /api/v1/tenants/acme/upstreams/cache", body: `{"kind":"Upstream","name":"cache","tenant":"acme","spec":{"health":{"active":{"type":"redis","password":"(secret)"}}}}`, status: 200, has: []string{`"action":"unchanged"`}},
		{name: "delete the cache", what: "DELETE /api/v1/tenants/acme/upstreams/cache", status: 200},
		{name: "pins of a tenant", what: "GET /api/v1/tenants/acme/pins", status: 200, has: []string{`"name":"api-10.0.0.4-8080"`}},
		{name: "a pin", what: "GET /api/v1/tenants/acme/pins/api-10.0.0.4-8080", status: 200, has: []string{`"state":"up"`}},
		{name: "a pin by its name", what: "PUT /api/v1/tenants/acme/pins/by-name", body: `{"kind":"Pin","name":"by-name","tenant":"acme","spec":{"upstream":"api","address":"10.0.0.5:8080","state":"down"}}`, status: 200, has: []string{`"action":"created"`, `"change":"changed"`}},
		{name: "delete a pin, dry", what: "DELETE /api/v1/tenants/acme/pins/by-name?dryRun=true", status: 200, has: []string{`"action":"deleted"`, `"change":"changed"`}},
		{name: "delete a pin", what: "DELETE /api/v1/tenants/acme/pins/by-name", status: 200, has: []string{`"action":"deleted"`}},
		{name: "delete it again", what: "DELETE /api/v1/tenants/acme/pins/by-name", status: 404, has: []string{"Pin acme/by-name"}},
		{name: "a stream without its port", what: "PUT /api/v1/tenants/acme/streams/db?dryRun=true", body: `{"kind":"Stream","name":"db","tenant":"acme","spec":{"port":7000,"upstream":"api"}}`, status: 200, has: []string{"port_unclaimed"}},
		{name: "a stream", what: "PUT /api/v1/tenants/acme/streams/db", body: `{"kind":"Stream","name":"db","tenant":"acme","spec":{"port":7000,"upstream":"api","idleTimeout":"1h"}}`, status: 200, has: []string{`"action":"created"`}},
		{name: "read stream", what: "GET /api/v1/tenants/acme/streams/db", status: 200, has: []string{`"idleTimeout":"1h"`}},
		{name: "list streams", what: "GET /api/v1/tenants/acme/streams", status: 200, has: []string{`"port":7000`}},
		{name: "no such port", what: "PUT /api/v1/tenants/acme/streams/db", body: `{"kind":"Stream","name":"db","tenant":"acme","spec":{"port":70000,"upstream":"api"}}`, status: 400, has: []string{"port"}},
		{name: "delete stream", what: "DELETE /api/v1/tenants/acme/streams/db", status: 200, has: []string{`"action":"deleted"`}},
		{name: "another state than the three", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", body: `{"state":"asleep"}`, status: 400, has: []string{"drained, up or down"}},
		{name: "a pin that is over", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", body: `{"state":"up","expires":"2020-01-01T00:00:00Z"}`, status: 400, has: []string{`"field":"expires"`}},
		{name: "two ends of a pin", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", body: `{"state":"up","expires":"2040-01-01T00:00:00Z","for":"1h"}`, status: 400, has: []string{`"field":"for"`}},
		{name: "a pin of nothing", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.9:8080/pin", body: `{"state":"up"}`, status: 404, has: []string{"has no endpoint 10.0.0.9:8080"}},
		{name: "unpin", what: "DELETE /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", status: 200, has: []string{`"action":"deleted"`}},
		{name: "unpin again", what: "DELETE /api/v1/tenants/acme/upstreams/api/endpoints/10.0.0.4:8080/pin", status: 404, has: []string{"nobody has said anything"}},
		{name: "health of an upstream", what: "GET /api/v1/tenants/acme/upstreams/api/health", status: 200, has: []string{`"mayEject":1`, `"arithmetic":"may eject 1 of 3","bound":"share"`, `"verdicts":[]`}},
		{name: "health of nothing", what: "GET /api/v1/tenants/acme/upstreams/none/health", status: 404, has: []string{"acme/none is not in service"}},
		{name: "health of a tenant", what: "GET /api/v1/health/upstreams?tenant=acme", status: 200, has: []string{`"name":"api"`}, hasNot: []string{`"name":"web"`}},
		{name: "evidence", what: "GET /api/v1/health/events?upstream=api&endpoint=10.0.0.4:8080", status: 200, has: []string{`"rule":"error_ratio"`, `"errors":12`, `"request":"0000000000000abc"`}},
		{name: "evidence of another time", what: "GET /api/v1/health/events?until=2020-01-01T00:00:00Z", status: 200, has: []string{`{"items":[]}`}},

		{name: "add endpoint, dry", what: "POST /api/v1/tenants/acme/upstreams/api/endpoints?dryRun=true", body: `{"address":"10.0.0.6:8080"}`, status: 200, has: []string{`"endpointsAdded":["10.0.0.6:8080"]`, `"endpointsRemoved":[]`}},
		{name: "add endpoint", what: "POST /api/v1/tenants/acme/upstreams/api/endpoints", body: `{"address":"[2001:db8::6]:8080","weight":0}`, status: 200, has: []string{`"action":"updated"`}},
		{name: "add a name", what: "POST /api/v1/tenants/acme/upstreams/api/endpoints", body: `{"address":"api.internal:8080"}`, status: 400, has: []string{`"field":"address"`, "write IP:port"}},
		{name: "remove endpoint", what: "DELETE /api/v1/tenants/acme/upstreams/api/endpoints/%5B2001:db8::6%5D:8080", status: 200, has: []string{`"endpointsRemoved":["[2001:db8::6]:8080"]`}},
		{name: "remove again", what: "DELETE /api/v1/tenants/acme/upstreams/api/endpoints/%5B2001:db8::6%5D:8080", status: 404, has: []string{"has no endpoint"}},
		{name: "sync the same in another order", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints", body: `{"endpoints":[{"address":"10.0.0.5:8080"},{"address":"10.0.0.4:8080","weight":1}]}`, status: 200, has: []string{`"action":"unchanged"`}},
		{name: "sync", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints", body: `{"endpoints":[{"address":"10.0.0.5:8080"},{"address":"10.0.0.7:8080"}]}`, status: 200, has: []string{`"action":"updated"`, `"endpointsAdded":["10.0.0.7:8080"]`, `"endpointsRemoved":["10.0.0.4:8080"]`}},
		{name: "sync for an old revision", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints", header: `If-Match: "1"`, body: `{"endpoints":[]}`, status: 412, has: []string{`"code":"conflict"`}},
		{name: "sync twice the same", what: "PUT /api/v1/tenants/acme/upstreams/api/endpoints", body: `{"endpoints":[{"address":"10.0.0.5:8080"},{"address":"10.0.0.5:8080"}]}`, status: 400, has: []string{`"field":"endpoints[1].address"`}},
		{name: "put upstream", what: "PUT /api/v1/tenants/acme/upstreams/spare", body: `{"kind":"Upstream","name":"spare","tenant":"acme","spec":{}}`, status: 200},
		{name: "an upstream without endpoints lists none", what: "GET /api/v1/tenants/acme/upstreams/spare/endpoints", status: 200, has: []string{`"endpoints":[]`}},
		{name: "prune, dry", what: "POST /api/v1/apply?dryRun=true", body: `{"objects":[],"prune":{"tenants":["acme"],"label":"app=shop"}}`, status: 200, has: []string{`"action":"deleted"`, `"name":"api"`}, hasNot: []string{`"name":"spare"`}},
		{name: "delete upstream", what: "DELETE /api/v1/tenants/acme/upstreams/spare", status: 200},
		{name: "delete override", what: "DELETE /api/v1/tenants/acme/overrides/big", header: `If-Match: "1"`, status: 412},
		{name: "delete override for any revision", what: "DELETE /api/v1/tenants/acme/overrides/big", header: `If-Match: *`, status: 200},

		{name: "upstreams in service", what: "GET /api/v1/upstreams", status: 200, has: []string{`"generation":`, `"key":{"tenant":"acme","name":"api"}`}},
		{name: "upstreams of nobody", what: "GET /api/v1/upstreams?tenant=nobody", status: 200, has: []string{`"items":[]`}},
		{name: "snapshot", what: "GET /api/v1/snapshot", status: 200, has: []string{`"digest":"`, `"hosts":[{"name":"*.acme.example.com"`, `"problems":[`}},
		{name: "status", what: "GET /api/v1/status", status: 200, has: []string{`"version":"test"`, `"node":"edge-1"`, `"mode":"embedded"`, `"endpointsInRotation":2`, `"nodes":{"drifted":1,"in_sync":1}`, `"listeners":[]`, `"names":{"announced":3,"failing":0,"leading":true,"leaving":0,"pending":0}`}},
		{name: "problems", what: "GET /api/v1/problems?tenant=acme", status: 200, has: []string{`"items":[`}},
		{name: "explain", what: "GET /api/v1/explain?url=http://shop.example.com:8080/cart/1", status: 200, has: []string{`"hostEntry":"shop.example.com"`, `"proxied":true`, `"chosen":true`, "more specific"}},
		{name: "history", what: "GET /api/v1/history?kind=Upstream&tenant=acme&name=api", status: 200, has: []string{`"action":"created"`, `"action":"updated"`, `"by":"admin"`}},
		{name: "history of nothing", what: "GET /api/v1/history?kind=Upstream&tenant=acme&name=none", status: 404},
		{name: "history without owner", what: "GET /api/v1/history?kind=Upstream&name=api", status: 400, has: []string{`"field":"tenant"`}},
		{name: "audit", what: "GET /api/v1/audit?limit=2", status: 200, has: []string{`"by":"admin"`, `"action":"deleted"`}},
		{name: "audit of somebody else", what: "GET /api/v1/audit?who=eve", status: 200, has: []string{`{"items":[]}`}},

		{name: "nodes", what: "GET /api/v1/fleets/shared/nodes", status: 200, has: []string{`"node":"edge-1"`, `"state":"in_sync"`}},
		{name: "nodes of nothing", what: "GET /api/v1/fleets/none/nodes", status: 404},
		{name: "node", what: "GET /api/v1/fleets/shared/nodes/edge-2", status: 200, has: []string{`"node":"edge-2"`}},
		{name: "no such node", what: "GET /api/v1/fleets/shared/nodes/edge-9", status: 404},
		{name: "drift", what: "GET /api/v1/fleets/shared/nodes/edge-1/drift", status: 200, has: []string{`"path":"upstreams.conf"`}},
		{name: "no drift", what: "GET /api/v1/fleets/shared/nodes/edge-2/drift", status: 200, has: []string{`{"items":[]}`}},
		{name: "node and desired", what: "GET /api/v1/fleets/shared/diff?node=edge-1", status: 200, has: []string{`"left":"desired edge-1"`, `"change":"removed"`, `"equal":1`, `-a\n+b`}, hasNot: []string{"nginx.conf"}},
		{name: "node and node", what: "GET /api/v1/fleets/shared/diff?node=edge-1&other=edge-2", status: 200, has: []string{`"left":"node edge-2"`, "/etc/nginx/nginx.conf"}},
		{name: "node and no node", what: "GET /api/v1/fleets/shared/diff?node=edge-1&other=edge-9", status: 404},
		{name: "groups", what: "GET /api/v1/fleets/shared/groups", status: 200, has: []string{`"summary":"1 alike, 1 differs in 1 directive"`, `"id":"0123456789ab"`}},
		{name: "groups of nothing", what: "GET /api/v1/fleets/none/groups", status: 404},
		{name: "settle nothing", what: "POST /api/v1/fleets/shared/drift/ffffffffffff", body: `{"action":"revert"}`, status: 404},
		{name: "settle in no way", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"ignore"}`, status: 400},
		{name: "allow without a date", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"allow","reason":"x"}`, status: 400, has: []string{`"field":"until"`}},
		{name: "allow until yesterday", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"allow","until":"2020-01-01T00:00:00Z","reason":"x"}`, status: 400, has: []string{"in the future"}},
		{name: "allow without a reason", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"allow","until":"2099-01-01T00:00:00Z"}`, status: 400, has: []string{`"field":"reason"`}},
		{name: "allow elsewhere", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"allow","until":"2099-01-01T00:00:00Z","reason":"x","nodes":["edge-2"]}`, status: 400, has: []string{"edge-2"}},
		{name: "allow what is no drift", what: "POST /api/v1/fleets/shared/drift/0123456789ad", body: `{"action":"allow","until":"2099-01-01T00:00:00Z","reason":"x"}`, status: 400, has: []string{"not alike"}},
		{name: "allow, dry", what: "POST /api/v1/fleets/shared/drift/0123456789ab?dryRun=true", body: `{"action":"allow","until":"2099-01-01T00:00:00Z","reason":"x"}`, status: 200, has: []string{`"kind":"Allowance"`, `"action":"created"`}},
		{name: "allow", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"allow","until":"2099-01-01T00:00:00Z","reason":"OPS-1"}`, status: 200, has: []string{`"nodes":["edge-1"]`, `"name":"shared-0123456789ab"`, `"action":"created"`}},
		{name: "allowances are objects", what: "GET /api/v1/objects?kind=Allowance", status: 200, has: []string{`"reason":"OPS-1"`, `"about":"upstreams.conf (server a): changed from a; to b;"`, `"createdBy":"admin"`}},
		{name: "an allowance", what: "GET /api/v1/allowances/shared-0123456789ab", status: 200, has: []string{`"reason":"OPS-1"`}},
		{name: "delete an allowance, dry", what: "DELETE /api/v1/allowances/shared-0123456789ab?dryRun=true", status: 200, has: []string{`"action":"deleted"`}},
		{name: "revert, dry", what: "POST /api/v1/fleets/shared/drift/0123456789ab?dryRun=true", body: `{"action":"revert"}`, status: 200, has: []string{`"nodes":["edge-1"]`, `"objects":[]`}},
		{name: "revert what was allowed", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"revert"}`, status: 200, has: []string{`"nodes":["edge-1"]`, `"action":"deleted"`}},
		{name: "revert on a node", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"revert","nodes":["edge-1"]}`, status: 200, has: []string{`"objects":[]`}},
		{name: "adopt without a reason", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"adopt"}`, status: 400, has: []string{`"field":"reason"`}},
		{name: "adopt for some", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"adopt","reason":"x","nodes":["edge-1"]}`, status: 400, has: []string{`"field":"nodes"`}},
		{name: "adopt", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"adopt","reason":"OPS-2"}`, status: 200, has: []string{`"kind":"Override","tenant":"acme","name":"adopted-0123456789ab"`, `"action":"created"`}},
		{name: "adopt an endpoint", what: "POST /api/v1/fleets/shared/drift/0123456789ac?dryRun=true", body: `{"action":"adopt","reason":"OPS-2"}`, status: 200, has: []string{`"kind":"Upstream","tenant":"acme","name":"api"`}},
		{name: "adopt two at once", what: "POST /api/v1/fleets/shared/drift/0123456789ae?dryRun=true", body: `{"action":"adopt","reason":"OPS-2","also":["0123456789af","0123456789ac"]}`, status: 200, has: []string{`"name":"adopted-0123456789ae"`, `"name":"adopted-0123456789af"`, `"kind":"Upstream","tenant":"acme","name":"api"`}},
		{name: "adopt two of which one is nobody's", what: "POST /api/v1/fleets/shared/drift/0123456789ae", body: `{"action":"adopt","reason":"OPS-2","also":["0123456789ad"]}`, status: 400, has: []string{"nobody's"}},
		{name: "nothing was adopted then", what: "GET /api/v1/tenants/acme/overrides/adopted-0123456789ae", status: 404},
		{name: "revert two at once", what: "POST /api/v1/fleets/shared/drift/0123456789ab", body: `{"action":"revert","also":["0123456789ae"]}`, status: 400, has: []string{`"field":"also"`}},
		{name: "adopt what is nobody's", what: "POST /api/v1/fleets/shared/drift/0123456789ad", body: `{"action":"adopt","reason":"OPS-2"}`, status: 400, has: []string{"nobody's"}},
		{name: "tree as one text", what: "GET /api/v1/fleets/shared/tree?of=edge-1&format=text", status: 200, has: []string{"# configuration file tree/upstreams.conf:\nb\n", "# configuration file /etc/nginx/nginx.conf:"}},
		{name: "revision as one text", what: "GET /api/v1/fleets/shared/tree?of=revision:abcdef&format=text", status: 200, has: []string{"old\n"}},
		{name: "bundles", what: "GET /api/v1/fleets/shared/bundles", status: 200, has: []string{`{"items":[{"digest":"abcdef","facts":"f1","revisions":[14,12],"nodes":["edge-1"]}]}`}},
		{name: "bundles of no fleet", what: "GET /api/v1/fleets/nix/bundles", status: 404},
		{name: "no such revision", what: "GET /api/v1/fleets/shared/tree?of=revision:123456", status: 404},
		{name: "tree as an archive", what: "GET /api/v1/fleets/shared/tree?of=desired:edge-1", status: 200},
		{name: "diff with a revision", what: "GET /api/v1/fleets/shared/diff?from=revision:abcdef&to=edge-1&sideBySide=true", status: 200, has: []string{`"left":"revision:abcdef"`, `"change":"changed","left":"old","leftLine":1,"right":"b","rightLine":1`}, hasNot: []string{"nginx.conf"}},
		{name: "diff of nothing", what: "GET /api/v1/fleets/shared/diff", status: 400},
		{name: "diff of too much", what: "GET /api/v1/fleets/shared/diff?node=edge-1&from=edge-1&to=edge-2", status: 400},
		{name: "delete fleet", what: "DELETE /api/v1/fleets/shared", status: 200},
		{name: "delete route", what: "DELETE /api/v1/tenants/acme/routes/cart", status: 200},
	} {
		c.run(t, w)
	}
}

// TestRefusals compares the whole text of what people read when a request is refused.
func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.shop()
	upstream := func(spec string) string {
		return `{"kind":"Upstream","name":"api","tenant":"acme","spec":` + spec + `}`
	}
	route := func(filters string) string {
		return `{"kind":"Route","name":"cart","tenant":"acme","spec":{"hosts":["a.example.com"],"to":[{"upstream":"api"}],"filters":[` + filters + `]}}`
	}
	var out bytes.Buffer
	for _, c := range []scenario{
		{name: "no token", who: "nobody", what: "GET /api/v1/status", status: 401},
		{name: "wrong token", who: "stranger", what: "GET /api/v1/status", status: 401},
		{name: "no token, no such path", who: "nobody", what: "GET /api/v1/none", status: 401},
		{name: "no such path", what: "GET /api/v1/none", status: 404},
		{name: "wrong method", what: "DELETE /api/v1/status", status: 405},
		{name: "no such object", what: "GET /api/v1/tenants/acme/routes/none", status: 404},
		{name: "unknown key", what: "PUT /api/v1/tenants/acme/upstreams/api", body: upstream(`{"endpoint":[]}`), status: 400},
		{name: "unknown key, deep", what: "PUT /api/v1/tenants/acme/upstreams/api", body: upstream(`{"endpoints":[{"address":"10.0.0.4:1"},{"address":"10.0.0.5:1","wieght":2}]}`), status: 400},
		{name: "several at once", what: "PUT /api/v1/tenants/acme/upstreams/api", body: upstream(`{"timeouts":{"connect":"2 seconds"},"retry":{"attempts":"2"}}`), status: 400},
		{name: "key in the wrong case", what: "PUT /api/v1/tenants/acme/upstreams/api", body: upstream(`{"Protocol":"http"}`), status: 400},
		{name: "missing key", what: "PUT /api/v1/tenants/acme/upstreams/api", body: upstream(`{"endpoints":[{"weight":2}]}`), status: 400},
		{name: "bad size", what: "PUT /api/v1/tenants/acme/routes/cart", body: `{"kind":"Route","name":"cart","tenant":"acme","spec":{"hosts":["a.example.com"],"to":[{"upstream":"api"}],"maxBodySize":"10MB"}}`, status: 400},
		{name: "unknown key of a limit", what: "PUT /api/v1/tenants/acme/routes/cart", body: route(`{"rateLimit":{"requests":5,"key":"clinet"}},{"connectionLimit":{"max":5,"key":{"header":"x y"}}},{"rateLimit":{"requests":5,"key":5}}`), status: 400},
		{name: "no filter, and two in one entry", what: "PUT /api/v1/tenants/acme/routes/cart", body: route(`{},{"rewrite":{"host":"x"},"redirect":{"host":"y"}}`), status: 400},
		{name: "wrong kind", what: "PUT /api/v1/tenants/acme", body: `{"kind":"Route","name":"acme","spec":{}}`, status: 400},
		{name: "another name", what: "PUT /api/v1/tenants/acme", body: `{"kind":"Tenant","name":"globex","spec":{}}`, status: 400},
		{name: "bad name", what: "PUT /api/v1/tenants/Acme%20Corp", body: `{"kind":"Tenant","name":"Acme Corp","spec":{}}`, status: 400},
		{name: "not JSON", what: "PUT /api/v1/tenants/acme", body: `{"kind":`, status: 400},
		{name: "no body", what: "PUT /api/v1/tenants/acme", status: 400},
		{name: "unknown kind", what: "POST /api/v1/apply", body: `{"objects":[{"kind":"Gateway","name":"x","spec":{}}]}`, status: 400},
		{name: "no kind", what: "POST /api/v1/apply", body: `{"objects":[{"name":"x","spec":{}}]}`, status: 400},
		{name: "unknown key in one of several", what: "POST /api/v1/apply", body: `{"objects":[{"kind":"Tenant","name":"x","spec":{}},{"kind":"Tenant","name":"y","spec":{"host":[]}}]}`, status: 400},
		{name: "one object twice", what: "POST /api/v1/apply", body: `{"objects":[{"kind":"Tenant","name":"x","spec":{}},{"kind":"Tenant","name":"x","spec":{}}]}`, status: 400},
		{name: "bad ETag", what: "DELETE /api/v1/tenants/acme", header: "If-Match: \"abc\"", status: 400},
		{name: "bad parameter", what: "GET /api/v1/audit?limit=0", status: 400},
		{name: "missing parameter", what: "GET /api/v1/explain", status: 400},
		{name: "bad URL", what: "GET /api/v1/explain?url=http://", status: 400},
		{name: "bad label", what: "GET /api/v1/objects?label=app", status: 400},
		{name: "old revision", what: "DELETE /api/v1/tenants/acme", header: `If-Match: "2147483647"`, status: 412},
	} {
		text := c.run(t, w)
		if c.name == "old revision" {
			text = strings.ReplaceAll(text, fmt.Sprintf("is at revision %d,", w.revision(t)), "is at revision N,")
		}
		var doc any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%s: %v: %s", c.name, err, text)
		}
		pretty, _ := json.MarshalIndent(doc, "", "  ")
		fmt.Fprintf(&out, "-- %s: %s --\n%s\n", c.name, c.what, pretty)
	}
	golden := filepath.Join("testdata", "refusals.golden")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, out.Bytes()) {
		t.Errorf("the documents are not those of %s; run with -update and read the difference. Got:\n%s", golden, out.Bytes())
	}
}

func (w *world) revision(t *testing.T) int64 {
	obj, err := w.store.Get(t.Context(), gateway.Ref{Kind: gateway.KindTenant, Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return obj.Head().Revision
}
