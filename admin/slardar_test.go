package admin_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/gateway"
)

const slardarServers = `{"servers":[{"host":"10.0.0.4","port":8080,"max_fails":2},{"host":"10.0.0.5","port":8080,"max_fails":2}]}`

// upyun is a world with a tenant for Slardar's upstreams beside the shop.
func upyun(t *testing.T) *world {
	w := newWorld(t, nil)
	w.shop()
	w.must("POST", "/api/v1/apply", `{"objects":[{"kind":"Tenant","name":"upyun","spec":{"hosts":["*.upyun.test","imageinfo"]}}]}`)
	return w
}

// The order counts: a later row sees what an earlier one wrote.
func play(t *testing.T, w *world, rows []scenario) {
	t.Helper()
	for _, c := range rows {
		c.what = strings.Replace(c.what, " /", " /compat/slardar/", 1)
		c.run(t, w)
	}
}

func TestS10Requests(t *testing.T) {
	w := upyun(t)
	play(t, w, []scenario{
		{name: "without a token", who: "nobody", what: "GET /status", status: 401, has: []string{"Authorization: Bearer"}},
		{name: "with another's token", who: "stranger", what: "POST /upstream/a.upyun.test", body: slardarServers, status: 401},
		{name: "post", what: "POST /upstream/a.upyun.test", body: slardarServers, status: 200, has: []string{`{"status":200}`}},
		{name: "it is on the page", what: "GET /status", status: 200, has: []string{`"cls:a.upyun.test":[[{"server":"a.upyun.test:10.0.0.4:8080","status":"ok"`, `"shd_config_version":1`, `"slardar_version":"sluice/test"`}, hasNot: []string{"cls:api"}},
		{name: "put", what: "PUT /upstream/a.upyun.test", body: `{"cluster":[{"servers":[{"host":"10.0.0.6","port":8080}]},{"servers":[{"host":"10.0.0.7","port":8080}]}]}`, status: 200},
		{name: "two levels", what: "GET /status", status: 200, has: []string{`10.0.0.6:8080","status":"ok","weight":1,"msg":null}],[{"server":"a.upyun.test:10.0.0.7:8080"`}, hasNot: []string{"10.0.0.4"}},
		{name: "bad JSON", what: "POST /upstream/a.upyun.test", body: `{"servers"`, status: 400, has: []string{`{"status":400,"msg":"decode body error: `}},
		{name: "no body", what: "PUT /upstream/a.upyun.test", status: 400, has: []string{`"msg":"no body`}},
		{name: "empty", what: "POST /upstream/a.upyun.test", body: `{"servers":[]}`, status: 400, has: []string{"can not set empty upstream"}},
		{name: "a name for an address", what: "POST /upstream/a.upyun.test", body: `{"servers":[{"host":"db.internal","port":80}]}`, status: 400, has: []string{"spec.endpoints[0].address", "names belong under spec.discover"}},
		{name: "a weight that is too large", what: "POST /upstream/a.upyun.test", body: `{"servers":[{"host":"10.0.0.4","port":80,"weight":1001}]}`, status: 400, has: []string{"outside 0 to 1000"}},
		{name: "a body that is too large", what: "POST /upstream/a.upyun.test", body: strings.Repeat(" ", 5<<20), status: 400, has: []string{`"msg":"body too big"`}},
		{name: "the old servers are kept", what: "GET /status", status: 200, has: []string{"10.0.0.6:8080"}, hasNot: []string{"db.internal", "10.0.0.4"}},
		{name: "get", what: "GET /upstream/a.upyun.test", status: 405, has: []string{`{"status":405,"msg":"method not allowed"}`}},
		{name: "patch", what: "PATCH /upstream/a.upyun.test", body: slardarServers, status: 405},
		{name: "no name", what: "POST /upstream/a%20b", body: slardarServers, status: 400, has: []string{"letters, digits"}},
		{name: "two names", what: "POST /upstream/a/b", body: slardarServers, status: 400, has: []string{"no such path"}},
		{name: "post to the page", what: "POST /status", body: slardarServers, status: 405},
		{name: "Lua", what: "POST /lua/script.a", body: "return 1", status: 501, has: []string{"Lua scripts are not run"}},
		{name: "dry run", what: "DELETE /upstream/a.upyun.test?dryRun=true", status: 200, has: []string{`{"status":200,"dryRun":true}`}},
		{name: "delete", what: "DELETE /upstream/a.upyun.test", status: 200, has: []string{`{"status":200}`}},
		{name: "delete again", what: "DELETE /upstream/a.upyun.test", status: 400, has: []string{`"msg":"upstream a.upyun.test not found"`}},
		{name: "an empty page", what: "GET /status", status: 200, hasNot: []string{"cls:"}},
		{name: "any name", what: "POST /upstream/A_b.upyun.test", body: slardarServers, status: 200},
		{name: "under that name", what: "GET /status", status: 200, has: []string{`"cls:A_b.upyun.test"`}},
		{name: "delete it", what: "DELETE /upstream/A_b.upyun.test", status: 200},
	})
	if objects := w.do("GET", "/api/v1/objects?tenant=upyun", "").Body.String(); strings.Contains(objects, "Route") || strings.Contains(objects, "Upstream") {
		t.Errorf("left behind: %s", objects)
	}
}

