package nginxconf

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func fullSnapshot(mode gateway.FleetMode, timeout time.Duration) *gateway.Snapshot {
	return &gateway.Snapshot{Fleets: []*gateway.Fleet{{Meta: gateway.Meta{Kind: gateway.KindFleet, Name: "shared"}, Spec: gateway.FleetSpec{Mode: mode, WorkerShutdownTimeout: gateway.Duration(timeout)}}}}
}

// TestFullMode: what the node says of itself is repeated, the fleet's timeout wins, and a node
// that says what it may not, or tries to leave its place, is not followed.
func TestFullMode(t *testing.T) {
	facts := gateway.NodeFacts{TreePath: "/var/lib/sluice/tree/current", Main: &gateway.NodeMain{
		Main:   [][]string{{"user", "www-data"}, {"include", "/etc/nginx/modules-enabled/*.conf"}, {"worker_shutdown_timeout", "1h"}, {"http"}, {"pid", "/run/x; load_module y\n"}, {}},
		Events: [][]string{{"worker_connections", "768"}, {"worker_processes", "9"}},
		HTTP:   [][]string{{"include", "/etc/nginx/mime.types"}, {"include", "/etc/nginx/sites-enabled/*"}, {"server_tokens", "off"}, {"return", "200"}, {"default_type", "a\x00b"}},
	}}
	tree, problems := Render(fullSnapshot(gateway.FleetModeFull, 90*time.Second), "shared", facts)
	if len(problems) > 0 {
		t.Errorf("problems: %+v", problems)
	}
	want := `# Rendered by Sluice, the node's own nginx.conf is kept in the agent's folder.
user www-data;
include /etc/nginx/modules-enabled/*.conf;
pid "/run/x; load_module y\n";
worker_shutdown_timeout 90s;

events {
    worker_connections 768;
}

http {
    include /etc/nginx/mime.types;
    server_tokens off;
    include /var/lib/sluice/tree/current/*/*.conf;
}
`
	if f := tree.File(MainFile); f == nil || f.Data != want {
		t.Errorf("got %+v", f)
	}
	if err := tree.Verify(); err != nil {
		t.Error(err)
	}
}

func TestOtherModes(t *testing.T) {
	for _, c := range []struct {
		mode    gateway.FleetMode
		timeout time.Duration
		field   string
	}{{"", 0, ""}, {gateway.FleetModeInclude, 0, ""}, {"", time.Second, "spec.workerShutdownTimeout"}, {"banana", 0, "spec.mode"}} {
		tree, problems := Render(fullSnapshot(c.mode, c.timeout), "shared", gateway.NodeFacts{TreePath: "/t/current"})
		if tree.File(MainFile) != nil {
			t.Errorf("%q writes nginx.conf", c.mode)
		}
		if (len(problems) == 1) != (c.field != "") || c.field != "" && problems[0].Field != c.field {
			t.Errorf("%+v: problems %+v", c, problems)
		}
	}
}

// TestNodeMain reads Debian's nginx.conf with what people put into it.
func TestNodeMain(t *testing.T) {
	c, err := Parse("nginx.conf", `user www-data; include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 768; # multi_accept on;
}
http { sendfile on; include /etc/nginx/mime.types; log_format a '$uri;'; access_log /l a; include /etc/nginx/conf.d/*.conf; server { listen 80; } map $a $b { default 1; } }
stream { }`)
	if err != nil {
		t.Fatal(err)
	}
	m, left := NodeMain(c)
	flat := func(list [][]string) (out []string) {
		for _, words := range list {
			out = append(out, strings.Join(words, " "))
		}
		return out
	}
	if got := flat(m.Main); !slices.Equal(got, []string{"user www-data", "include /etc/nginx/modules-enabled/*.conf"}) {
		t.Errorf("main: %q", got)
	}
	if got := flat(m.Events); !slices.Equal(got, []string{"worker_connections 768"}) {
		t.Errorf("events: %q", got)
	}
	if got := flat(m.HTTP); !slices.Equal(got, []string{"sendfile on", "include /etc/nginx/mime.types", "log_format a $uri;", "access_log /l a"}) {
		t.Errorf("http: %q", got)
	}
	if !slices.Equal(left, []string{"include /etc/nginx/conf.d/*.conf", "map $a $b", "server", "stream"}) {
		t.Errorf("left out: %q", left)
	}
}

// TestSeal: a tree that is sealed again after a change says its new digest.
func TestSeal(t *testing.T) {
	tree, _ := Render(fullSnapshot("", 0), "shared", gateway.NodeFacts{TreePath: "/t/current"})
	before := tree.Digest
	tree.Seal()
	if tree.Digest != before {
		t.Errorf("sealing again changes %s to %s", before, tree.Digest)
	}
	tree.File("base/common.conf").Data += "# more\n"
	if tree.Verify() == nil {
		t.Error("a changed tree is in order")
	}
	tree.Seal()
	if err := tree.Verify(); err != nil || tree.Digest == before || !strings.Contains(tree.File(DigestFile).Data, tree.Digest) {
		t.Errorf("%s: %v", tree.Digest, err)
	}
}
