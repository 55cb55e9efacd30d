package agent

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
)

func TestReadBuild(t *testing.T) {
	b, err := readBuild(context.Background(), agenttest.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(b.version) || b.confPath != "/etc/nginx/nginx.conf" || b.pidPath != "/run/nginx.pid" {
		t.Errorf("got %+v", b)
	}
	for _, m := range []string{"http_upstream_zone_module", "http_ssl_module", "http_geoip_module"} {
		if !slices.Contains(b.modules, m) {
			t.Errorf("%s is missing in %v", m, b.modules)
		}
	}
}

func TestParseBuild(t *testing.T) {
	b, err := parseBuild("nginx version: openresty/1.27.1 (x)\nconfigure arguments: --prefix=/opt/n --without-http_upstream_zone_module --with-http_v2_module")
	if err != nil || b.version != "1.27.1" || b.confPath != "/opt/n/conf/nginx.conf" || slices.Contains(b.modules, "http_upstream_zone_module") || !slices.Contains(b.modules, "http_v2_module") {
		t.Errorf("got %+v, %v", b, err)
	}
	if _, err := parseBuild("something else"); err == nil {
		t.Error("no version is no error")
	}
}

func TestParseMessage(t *testing.T) {
	for _, c := range []struct {
		out  string
		want nginxError
	}{
		{"nginx: [emerg] invalid number of arguments in \"x\" directive in /t/a b.conf:12\nnginx: configuration file /t/n test failed\n",
			nginxError{message: "invalid number of arguments in \"x\" directive in /t/a b.conf:12", file: "/t/a b.conf", line: 12}},
		{"2026/11/21 04:52:12 [warn] 1#1: soft\n2026/11/21 04:52:12 [emerg] 12161#12161: bind() to 0.0.0.0:80 failed (98: Address already in use)\n",
			nginxError{message: "bind() to 0.0.0.0:80 failed (98: Address already in use)"}},
		{"nginx: the configuration file is fine\n", nginxError{}},
	} {
		if got := parseMessage(c.out); *got != c.want {
			t.Errorf("%q: got %+v", c.out, *got)
		}
	}
}

// TestLoadFilesAsNginx compares our own following of includes with nginx -T.
func TestLoadFilesAsNginx(t *testing.T) {
	n := agenttest.New(t)
	for name, text := range map[string]string{
		"sluice/current/servers/b.conf":       "server { listen 127.0.0.1:1; include ../nginx/part[12].inc; location / { include one.inc; } }",
		"sluice/current/servers/a.conf":       "map $uri $x { include 'quo ted.inc'; }",
		"sluice/current/servers/.hidden.conf": "broken",
		"sluice/current/.dir/x.conf":          "broken",
		"one.inc":                             "return 200 'include nothing.conf;';",
		"quo ted.inc":                         "a b; # include c;",
		"part1.inc":                           "gzip on;",
		"part3.inc":                           "broken",
	} {
		path := filepath.Join(n.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "../nginx", "../"+filepath.Base(n.Dir))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, conf := range []string{n.Conf, "/etc/nginx/nginx.conf"} {
		out, err := exec.Command(agenttest.Binary, "-T", "-q", "-c", conf).Output()
		if err != nil {
			t.Fatalf("nginx -T: %v", err)
		}
		var want []string
		for _, m := range regexp.MustCompile(`(?m)^# configuration file (.*):$`).FindAllStringSubmatch(string(out), -1) {
			want = append(want, filepath.Clean(m[1]))
		}
		files, err := loadFiles(conf, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, f.path)
		}
		slices.Sort(got)
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s: we read %q, nginx reads %q", conf, got, want)
		}
	}
}

func TestSnippetIsAccepted(t *testing.T) {
	n := agenttest.New(t)
	n.WriteConf(t, Snippet(n.TreeDir))
	if err := n.Test(); err != nil {
		t.Error(err)
	}
}
