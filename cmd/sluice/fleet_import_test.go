package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/manifest"
)

// importing runs "sluice fleet import" and returns what it prints.
func importing(args ...string) (out, errs string, err error) {
	var o, e bytes.Buffer
	cmd := fleetImport()
	cmd.SetArgs(args)
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.Execute()
	return o.String(), e.String(), err
}

func TestImportFromDisk(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("nginx.conf", "events {}\nhttp { include *.site; }\n")
	write("shop.site", "server { listen 80 default_server; server_name shop.test; proxy_set_header Host $host; location / { proxy_pass http://10.0.0.1:8080; } }\n")
	write(".hidden.site", "this is no configuration")
	const summary = "1 route, 1 upstream; 0 directives of 9 did not translate\n"
	out, errs, err := importing("--from", dir, "--tenant", "shop")
	if err != nil || !strings.Contains(out, "kind: Route\n") || !strings.HasSuffix(errs, summary+"Next: sluice apply -f FILE --dry-run, and then without --dry-run.\n") {
		t.Errorf("%v\n%s\n%s", err, out, errs)
	}
	objects, report := filepath.Join(dir, "out.yaml"), filepath.Join(dir, "report")
	if out, errs, err := importing("--from", filepath.Join(dir, "nginx.conf"), "--out", objects, "--report", report); err != nil || out != "" || errs != summary {
		t.Errorf("%v\n%s\n%s", err, out, errs)
	}
	if items, err := manifest.ReadPaths(nil, objects); err != nil || len(items) != 3 {
		t.Errorf("%d objects, %v", len(items), err)
	}
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), "sluice apply -f "+objects) {
		t.Errorf("%v\n%s", err, text)
	}
	bad := write("bad.conf", "server {\n    listen 80\n}\n")
	for want, args := range map[string][]string{
		"name a node, or a folder":         {},
		"bad.conf:3:1: unexpected \"}\"":   {"--from", bad, "--out", objects},
		"no such file or directory":        {"--from", filepath.Join(dir, "gone")},
		"--tenant: Tenant has the name":    {"--from", dir, "--tenant", "No Name"},
		"name a node, or a folder or ngin": {"edge-07", "--from", dir},
	} {
		if _, _, err := importing(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
	if items, err := manifest.ReadPaths(nil, objects); err != nil || len(items) != 3 {
		t.Errorf("a failed import has touched the file: %d objects, %v", len(items), err)
	}
}
