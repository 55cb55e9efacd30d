package admin_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

func TestExplain(t *testing.T) {
	w := newWorld(t, nil)
	w.must("POST", "/api/v1/apply", `{"objects":[
		{"kind":"Tenant","name":"acme","spec":{"hosts":["shop.example.com","*.acme.example.com"]}},
		{"kind":"Tenant","name":"rest","spec":{"hosts":["*"]}},
		{"kind":"Upstream","name":"api","tenant":"acme","spec":{"endpoints":[{"address":"10.0.0.4:8080"}]}},
		{"kind":"Upstream","name":"empty","tenant":"acme","spec":{}},
		{"kind":"Route","name":"api","tenant":"acme","spec":{"hosts":["shop.example.com"],"match":[{"path":{"prefix":"/api"}}],"to":[{"upstream":"api","weight":3},{"upstream":"empty","weight":1}]}},
		{"kind":"Route","name":"exact","tenant":"acme","spec":{"hosts":["shop.example.com"],"match":[{"path":{"exact":"/api/v1"}}],"to":[{"upstream":"api"}]}},
		{"kind":"Route","name":"dead","tenant":"acme","spec":{"hosts":["*.acme.example.com"],"to":[{"upstream":"empty"}]}},
		{"kind":"Tenant","name":"one","spec":{"hosts":["*.one.example.com"]}},
		{"kind":"Route","name":"one","tenant":"one","spec":{"hosts":["*.one.example.com"],"singleLabel":true,"filters":[{"respond":{"status":200}}]}},
		{"kind":"Route","name":"deny","tenant":"acme","spec":{"hosts":["shop.example.com"],"match":[{"path":{"prefix":"/internal"}}],"filters":[{"respond":{"status":403,"headers":{"x-a":"b"},"body":"no"}}]}},
		{"kind":"Tenant","name":"moved","spec":{"hosts":["moved.example.com"]}},
		{"kind":"Upstream","name":"api","tenant":"moved","spec":{"endpoints":[{"address":"10.0.0.4:8080"}]}},
		{"kind":"Route","name":"old","tenant":"moved","spec":{"hosts":["moved.example.com"],"match":[{"path":{"prefix":"/old"}}],"filters":[{"redirect":{"path":"/new","status":308}}]}},
		{"kind":"Route","name":"all","tenant":"moved","spec":{"hosts":["moved.example.com"],"to":[{"upstream":"api"}],"filters":[{"redirect":{"scheme":"https"}},{"rewrite":{"prefix":"/v2","host":"in.test"}}]}},
		{"kind":"Route","name":"write","tenant":"moved","spec":{"hosts":["moved.example.com"],"match":[{"methods":["POST"],"headers":[{"name":"x-env","exact":"prod"}],"query":[{"name":"v","exact":"2"}]}],"filters":[{"respond":{"status":204}}]}},
		{"kind":"Route","name":"odd","tenant":"moved","spec":{"hosts":["moved.example.com"],"match":[{"path":{"prefix":"/odd"},"query":[{"name":"v","exact":"a;b %z"}]}],"to":[{"upstream":"api"}],
			"filters":[{"ipAccess":{"deny":["10.0.0.0/8"]}},{"rateLimit":{"requests":5,"per":"10s","key":{"header":"x-key"}}},{"connectionLimit":{"max":3,"key":"route","status":503}},
				{"mirror":{"upstream":"api","percent":10}},{"requestHeaders":{"set":{"x-from":"edge"},"add":{"accept":"a/b"},"remove":["x-debug"]}},{"responseHeaders":{"remove":["server"]}}]}},
		{"kind":"Override","name":"slow","tenant":"acme","spec":{"route":"api","set":{"timeout":"9s"},"reason":"OPS-1"}}]}`)
	for _, c := range []struct {
		url, header   string
		method        string
		entry, route  string
		proxied       bool
		status        int
		message, rule string // the answer's message, and a reason of some rule
	}{
		{url: "http://shop.example.com/api/v1", entry: "shop.example.com", route: "exact", proxied: true, message: "Route acme/exact sends the request to acme/api.", rule: "exact /api/v1 is more specific"},
		{url: "https://SHOP.example.com.:443/api/v2?x=1", entry: "shop.example.com", route: "api", proxied: true, message: "Those that fall to acme/empty are answered 503", rule: "The path begins with /api."},
		{url: "shop.example.com/apix", entry: "shop.example.com", status: 404, message: "none of the 3 rules", rule: "whole path elements only"},
		{url: "shop.example.com/internal/x", entry: "shop.example.com", route: "deny", status: 403, message: "the respond filter of route acme/deny says so", rule: "The path begins with /internal."},
		{url: "shop.example.com", entry: "shop.example.com", status: 404, message: "takes GET /.", rule: "does not begin with /api"},
		{url: "127.0.0.1:8080/api", header: "Host: shop.example.com", entry: "shop.example.com", route: "api", proxied: true, message: "Route acme/api"},
		{url: "a.b.acme.example.com/x", entry: "*.acme.example.com", route: "dead", status: 503, message: "no endpoint of acme/empty is in rotation", rule: "The path begins with /."},
		{url: "a.one.example.com/x", entry: "*.one.example.com", route: "one", status: 200, message: "the respond filter", rule: "The path begins with /."},
		{url: "a.b.one.example.com/x", entry: "*.one.example.com", status: 404, message: "Sluice answers 404", rule: "takes one label only"},
		{url: "moved.example.com/old/x", entry: "moved.example.com", route: "old", status: 308, message: "the redirect filter of route moved/old", rule: "The path begins with /old."},
		{url: "moved.example.com/x", entry: "moved.example.com", route: "all", proxied: true, message: "requests that did not come by https are sent there with 302. The upstream is asked for /v2 in the place of the rule's prefix, host in.test."},
		{url: "moved.example.com/x?v=2", header: "x-env: prod", entry: "moved.example.com", route: "all", proxied: true, message: "moved/all", rule: "The path begins with /. The method is none of POST."},
		{url: "moved.example.com/x?v=2", method: "POST", header: "X-Env: prod", entry: "moved.example.com", route: "write", status: 204, message: "the respond filter", rule: "prefix /, methods POST, header x-env \"prod\", query v=\"2\" is more specific"},
		{url: "moved.example.com/x?v=3", method: "POST", header: "x-env: prod", entry: "moved.example.com", route: "all", proxied: true, message: "moved/all", rule: "The query has no v=2."},
		{url: "moved.example.com/odd?w&v=%61;b+%z", entry: "moved.example.com", route: "odd", proxied: true, message: "Clients whom ipAccess does not let in are answered 403. Beyond 5 requests in 10s with one value of x-key the answer is 429. Beyond 3 requests in progress for the route the answer is 503. 10 % of the requests are copied to moved/api. Headers of the request change: accept, x-debug, x-from. Headers of the answer change: server."},
		{url: "other.example.org/", entry: "*", status: 404, message: "none of the 0 rules of *"},
		{url: "shop.example.com/a%2f../b", status: 400, message: "Sluice answers 400: a dot segment is hidden in the path."},
	} {
		query := url.Values{"url": {c.url}}
		if c.method != "" {
			query.Set("method", c.method)
		}
		if c.header != "" {
			query.Set("header", c.header)
		}
		rec := w.do("GET", "/api/v1/explain?"+query.Encode(), "")
		var x api.Explanation
		if err := json.Unmarshal(rec.Body.Bytes(), &x); err != nil || rec.Code != 200 {
			t.Errorf("%s: %d %v %s", c.url, rec.Code, err, rec.Body)
			continue
		}
		route := ""
		if x.Route != nil {
			route = x.Route.Name
		}
		if x.HostEntry != c.entry || route != c.route || x.Answer.Proxied != c.proxied || x.Answer.Status != c.status || !strings.Contains(x.Answer.Message, c.message) {
			t.Errorf("%s: host entry %q, route %q, answer %+v", c.url, x.HostEntry, route, x.Answer)
		}
		reasons := ""
		for _, r := range x.Rules {
			reasons += r.Reason + "\n"
		}
		if !strings.Contains(reasons, c.rule) {
			t.Errorf("%s: no rule says %q:\n%s", c.url, c.rule, reasons)
		}
		if route == "api" && (len(x.Upstreams) != 2 || x.Upstreams[0].Share != 0.75 || len(x.Route.Origins) != 1 || x.Route.Origins[0].From.Kind != gateway.KindOverride) {
			t.Errorf("%s: upstreams %+v, origins %+v", c.url, x.Upstreams, x.Route.Origins)
		}
	}
}
