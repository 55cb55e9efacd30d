package hardening

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/test/freeport"
)

func TestMain(m *testing.M) {
	loops := goleak.IgnoreAnyFunction("github.com/sluice-gateway/sluice/proxy/socket.(*loop).run") // they stay for the life of the process
	goleak.VerifyTestMain(m, loops, goleak.Cleanup(func(code int) {
		if built.Load() {
			if file, err := binary(); err == nil {
				_ = os.RemoveAll(filepath.Dir(file))
			}
		}
		os.Exit(code)
	}))
}

var built atomic.Bool

// binary builds sluice once, without the race detector, as it ships.
var binary = sync.OnceValues(func() (string, error) {
	built.Store(true)
	dir, err := os.MkdirTemp("", "sluice-hardening-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", file, "../../cmd/sluice").CombinedOutput(); err != nil {
		return file, fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return file, nil
})

// process is a running `sluice serve` before an origin.
type process struct {
	t    *testing.T
	addr string // of its HTTP listener
	pid  int
}

const objects = `kind: Tenant
name: acme
spec: {hosts: [shop.test]}
---
kind: Upstream
name: api
tenant: acme
spec:
  endpoints: [{address: "%s"}]
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.test], to: [{upstream: api}], maxBodySize: 2g, timeout: 10m}
`

// startProcess runs sluice with everything that ships in it until the end of the test.
// more are lines of its configuration.
func startProcess(t *testing.T, origin string, more ...string) *process {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &process{t: t, addr: freeport.Address(t)}
	ops := freeport.Address(t)
	config := fmt.Sprintf("node: hard\ndataDir: %s/data\nlisteners: [{name: http, address: %q}]\nadmin: {address: %q}\nops: {address: %q}\nobjects: [%s/objects.yaml]\n",
		dir, p.addr, freeport.Address(t), ops, dir) + strings.Join(more, "\n")
	for name, text := range map[string]string{"sluice.yaml": config, "objects.yaml": fmt.Sprintf(objects, origin)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	cmd := exec.Command(file, "serve", "--config", filepath.Join(dir, "sluice.yaml"))
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sluice ended with %v\n%s", err, &log)
		}
	})
	p.await("http://"+ops+"/readyz", "")
	p.await("http://"+p.addr+"/", "shop.test")
	return p
}

// await polls a URL until it answers 200.
func (p *process) await(url, host string) {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	var last error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		req.Host = host
		resp, err := client.Do(req)
		if last = err; err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == 200 {
			return
		}
		last = fmt.Errorf("status %d", resp.StatusCode)
	}
	p.t.Fatalf("%s is not ready: %v", url, last)
}

// rss is the resident memory in MB.
func (p *process) rss() float64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return float64(kb) / 1024
}

// peak samples the memory until stop is called, which returns the most that was seen.
func (p *process) peak() (stop func() float64) {
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		high := p.rss()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				high = max(high, p.rss())
			case <-done:
				most <- max(high, p.rss())
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-most
	}
}
