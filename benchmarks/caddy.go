package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

var caddy = peer{
	name:    "caddy",
	files:   map[string]string{"caddy.json": "caddy.json"},
	program: func(t tools) string { return t.caddy },
	args:    func(s site) []string { return []string{"run", "--config", filepath.Join(s.Dir, "caddy.json")} },
	env:     []string{"GOMAXPROCS=1"},
	version: []string{"build-info"}, versionLine: "mod\t",
	setEndpoints: func(ctx context.Context, c *contender) error {
		return patchCaddy(ctx, c, c.site.Upstreams[0].Endpoints)
	},
	moveHost: func(ctx context.Context, c *contender) error {
		return patchCaddy(ctx, c, c.site.EndpointsOf(c.site.Hosts[0].Upstream))
	},
}

// patchCaddy gives the first host's proxy other addresses over the admin API. Caddy then
// starts all its parts anew with the changed configuration.
func patchCaddy(ctx context.Context, c *contender, endpoints []string) error {
	type dial struct {
		Dial string `json:"dial"`
	}
	var list []dial
	for _, e := range endpoints {
		list = append(list, dial{e})
	}
	return call(ctx, http.MethodPatch, "http://"+c.site.Admin+"/id/first/upstreams", "", list)
}

// call sends value as JSON and wants a 2xx.
func call(ctx context.Context, method, url, token string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	body, err := readAll(answer)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.200s", method, url, answer.Status, body)
	}
	return err
}

// caddyFolder holds the module that pins Caddy, seen from the repository's root.
const caddyFolder = "benchmarks/peers/caddy"

// buildCaddy builds Caddy once for each content of its module, and gives the binary.
func buildCaddy(ctx context.Context, say func(string, ...any)) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	folder := filepath.Join(filepath.Dir(strings.TrimSpace(string(root))), caddyFolder)
	digest := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", fmt.Errorf("read Caddy's module: %w", err)
		}
		_, _ = digest.Write(text)
	}
	_, _ = digest.Write([]byte(runtime.Version()))
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := filepath.Join(cache, "sluice", "caddy", hex.EncodeToString(digest.Sum(nil))[:16], "caddy")
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return name, nil
	}
	say("build Caddy into %s: about two minutes, once", filepath.Dir(name))
	unfinished := fmt.Sprintf("%s.%d", name, os.Getpid())
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", unfinished, "github.com/caddyserver/caddy/v2/cmd/caddy")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Caddy: %w: %s", err, out)
	}
	return name, os.Rename(unfinished, name)
}
