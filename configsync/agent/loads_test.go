package agent

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// edit writes a comment and a header into the rendered server of a host.
func (f *fleet) edit(host, header string) {
	f.t.Helper()
	path := filepath.Join(f.TreeDir, "current", "servers", "acme."+host+".conf")
	b, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	text := strings.Replace(string(b), "server {", "server {\n    add_header x-hand "+header+" always;", 1)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// hup is "nginx -s reload" by hand.
func (f *fleet) hup() {
	f.t.Helper()
	if err := syscall.Kill(f.PID(), syscall.SIGHUP); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) header(host string) string {
	req, err := http.NewRequest(http.MethodGet, "http://"+f.Address+"/", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Host, req.Close = host, true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	_ = res.Body.Close()
	return res.Header.Get("X-Hand")
}

// killAgent ends the agent and starts another one.
func (f *fleet) killAgent() {
	f.t.Helper()
	_ = f.agent.Process.Kill()
	_ = f.agent.Wait()
	f.run("", patience)
}

// TestHandEdits: an edit that nginx has not loaded, one that somebody made it load, and a
// reload without an edit are told apart, also by an agent that was not there.
func TestHandEdits(t *testing.T) {
	f := newFleet(t)
	host := f.want()
	f.run("", patience)
	clean := f.settles(host, func(n gateway.Node) error {
		if n.LoadedBy != gateway.LoadedByAgent || n.RunningFingerprint != n.Fingerprint || n.DesiredFingerprint != n.Fingerprint || n.LoadedAt.IsZero() {
			return fmt.Errorf("load: %+v", n.NodeLoad)
		}
		return nil
	})

	t.Log("edited, not reloaded")
	f.edit(host, "one")
	notLoaded := func(n gateway.Node) error {
		if n.RunningFingerprint != clean.Fingerprint || n.Fingerprint == clean.Fingerprint || n.DesiredFingerprint != clean.Fingerprint || len(n.Drift) != 1 {
			return fmt.Errorf("load: %+v, fingerprint %s", n.NodeLoad, n.Fingerprint)
		}
		return nil
	}
	f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, notLoaded)
	f.killAgent()
	f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, func(n gateway.Node) error {
		if n.Recovered == nil {
			return fmt.Errorf("this is the last life's report")
		}
		return notLoaded(n)
	})

	t.Log("reloaded by hand")
	f.hup()
	loaded := f.becomes(gateway.NodeDrifted, gateway.ReasonHandEdit, func(n gateway.Node) error {
		if n.RunningFingerprint != n.Fingerprint || n.LoadedBy != gateway.LoadedByHand || n.DesiredFingerprint == n.RunningFingerprint || f.header(host) != "one" {
			return fmt.Errorf("load: %+v, fingerprint %s, header %q", n.NodeLoad, n.Fingerprint, f.header(host))
		}
		return nil
	})
	if !loaded.LoadedAt.After(clean.LoadedAt) {
		t.Errorf("loaded at %s, and before at %s", loaded.LoadedAt, clean.LoadedAt)
	}

	t.Log("edited and reloaded at once, while no agent is there")
	_ = f.agent.Process.Kill()
	_ = f.agent.Wait()
	path := filepath.Join(f.TreeDir, "current", "servers", "acme."+host+".conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, "server { listen %s; server_name %s; add_header x-hand two always; return 502; }\n", f.Address, host), 0o644); err != nil {
		t.Fatal(err)
	}
	f.hup()
	for deadline := time.Now().Add(patience); f.header(host) != "two"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nginx does not load the edit")
		}
	}
	f.run("", patience)
	f.becomes(gateway.NodeDrifted, gateway.ReasonHandEdit, func(n gateway.Node) error {
		if n.RunningFingerprint != n.Fingerprint || n.Fingerprint == loaded.Fingerprint || n.LoadedBy != gateway.LoadedByHand {
			return fmt.Errorf("load: %+v, fingerprint %s", n.NodeLoad, n.Fingerprint)
		}
		return nil
	})

	t.Log("a bundle makes it right")
	host = f.want()
	f.settles(host, nil)
	t.Log("a reload by hand without an edit is no drift, and is said")
	f.hup()
	f.settles(host, func(n gateway.Node) error {
		if n.LoadedBy != gateway.LoadedByHand {
			return fmt.Errorf("loaded by %q", n.LoadedBy)
		}
		return nil
	})
}

