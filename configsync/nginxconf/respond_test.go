package nginxconf

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// FuzzRespond: whatever a tenant writes into a fixed answer, it stays a value of the one
// directive that it belongs to, and nginx takes no part of it for a variable.
func FuzzRespond(f *testing.F) {
	f.Add(403, "no\n", "x-why", "because")
	f.Add(301, "", "location", "/a b;c")
	f.Add(200, "a\"; } server { listen 1; #", "x\"; }", "'} \\")
	f.Add(503, "$host", "cache-control", "${x}")
	f.Add(444, "\x00", "Server", "\r\nx: y")
	f.Fuzz(func(t *testing.T, status int, body, name, value string) {
		route := &gateway.EffectiveRoute{Tenant: "acme", Name: "r", Respond: &gateway.Respond{Status: status, Body: body, Headers: map[string]string{name: value}}}
		s := &gateway.Snapshot{
			Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
			Hosts:   []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Exact: "/x"}, Route: route}}}},
		}
		tree, problems := Render(s, "shared", gateway.NodeFacts{TreePath: "/t/current", Listen: []string{"80"}})
		file := tree.File("servers/acme.shop.test.conf")
		c, err := Parse(file.Path, file.Data)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		c.Walk(func(parents []*Directive, d *Directive) {
			if len(parents) == 2 && parents[1].Name() == "location" && parents[1].Args()[0] == "=" {
				words = append(words, d.Name())
				checkRespondWords(t, d, route.Respond, len(problems) > 0)
			}
		})
		want := []string{"set", "client_max_body_size", "return"}
		if len(problems) > 0 && !slices.Equal(words, want) {
			t.Fatalf("not portable, and still %q", words)
		}
		if len(words) == 0 || words[len(words)-1] != "return" {
			t.Fatalf("%q does not end the request", words)
		}
	})
}

// checkRespondWords holds one directive of the location to the answer that it comes from.
func checkRespondWords(t *testing.T, d *Directive, a *gateway.Respond, closed bool) {
	t.Helper()
	args := d.Args()
	switch d.Name() {
	case "types", "absolute_redirect", "client_max_body_size":
	case "set":
		if !slices.Equal(args, []string{"$sluice_nothing", ""}) && !slices.Equal(args, []string{"$sluice_route", "r"}) {
			t.Fatalf("set %q", args)
		}
	case "add_header":
		if len(args) != 3 || a.Headers[args[0]] != args[1] || strings.Contains(args[1], "$") || args[2] != "always" {
			t.Fatalf("add_header %q", args)
		}
	case "default_type":
		if strings.Contains(args[0], "$") {
			t.Fatalf("default_type %q", args)
		}
	case "return":
		if closed {
			if !slices.Equal(args, []string{"503"}) {
				t.Fatalf("closed with %q", args)
			}
			return
		}
		text := a.Body
		switch {
		case redirects(a.Status):
			text = a.Headers["location"]
		case text == "":
			text = "$sluice_nothing"
		case strings.Contains(text, "$"):
			t.Fatalf("return %q", args)
		}
		if args[0] != itoa(a.Status) || len(args) == 2 && args[1] != text {
			t.Fatalf("return %q, want %q", args, text)
		}
	default:
		t.Fatalf("%s %q", d.Name(), args)
	}
}
