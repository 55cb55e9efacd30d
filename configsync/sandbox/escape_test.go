package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// probe builds the program that tries to get out, where everyone may read it.
var probe = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SLUICE_PROBE"); path != "" {
		return path, nil // see TestAsUser
	}
	dir, err := os.MkdirTemp("/tmp", "sluice-probe-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	name := filepath.Join(dir, "probe")
	cmd := exec.Command("go", "build", "-o", name, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return name, os.Chmod(name, 0o755)
})

// attempt lets the probe try in the sandbox and returns what came of each line.
func attempt(t *testing.T, cfg Config, lines ...string) map[string]string {
	t.Helper()
	c := complaint(t, cfg, lines...)
	got := map[string]string{}
	for _, line := range lines {
		_, rest, ok := strings.Cut("\n"+c.Message, "\n"+line+": ")
		if !ok {
			t.Fatalf("%s: no answer in %q", line, c.Message)
		}
		got[line], _, _ = strings.Cut(rest, "\n")
	}
	return got
}

func complaint(t *testing.T, cfg Config, lines ...string) *nginxconf.Complaint {
	t.Helper()
	path, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Nginx, cfg.Log, cfg.Processes = path, logger(t), 24 // Go starts threads
	tree := &nginxconf.Tree{Files: []nginxconf.File{{Path: "probe/do.conf", Data: strings.Join(lines, "\n")}}}
	c, err := New(cfg).Check(context.Background(), tree, gateway.NodeFacts{})
	if err != nil || c == nil {
		t.Fatalf("%v: %v %v", lines, c, err)
	}
	return c
}

// outside is what an attacker would like to reach: a key file, a listener and a process.
func outside(t *testing.T) (key, listener, pid string) {
	key = filepath.Join(t.TempDir(), "tls.key")
	if err := os.WriteFile(key, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return key, l.Addr().String(), strconv.Itoa(os.Getpid())
}

func TestNamespacesKeepOut(t *testing.T) {
	for _, level := range levels() {
		if level == LevelLimits {
			continue
		}
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			key, listener, pid := outside(t)
			abstract, err := net.Listen("unix", "@sluice-probe-"+pid+string(level))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = abstract.Close() })
			refused := []string{
				"read /etc/shadow", "read /etc/passwd", "read /etc/hostname", "read " + key, "list " + filepath.Dir(key), "list /proc", "list /sys", "list /etc", "list /root", "list /home",
				"dial tcp " + listener, "dial tcp 169.254.169.254:80", "dial tcp 1.1.1.1:53", "dial udp 8.8.8.8:53", "dial unix @sluice-probe-" + pid + string(level),
				"kill " + pid, "kill 2", "become", "mount", "fork",
				"write /x", "write DIR/nginx.conf", "write DIR/tree/probe/do.conf", "write /tmp/new", "write /etc/x", "write " + key,
			}
			got := attempt(t, Config{Levels: []Level{level}}, append(refused, "list /", "list DIR/tree", "pid", "id", "capabilities", "write DIR/tmp/x", "environment")...)
			for _, line := range refused {
				if strings.HasPrefix(got[line], "ok") {
					t.Errorf("%s is possible: %s", line, got[line])
				}
			}
			for line, want := range map[string]string{
				"list /": "ok check tmp" /* the probe is below /tmp */, "list DIR/tree": "ok probe", "pid": "1", "id": "65534 65534 0", "capabilities": "[{0 0 0} {0 0 0}]",
				"write DIR/tmp/x": "ok", "environment": "[LD_LIBRARY_PATH=]",
			} {
				if got[line] != want {
					t.Errorf("%s: %s, want %s", line, got[line], want)
				}
			}
			if b, err := os.ReadFile(key); err != nil || string(b) != "secret" {
				t.Errorf("the key file is %q (%v)", b, err)
			}
		})
	}
}

// TestWithoutNamespaces: the last level still is another user without any privilege.
func TestWithoutNamespaces(t *testing.T) {
	key, _, pid := outside(t)
	cfg := Config{Levels: []Level{LevelLimits}}
	refused := []string{"read /etc/shadow", "become", "mount", "fork", "write /etc/x"}
	id := "65534 65534 0"
	if os.Getuid() == 0 {
		refused = append(refused, "read "+key, "kill "+pid, "write "+key, "write DIR/nginx.conf")
	} else {
		id = fmt.Sprintf("%d %d 0", os.Getuid(), os.Getgid()) // the same user, as the status says
	}
	got := attempt(t, cfg, append(refused, "id", "capabilities", "write DIR/tmp/x")...)
	for _, line := range refused {
		if strings.HasPrefix(got[line], "ok") {
			t.Errorf("%s is possible: %s", line, got[line])
		}
	}
	for line, want := range map[string]string{"id": id, "capabilities": "[{0 0 0} {0 0 0}]", "write DIR/tmp/x": "ok"} {
		if got[line] != want {
			t.Errorf("%s: %s, want %s", line, got[line], want)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, level := range levels() {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			cfg := Config{Levels: []Level{level}, FileSize: 2 << 20, Files: 40}
			got := attempt(t, cfg, "memory 100", "memory 2100", "fill DIR/tmp/a 1", "files 50", "fork")
			if got["memory 100"] != "ok" || !strings.Contains(got["memory 2100"], "cannot allocate memory") {
				t.Errorf("memory: %v", got)
			}
			if got["files 50"] == "ok" || got["fork"] == "ok" {
				t.Errorf("files and processes: %v", got)
			}
			if level == LevelFull {
				got = attempt(t, cfg, "fill DIR/tmp/a 1", "fill DIR/tmp/b 1", "fill DIR/tmp/c 1", "fill DIR/tmp/d 1", "fill DIR/tmp/e 1")
				if got["fill DIR/tmp/a 1"] != "ok" || !strings.Contains(got["fill DIR/tmp/e 1"], "no space") {
					t.Errorf("all files together: %v", got)
				}
			}
			if c := complaint(t, cfg, "flood"); len(c.Message) > maxOutput || len(c.Message) < maxOutput/2 {
				t.Errorf("kept %d bytes of output", len(c.Message))
			}
			if c := complaint(t, cfg, "fill DIR/tmp/a 3"); !strings.Contains(c.Message, "file too large") && !strings.Contains(c.Message, "file size limit") {
				t.Errorf("a large file: %s", c)
			}
		})
	}
}

func TestTime(t *testing.T) {
	for _, level := range levels() {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			if c := complaint(t, Config{Levels: []Level{level}, CPU: time.Second, Timeout: 5 * time.Minute}, "spin"); !strings.Contains(c.Message, "of processor time and was stopped") || c.File != "" {
				t.Errorf("processor time: %s", c)
			}
			if c := complaint(t, Config{Levels: []Level{level}, Timeout: 3 * time.Second}, "sleep"); c.Message != "nginx -t was still busy after 3.006s and was stopped" {
				t.Errorf("time: %s", c)
			}
			if took := time.Since(start); took > 2*time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}
