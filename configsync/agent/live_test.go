package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

func set(name string, addresses ...string) nginxconf.EndpointSet {
	s := nginxconf.EndpointSet{Upstream: name}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, nginxconf.SetEndpoint{Address: a, Weight: 2, Down: strings.HasSuffix(a, "9")})
	}
	return s
}

func TestMergeSets(t *testing.T) {
	none := func(string) bool { return false }
	first, changed, err := liveSets{texts: map[string]string{}}.merge(protocol.LiveSets{Version: "1", Sets: []nginxconf.EndpointSet{set("a.x", "10.0.0.1:80", "10.0.0.1:89"), set("a.y"), set("a.z", "[::1]:80")}}, none)
	if err != nil || !slices.Equal(changed, []string{"a.x", "a.y", "a.z"}) {
		t.Fatalf("first: %v %v", changed, err)
	}
	if got, want := first.texts["a.x"], "set a.x\n10.0.0.1:80 2 0\n10.0.0.1:89 2 0 down\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}

	second, changed, err := first.merge(protocol.LiveSets{Version: "2", Since: "1", Sets: []nginxconf.EndpointSet{set("a.y", "10.0.0.2:80")}, Removed: []string{"a.x", "a.z"}}, func(name string) bool { return name == "a.z" })
	if err != nil || !slices.Equal(changed, []string{"a.x", "a.y"}) || !second.kept["a.z"] || second.texts["a.z"] == "" {
		t.Fatalf("second: %v %v %+v", changed, err, second)
	}
	if got, want := string(second.pushes("1", changed)[0]), liveHead+"from 1\ndelete a.x\nset a.y\n10.0.0.2:80 2 0\nversion 2\n"; got != want {
		t.Errorf("push %q, want %q", got, want)
	}

	third, changed, err := second.merge(protocol.LiveSets{Version: "3", Since: "2"}, none)
	if err != nil || !slices.Equal(changed, []string{"a.z"}) || len(third.texts) != 1 {
		t.Errorf("third: what was kept for an old tree: %v %v %+v", changed, err, third)
	}
	if _, _, err := second.merge(protocol.LiveSets{Version: "9", Since: "8"}, none); err == nil {
		t.Error("a difference to other sets was taken")
	}
	for _, bad := range []nginxconf.EndpointSet{set("a.x", "localhost:80"), set("a.x", "unix:/x"), set("a.x", "10.0.0.1:0"), set("a.x", "[fe80::1%eth0]:80"), set("a x"), set("A"), set(""),
		{Upstream: "a", Endpoints: []nginxconf.SetEndpoint{{Address: "10.0.0.1:80"}}}, {Upstream: "a", Endpoints: []nginxconf.SetEndpoint{{Address: "10.0.0.1:80", Weight: 1, Priority: -1}}}} {
		if got, _, err := second.merge(protocol.LiveSets{Version: "3", Since: "2", Sets: []nginxconf.EndpointSet{bad}}, none); err == nil || got.version != "2" {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestPushParts: a push that is too large for nginx's buffer goes in parts, and only the last
// one has the version.
func TestPushParts(t *testing.T) {
	s := liveSets{version: "v", texts: map[string]string{}}
	for _, name := range []string{"a", "b", "c"} {
		s.texts[name] = "set " + name + "\n" + strings.Repeat("10.0.0.1:80 1 0\n", maxPush/20)
	}
	parts := s.pushes("", nil)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, part := range parts {
		last := i == len(parts)-1
		if strings.HasSuffix(string(part), "\nversion v\n") != last || strings.HasPrefix(string(part), liveHead+"from partial\n") != (i > 0) || len(part) > 1<<20 {
			t.Errorf("part %d begins %q and has %d bytes", i, part[:40], len(part))
		}
	}
}

func TestSetsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sets")
	if s, err := loadSets(path); err != nil || s.version != "" {
		t.Fatalf("no file: %+v %v", s, err)
	}
	want := liveSets{version: "v", texts: map[string]string{"a": "set a\n10.0.0.1:80 1 0\n", "b": "set b\n"}}
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadSets(path)
	if err != nil || got.version != "v" || len(got.changed(want)) > 0 {
		t.Errorf("read back: %+v %v", got, err)
	}
	for _, bad := range []string{"", "x", liveHead, liveHead + "set a\n", "set a\nversion v\n", liveHead + "10.0.0.1:80 1 0\nversion v\n"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := loadSets(path); err == nil || s.version != "" || len(s.texts) > 0 {
			t.Errorf("%q: %+v %v", bad, s, err)
		}
	}
}

func TestLuaFit(t *testing.T) {
	both := []string{"/m/ndk_http_module.so", "/m/ngx_http_lua_module.so"}
	for _, c := range []struct {
		builtIn bool
		modules []string
		want    string
	}{
		{false, nil, "does not load ngx_http_lua_module.so"},
		{false, both[1:], "without ndk_http_module.so"},
		{false, both, ""},
		{true, nil, ""},
	} {
		if got := luaMissing(c.builtIn, c.modules); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: %q, want %q", c.modules, got, c.want)
		}
	}
	b, err := parseBuild("nginx version: openresty/1.27.1.2\nconfigure arguments: --prefix=/usr/local/openresty/nginx --add-module=../ndk-0.3.4 --add-module=../ngx_lua-0.10.28\n")
	if err != nil || !b.luaBuiltIn || b.version != "1.27.1.2" {
		t.Errorf("OpenResty: %+v %v", b, err)
	}
	l := &live{}
	f := luaFit{live: l}
	f.refused(&gateway.ApplyFailure{Step: stepCheck, File: "servers/lua.shop.test.conf", Message: "invalid value in servers/lua.shop.test.conf:3"})
	if l.failed() != "" {
		t.Errorf("a tenant's mistake makes the node static: %s", l.failed())
	}
	f.refused(&gateway.ApplyFailure{Step: stepCheck, File: "upstreams/acme.api.conf", Message: `unknown directive "balancer_by_lua_block" in upstreams/acme.api.conf:3`})
	f.refused(&gateway.ApplyFailure{Step: stepCheck, File: nginxconf.LuaFile, Message: "later"})
	if !strings.Contains(l.failed(), `unknown directive "balancer_by_lua_block"`) {
		t.Errorf("nginx that refuses Lua: %q", l.failed())
	}
}

// TestLuaTrial: the self-test passes in Debian's nginx, and says what is missing elsewhere.
func TestLuaTrial(t *testing.T) {
	modules := []string{"/usr/lib/nginx/modules/ndk_http_module.so", "/usr/lib/nginx/modules/ngx_http_lua_module.so"}
	const nginx = "/usr/sbin/nginx"
	if err := luaTrial(t.Context(), nginx, modules, "", ""); err != nil {
		t.Error(err)
	}
	if err := luaTrial(t.Context(), nginx, modules, "user root;\n", "lua_package_path /nonexistent/?.lua;\n"); err == nil || !strings.Contains(err.Error(), "nginx can not run our Lua: ") || !strings.Contains(err.Error(), "resty.core") {
		t.Errorf("without resty.core: %v", err)
	}
	if err := luaTrial(t.Context(), nginx, modules[1:], "", ""); err == nil {
		t.Error("the trial passes without the NDK")
	}
}
