package sandbox

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

func TestMain(m *testing.M) {
	Init()
	if os.Getenv("SLUICE_SHOW_LEVEL") != "" {
		showLevel()
		return
	}
	code := m.Run()
	if name, err := probe(); err == nil && os.Getenv("SLUICE_PROBE") == "" {
		_ = os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var facts = gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", Listen: []string{"80", "[::]:80", "10.9.8.7:443"}, Modules: nginxconf.BuiltIn, AccessLog: "/var/log/nginx/access.log"}

// snapshot is one tenant with one route, and an override's text.
func snapshot(text string) *gateway.Snapshot {
	api := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	route := &gateway.EffectiveRoute{Tenant: "acme", Name: "shop", Targets: []gateway.Target{{Upstream: api, Weight: 1}}, MaxBodySize: 1 << 20,
		Nginx: []gateway.NginxText{{Override: gateway.Ref{Kind: gateway.KindOverride, Tenant: "acme", Name: "slow"}, Text: text}}}
	return &gateway.Snapshot{
		Tenants:         []*gateway.Tenant{{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"shared"}}}},
		Hosts:           []*gateway.Host{{Name: "shop.test", Tenant: "acme", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: route}}}},
		Upstreams:       []*gateway.EffectiveUpstream{{Key: api, Protocol: "http", Endpoints: []gateway.Endpoint{{Address: "10.0.0.4:8080", Weight: 1, InRotation: true}}}},
		NginxDirectives: []string{"proxy_read_timeout"},
	}
}

func render(t *testing.T, text string) *nginxconf.Tree {
	t.Helper()
	tree, problems := nginxconf.Render(snapshot(text), "shared", facts)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return &tree
}

func TestCheck(t *testing.T) {
	for _, level := range levels() {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			s := New(Config{Levels: []Level{level}, Log: logger(t)})
			c, err := s.Check(context.Background(), render(t, "proxy_read_timeout 5s;"), facts)
			if err != nil || c != nil {
				t.Fatalf("a good tree: %v %v", c, err)
			}
			bad := render(t, "proxy_read_timeout banana;")
			c, err = s.Check(context.Background(), bad, facts)
			if err != nil || c == nil {
				t.Fatalf("a bad tree: %v %v", c, err)
			}
			if !strings.HasPrefix(c.Message, `"proxy_read_timeout" directive invalid value in servers/acme.shop.test.conf:`) || c.File != "servers/acme.shop.test.conf" {
				t.Errorf("got %+v", c)
			}
			if owner, ok := bad.Owner(c.File, c.Line); !ok || owner.Name != "slow" {
				t.Errorf("line %d belongs to %v", c.Line, owner)
			}
			version, modules, err := s.Build(context.Background())
			if err != nil || !strings.HasPrefix(version, "1.") || len(modules) < 10 {
				t.Errorf("build: %s %v %v", version, modules, err)
			}
		})
	}
}