// The Host header is the name of the upstream, so a route comes and goes with it, but never in
// the place of one that people have written.
func TestS08Routes(t *testing.T) {
	w := upyun(t)
	play(t, w, []scenario{
		{name: "a short name", what: "POST /upstream/imageinfo", body: slardarServers, status: 200, has: []string{`{"status":200}`}},
		{name: "a host of nobody", what: "POST /upstream/imgprocess", body: slardarServers, status: 400, has: []string{"host imgprocess can not be served", "?route=false"}},
		{name: "a host of somebody else", what: "POST /upstream/shop.example.com", body: slardarServers, status: 400, has: []string{`belongs to tenant`}},
		{name: "without a route", what: "POST /upstream/imgprocess?route=false", body: slardarServers, status: 200},
		{name: "no host can have it", what: "POST /upstream/-a", body: slardarServers, status: 200, has: []string{`"notes":["no route was made`}},
		{name: "a tenant of another name", what: "POST /upstream/late.acme.example.com?tenant=acme", body: slardarServers, status: 200},
		{name: "a tenant that is none", what: "POST /upstream/a?tenant=nobody", body: slardarServers, status: 400, has: []string{"nobody"}},
		{name: "an upstream that has routes", what: "POST /upstream/api?tenant=acme", body: `{"servers":[{"host":"10.0.0.9","port":80}]}`, status: 200},
		{name: "it loses them", what: "DELETE /upstream/api?tenant=acme", status: 200, has: []string{`"notes":["Route acme/`}},
	})
	if got := w.do("GET", "/api/v1/tenants/acme/routes/shop", ""); got.Code != 200 {
		t.Errorf("a route that was written by hand is gone: %d", got.Code)
	}
	got := w.do("GET", "/api/v1/tenants/upyun/routes/imageinfo", "").Body.String()
	if !strings.Contains(got, `"hosts":["imageinfo"]`) || !strings.Contains(got, `"labels":{"slardar/name":"imageinfo"}`) {
		t.Errorf("route %s", got)
	}
	if got := w.do("GET", "/api/v1/tenants/upyun/routes/imgprocess", ""); got.Code != 404 {
		t.Errorf("a route that was not wanted: %s", got.Body)
	}
}

