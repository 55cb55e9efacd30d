package ui

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/store/storetest"
	"github.com/sluice-gateway/sluice/test/freeport"
)

const token = "a-token-for-the-browser-tests"

// TestBrowser needs the UI's packages and its build: `make test` makes both. PLAYWRIGHT_ARGS, such as
// "e2e/rollout.spec.ts", picks some of the tests.
func TestBrowser(t *testing.T) {
	web := "../../web-admin"
	for _, p := range []string{"node_modules/.bin/playwright", "dist/index.html"} {
		if _, err := os.Stat(filepath.Join(web, p)); err != nil {
			t.Fatalf("%v: run `make ui` first", err)
		}
	}
	registry := storetest.StartCluster(t, storetest.Options{Members: 1})
	s := serve(t, registry.Config().Etcd.Endpoints[0])
	s.nodes(t, "waves", "edge-1", "edge-2", "edge-3")
	cmd := exec.Command("npx", append([]string{"playwright", "test"}, strings.Fields(os.Getenv("PLAYWRIGHT_ARGS"))...)...)
	cmd.Dir = web
	cmd.Env = append(os.Environ(), "SLUICE_URL="+s.url, "SLUICE_TOKEN="+token, "SLUICE_REGISTRY="+keys(t, registry.Client(t)))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("playwright: %v", err)
	}
}

// keys lets the browser's tests write the registry: PUT and DELETE of a path are of the key, and
// DELETE of a path that ends in a slash is of all keys below it.
func keys(t *testing.T, client *clientv3.Client) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
		case r.Method == http.MethodPut:
			_, err = client.Put(r.Context(), r.URL.Path, string(value))
		case strings.HasSuffix(r.URL.Path, "/"):
			_, err = client.Delete(r.Context(), r.URL.Path, clientv3.WithPrefix())
		default:
			_, err = client.Delete(r.Context(), r.URL.Path)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// sluice is a running one.
type sluice struct {
	binary string
	url    string // of the admin API
	agents string // address of the listener for agents
}

// serve builds and starts sluice on free ports with the objects of the quick start, a fleet that
// gets changes by waves, and an etcd registry.
func serve(t *testing.T, registry string) sluice {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	objects, err := filepath.Abs("../../examples/quickstart/objects")
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := filepath.Abs("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	admin, ops, agents := freeport.Address(t), freeport.Address(t), freeport.Address(t)
	config := fmt.Sprintf("node: browser\ndataDir: %s/data\nlisteners: [{name: http, address: %q}]\nadmin: {address: %q}\nops: {address: %q}\nagents: {address: %q}\nobjects: [%s, %s]\netcd: [{name: registry, endpoints: [%q]}]\n",
		dir, freeport.Address(t), admin, ops, agents, objects, fleet, registry)
	file := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--config", file)
	cmd.Env = append(os.Environ(), "SLUICE_ADMIN_TOKEN="+token)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sluice ended with %v", err)
		}
	})
	waitReady(t, "http://"+ops+"/readyz")
	return sluice{binary: binary, url: "http://" + admin, agents: agents}
}

func waitReady(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("%s did not become ready", url)
}