// TestWorkerCrash: nginx replaces a worker that died without loading its files.
func TestWorkerCrash(t *testing.T) {
	f := newFleet(t)
	host := f.want()
	f.run("", patience)
	before := f.settles(host, nil)
	f.edit(host, "never")
	f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, nil)
	old := f.Workers()
	for _, pid := range old {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); f.header(host) != "" || len(f.Workers()) == 0 || f.Workers()[0] == old[0]; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nginx does not replace its worker")
		}
	}
	f.looksAt(f.Workers()[0])
	n := f.becomes(gateway.NodeDrifted, gateway.ReasonNotLoaded, nil)
	if n.RunningFingerprint != before.Fingerprint || n.LoadedBy != gateway.LoadedByAgent {
		t.Errorf("a worker that died counts as a reload: %+v", n.NodeLoad)
	}
}

// looksAt waits until the agent has seen a worker.
func (f *fleet) looksAt(pid int) {
	f.t.Helper()
	var l *loads
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		l = readLoads(disk{root: f.TreeDir}.loads())
		if slices.ContainsFunc(l.Workers, func(p process) bool { return p.PID == pid }) {
			return
		}
	}
	f.t.Fatalf("the agent has not seen worker %d: %+v", pid, l.loadState)
}

// TestFailedReload: a reload that nginx refuses is told from an edit that nobody loaded.
func TestFailedReload(t *testing.T) {
	f := newFleet(t)
	host := f.want()
	f.run("", 2*time.Second)
	f.settles(host, nil)
	if err := syscall.Kill(f.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	host = f.want()
	f.becomes(gateway.NodeFailed, gateway.ReasonReloadFailed, func(n gateway.Node) error {
		if n.Running == n.Desired || n.OnDisk != n.Running || n.ReloadsFailed == 0 {
			return fmt.Errorf("disk %q, runs %q, %d failed", n.OnDisk, n.Running, n.ReloadsFailed)
		}
		return nil
	})
	if err := syscall.Kill(f.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.settles(host, nil) // tried again until it runs
}

// TestLoadsAreFound goes through what a set of new workers can mean.
func TestLoadsAreFound(t *testing.T) {
	boot := func(age time.Duration) uint64 { // the start of a process that is that old
		b, err := os.ReadFile("/proc/uptime")
		if err != nil {
			t.Fatal(err)
		}
		var up float64
		if _, err := fmt.Sscan(string(b), &up); err != nil {
			t.Fatal(err)
		}
		return uint64((up - age.Seconds()) * ticks)
	}
	now := time.Now()
	l := readLoads(filepath.Join(t.TempDir(), "loads.json"))
	g := glance{now: now, master: 1, fingerprint: "a", changed: now.Add(-time.Hour), workers: []worker{{pid: 10, start: boot(time.Minute)}}, crashed: func([]process) bool { return false }}
	l.see(g)
	if l.Fingerprint != "a" {
		t.Errorf("files older than the workers: %+v", l.loadState)
	}
	g.fingerprint, g.changed = "b", now.Add(-30*time.Second)
	if l.see(g); l.Fingerprint != "a" {
		t.Errorf("an edit changed what runs: %+v", l.loadState)
	}
	g.workers = append(g.workers, worker{pid: 11, start: boot(time.Second)})
	if l.see(g); l.Fingerprint != "a" {
		t.Errorf("old and new workers at once count as a reload: %+v", l.loadState)
	}
	g.workers, g.crashed = g.workers[1:], func(list []process) bool { return len(list) == 1 && list[0].PID == 10 }
	if l.see(g) || l.Fingerprint != "a" || l.Workers[0].PID != 11 {
		t.Errorf("a worker that replaces one that died counts as a reload: %+v", l.loadState)
	}
	g.workers = []worker{{pid: 12, start: boot(10 * time.Second)}}
	if !l.see(g) || l.Fingerprint != "b" || l.By != gateway.LoadedByHand {
		t.Errorf("a reload by hand: %+v", l.loadState)
	}
	if again := readLoads(l.path); !same(again.loadState, l.loadState) {
		t.Errorf("kept is %+v, known was %+v", again.loadState, l.loadState)
	}
	fresh := readLoads(filepath.Join(t.TempDir(), "none"))
	g.changed = now.Add(-5 * time.Second)
	if fresh.see(g); fresh.Fingerprint != "" {
		t.Errorf("files were changed after the workers were started, and yet %+v", fresh.loadState)
	}
	g.changed = now.Add(time.Hour) // the clock was wrong
	other := readLoads(filepath.Join(t.TempDir(), "none"))
	if other.see(g); other.Fingerprint != "b" {
		t.Errorf("a time in the future: %+v", other.loadState)
	}
}