// Writes are those of the API: one record each, with the author, and none for what fails.
func TestS44Audit(t *testing.T) {
	w := upyun(t)
	count := func() int { return strings.Count(w.do("GET", "/api/v1/audit", "").Body.String(), `"by":"admin"`) }
	before := count()
	play(t, w, []scenario{
		{what: "POST /upstream/a.upyun.test", body: slardarServers, status: 200},
		{what: "POST /upstream/a.upyun.test", body: slardarServers, status: 200}, // changes nothing
		{what: "POST /upstream/a.upyun.test", body: `{"servers":[]}`, status: 400},
		{what: "POST /upstream/b.upyun.test?dryRun=true", body: slardarServers, status: 200, has: []string{`"dryRun":true`}},
		{what: "DELETE /upstream/a.upyun.test", status: 200},
	})
	if n := count() - before; n != 2 {
		t.Errorf("%d records, want 2: %s", n, w.do("GET", "/api/v1/audit", "").Body)
	}
}

// What this version can not do is refused, with the reason, before anything is written.
func TestS30Modes(t *testing.T) {
	w := upyun(t)
	play(t, w, []scenario{
		{what: "POST /upstream/a.upyun.test", body: strings.Replace(slardarServers, "{", `{"mode":"no_such_mode",`, 1), status: 400, has: []string{"spec.balance.policy", "no_such_mode"}},
		{what: "POST /upstream/a.upyun.test", body: strings.Replace(slardarServers, "{", `{"typ":"no_such_type",`, 1), status: 400, has: []string{"spec.health.active.type", "no_such_type"}},
		{what: "GET /status", status: 200, hasNot: []string{"cls:"}},
		{what: "POST /upstream/a.upyun.test", body: strings.Replace(slardarServers, "{", `{"mode":"header_hash",`, 1), status: 200},
	})
}

func TestS31Feedback(t *testing.T) {
	w := upyun(t)
	play(t, w, []scenario{
		{what: "POST /upstream/a.upyun.test", body: slardarServers, status: 200},
		{what: "POST /upstream/b.upyun.test", body: `{"servers":[{"host":"10.0.0.4","port":8080}]}`, status: 200},
		{name: "failed", what: "POST /feedback/a.upyun.test", body: `{"host":"10.0.0.5","port":8080,"failed":true}`, status: 200, has: []string{`{"status":200}`}},
		{name: "went well", what: "POST /feedback/a.upyun.test", body: `{"host":"10.0.0.5","port":"8080"}`, status: 200},
		{name: "another upstream", what: "POST /feedback/c.upyun.test", body: `{"host":"10.0.0.5","port":8080}`, status: 404, has: []string{"unknown skey c.upyun.test"}},
		{name: "another server", what: "POST /feedback/a.upyun.test", body: `{"host":"10.0.0.6","port":8080,"failed":true}`, status: 404, has: []string{"unknown host:port 10.0.0.6:8080"}},
		{name: "another port", what: "POST /feedback/a.upyun.test", body: `{"host":"10.0.0.5","port":8081,"failed":true}`, status: 404},
		{name: "another tenant", what: "POST /feedback/a.upyun.test?tenant=acme", body: `{"host":"10.0.0.5","port":8080,"failed":true}`, status: 404},
		{name: "no JSON", what: "POST /feedback/a.upyun.test", body: `failed`, status: 400, has: []string{"decode body error"}},
		{name: "get", what: "GET /feedback/a.upyun.test", status: 405},
		{name: "a stranger", who: "stranger", what: "POST /feedback/a.upyun.test", body: `{"host":"10.0.0.5","port":8080,"failed":true}`, status: 401},
		{name: "max_fails 0", what: "POST /feedback/b.upyun.test", body: `{"host":"10.0.0.4","port":8080,"failed":true}`, status: 200, has: []string{"max_fails is 0"}},
	})
	key := gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "upyun", Name: "a.upyun.test"}, Address: "10.0.0.5:8080"}
	if len(w.outcomes) != 3 || w.outcomes[0].EndpointKey != key || w.outcomes[0].Failure == "" || w.outcomes[0].Reason != "by admin" ||
		w.outcomes[1].EndpointKey != key || w.outcomes[1].Failure != "" || w.outcomes[1].Status != 200 || w.outcomes[0].At.IsZero() {
		t.Errorf("%+v", w.outcomes)
	}
}

