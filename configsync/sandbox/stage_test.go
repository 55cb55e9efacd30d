package sandbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// withKeys is a tree with a TLS server for each kind of key, and the keys beside them.
func withKeys(t *testing.T, kinds ...string) (*nginxconf.Tree, []string) {
	t.Helper()
	tree, secrets := &nginxconf.Tree{}, []string{}
	for i, kind := range kinds {
		pair, err := newPair(kind)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, pair.key)
		conf := fmt.Sprintf("server {\n    listen 443 ssl;\n    server_name h%d.test;\n    ssl_certificate /t/current/certs/%d.crt;\n    ssl_certificate_key /t/current/certs/%d.key;\n}\n", i, i, i)
		tree.Files = append(tree.Files, nginxconf.File{Path: fmt.Sprintf("certs/%d.crt", i), Data: pair.certificate}, nginxconf.File{Path: fmt.Sprintf("certs/%d.key", i), Data: pair.key},
			nginxconf.File{Path: fmt.Sprintf("servers/%d.conf", i), Data: conf})
	}
	return tree, secrets
}

// TestStubs: nginx gets keys of the same type and size, and none of the real ones.
func TestStubs(t *testing.T) {
	kinds := []string{"rsa-2048", "rsa-3072", "ecdsa-256", "ecdsa-384", "ecdsa-521", "ed25519-256"}
	tree, secrets := withKeys(t, kinds...)
	tree.Files = append(tree.Files, nginxconf.File{Path: "servers/outside.conf", Data: "server {\n    listen 443 ssl;\n    ssl_certificate /etc/ssl/mine.pem;\n    ssl_certificate_key /etc/ssl/mine.key;\n}\n"})
	st := stage{dir: checkDir, temp: tempDir, treePath: "/t/current"}
	files, err := st.files(&program{}, tree)
	if err != nil {
		t.Fatal(err)
	}
	staged := map[string]string{}
	for _, f := range files {
		staged[f.Path] = f.Data
		for _, s := range secrets {
			if strings.Contains(f.Data, s) {
				t.Errorf("%s holds a real key", f.Path)
			}
		}
	}
	for i, kind := range kinds {
		if conf := staged[fmt.Sprintf("tree/servers/%d.conf", i)]; !strings.Contains(conf, "/check/stub/"+kind+".key;") || !strings.Contains(conf, "/check/stub/"+kind+".crt;") {
			t.Errorf("%s: %s", kind, conf)
		}
		stub := staged["stub/"+kind+".crt"]
		if kindOf(stub) != kind {
			t.Errorf("the stub for %s is %q", kind, kindOf(stub))
		}
		if _, err := tls.X509KeyPair([]byte(stub), []byte(staged["stub/"+kind+".key"])); err != nil {
			t.Errorf("the stub for %s: %v", kind, err)
		}
	}
	again, err := pairOf("rsa-3072")
	if err != nil || again.certificate != staged["stub/rsa-3072.crt"] {
		t.Errorf("a stub is made twice (%v)", err)
	}
	for _, level := range levels() {
		s := New(Config{Levels: []Level{level}, Log: logger(t)})
		if c, err := s.Check(context.Background(), tree, gateway.NodeFacts{TreePath: "/t/current"}); c != nil || err != nil {
			t.Errorf("%s: %v %v", level, c, err)
		}
	}
}

// TestPaths: what is on the node and not here does not fail the check, and lines stay.
func TestPaths(t *testing.T) {
	conf := `server {
    listen 10.1.2.3:80 default_server;
    listen [fe80::1]:80;
    listen unix:/var/lib/sluice/tree/sluice.sock;
    access_log /var/log/nginx/a.log;
    access_log syslog:server=unix:/var/lib/sluice/outcomes.sock,tag=sluice combined;
    error_log "/var/log/nginx/e
x.log";
    location / {
        include /t/current/base/inner.inc;
        proxy_read_timeout banana;
    }
}
`
	tree := &nginxconf.Tree{Files: []nginxconf.File{{Path: "base/inner.inc", Data: "proxy_buffering off;\n"}, {Path: "servers/a.conf", Data: conf}}}
	for _, level := range levels() {
		c, err := New(Config{Levels: []Level{level}, Log: logger(t)}).Check(context.Background(), tree, gateway.NodeFacts{TreePath: "/t/current"})
		if err != nil || c == nil || c.File != "servers/a.conf" || c.Line != 11 || c.Message != `"proxy_read_timeout" directive invalid value in servers/a.conf:11` {
			t.Errorf("%s: %v %+v", level, err, c)
		}
	}
	tree.Files[1].Data = strings.Replace(conf, "banana", "5s", 1)
	for _, level := range levels() {
		if c, err := New(Config{Levels: []Level{level}}).Check(context.Background(), tree, gateway.NodeFacts{TreePath: "/t/current"}); c != nil || err != nil {
			t.Errorf("%s: %v %v", level, c, err)
		}
	}
}

// TestSameAddress: two hosts with one default place are refused as they would be on the node.
func TestSameAddress(t *testing.T) {
	tree := &nginxconf.Tree{Files: []nginxconf.File{{Path: "servers/a.conf", Data: "server { listen 80 default_server; }\n"}, {Path: "servers/b.conf", Data: "server { listen 80 default_server; }\n"}}}
	c, err := New(Config{}).Check(context.Background(), tree, gateway.NodeFacts{})
	if err != nil || c == nil || !strings.Contains(c.Message, "duplicate default server") || c.File != "servers/b.conf" {
		t.Errorf("%v %v", c, err)
	}
}

// TestLua: modules that are switched on here are loaded, with what they need.
func TestLua(t *testing.T) {
	tree := &nginxconf.Tree{Files: []nginxconf.File{{Path: "servers/a.conf", Data: "server { listen 80; location / { content_by_lua_block { ngx.say('x') } } }\n"}}}
	c, err := New(Config{Log: logger(t)}).Check(context.Background(), tree, gateway.NodeFacts{})
	if err != nil || c != nil {
		t.Errorf("%v %v", c, err)
	}
}

func TestNoNginx(t *testing.T) {
	s := New(Config{Log: logger(t)})
	if st := s.Status(); st != (Status{}) {
		t.Errorf("before the first check: %+v", st)
	}
	s.cfg.Nginx = "no-such-nginx"
	for range 2 {
		if _, err := s.Check(context.Background(), &nginxconf.Tree{}, gateway.NodeFacts{}); err == nil || !strings.Contains(err.Error(), "no nginx binary") {
			t.Errorf("without nginx: %v", err)
		}
	}
	if st := s.Status(); st.Level != "" || !strings.Contains(st.Warning, "there is no nginx beside the control plane") {
		t.Errorf("without nginx: %+v", st)
	}
	s.cfg.Nginx = "/bin/true"
	if _, _, err := s.Build(context.Background()); err == nil || !strings.Contains(s.Status().Warning, "checked by the nodes alone: check bundles with /bin/true: read the output of -V") {
		t.Errorf("what is no nginx: %v %+v", err, s.Status())
	}
	s.cfg.Nginx = "nginx"
	if _, _, err := s.Build(context.Background()); err != nil {
		t.Errorf("once it is installed: %v", err)
	}
}