// Many scripts write one upstream at a time; none fails and the last one stands whole.
func TestS09WritersAtOnce(t *testing.T) {
	w := upyun(t)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			body := fmt.Sprintf(`{"servers":[{"host":"10.0.%d.1","port":80},{"host":"10.0.%d.2","port":80}]}`, i, i)
			if rec := w.do("POST", "/compat/slardar/upstream/a.upyun.test", body); rec.Code != 200 {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		})
	}
	writers.Wait()
	page := w.do("GET", "/compat/slardar/status", "").Body.String()
	if strings.Count(page, `"server":`) != 2 {
		t.Errorf("page %s", page)
	}
}

func TestSlardarNeedsATenant(t *testing.T) {
	w := upyun(t)
	other := newWorld(t, func(c *admin.Config) { c.Slardar.Tenant = "" })
	play(t, other, []scenario{
		{what: "GET /status", status: 400, has: []string{"?tenant=NAME"}},
		{what: "POST /upstream/a", body: slardarServers, status: 400, has: []string{"?tenant=NAME"}},
		{what: "GET /status?tenant=upyun", status: 200},
	})
	off := newWorld(t, func(c *admin.Config) { c.Slardar = nil })
	if body := off.do("GET", "/compat/slardar/status", "").Body.String(); strings.Contains(body, "start_time") {
		t.Errorf("served: %s", body)
	}
	play(t, w, []scenario{{what: "GET /status", status: 200, has: []string{"start_time"}}})
}

// S32: what is behind a TCP port has a namespace of its own, and is there with the port.
func TestS32Ports(t *testing.T) {
	w := upyun(t)
	w.must("PUT", "/api/v1/tenants/upyun", `{"kind":"Tenant","name":"upyun","spec":{"hosts":["*.upyun.test","7000"],"ports":["7000-7009"]}}`)
	play(t, w, []scenario{
		{what: "POST /stream/upstream/7000?dryRun=true", body: slardarServers, status: 200, has: []string{`"dryRun":true`}},
		{what: "GET /stream/status", status: 200, hasNot: []string{"cls:"}},
		{what: "POST /stream/upstream/7000", body: slardarServers, status: 200},
		{what: "POST /upstream/7000", body: `{"servers":[{"host":"10.0.0.9","port":80}]}`, status: 200},
		{what: "GET /stream/status", status: 200, has: []string{`"cls:7000"`, `"server":"7000:10.0.0.4:8080"`}, hasNot: []string{"10.0.0.9"}},
		{what: "GET /status", status: 200, has: []string{`"cls:7000"`, `"server":"7000:10.0.0.9:80"`}, hasNot: []string{"10.0.0.4"}},
		{name: "servers are replaced", what: "PUT /stream/upstream/7000", body: `{"servers":[{"host":"10.0.0.7","port":80}]}`, status: 200},
		{what: "GET /stream/status", status: 200, has: []string{"7000:10.0.0.7:80"}, hasNot: []string{"10.0.0.4"}},
		{name: "not the tenant's", what: "POST /stream/upstream/8000", body: slardarServers, status: 400, has: []string{"port 8000 can not be served", "spec.ports"}},
		{name: "no port", what: "POST /stream/upstream/db", body: slardarServers, status: 400, has: []string{"from 1 to 65535"}},
		{name: "the object of a port", what: "POST /upstream/stream-7000?route=false", body: slardarServers, status: 400, has: []string{"is upstream"}},
		{name: "nothing there", what: "DELETE /stream/upstream/7001", status: 400, has: []string{"upstream 7001 not found"}},
		{name: "get", what: "GET /stream/upstream/7000", status: 405},
		{what: "DELETE /stream/upstream/7000", status: 200},
		{what: "GET /stream/status", status: 200, hasNot: []string{"cls:"}},
		{what: "GET /status", status: 200, has: []string{`"cls:7000"`}},
	})
}
