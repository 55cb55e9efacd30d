package configsync

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// fakeChecker is a fakeNginx that takes its time.
type fakeChecker struct {
	mu    sync.Mutex
	nginx fakeNginx
	took  time.Duration
	err   error
	facts []gateway.NodeFacts
}

func (f *fakeChecker) Build(context.Context) (string, []string, error) {
	return "1.22.1", []string{"http_upstream_zone_module"}, f.err
}

func (f *fakeChecker) Check(ctx context.Context, tree *nginxconf.Tree, facts gateway.NodeFacts) (*nginxconf.Complaint, error) {
	time.Sleep(f.took)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.facts = append(f.facts, facts)
	return f.nginx.check(ctx, tree)
}

func (f *fakeChecker) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nginx.checks
}

func data(t *testing.T, c *Controller, node, file string) string {
	t.Helper()
	tree, err := c.DesiredTree("shared", node)
	if err != nil {
		t.Fatal(err)
	}
	if f := tree.File(file); f != nil {
		return f.Data
	}
	return ""
}

// inRotation gives every upstream another address, so that everything changes.
func withAddress(s *gateway.Snapshot, address string) *gateway.Snapshot {
	for _, u := range s.Upstreams {
		u.Endpoints[0].Address = address
	}
	return s
}

func TestJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeChecker{took: time.Second}
		c := New(Config{Check: f})
		defer c.Close()
		c.Apply(manyTenants(3, nil))
		r := report("edge-1")
		r.Facts.NginxVersion, r.Facts.Modules = "1.22.1", []string{"http_upstream_zone_module"}
		start := time.Now()
		if out := mustSync(t, c, r); out.Desired != "" || time.Since(start) != 0 {
			t.Errorf("before the first check: %+v after %s", out, time.Since(start))
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		first := mustSync(t, c, r).Desired
		if first == "" || data(t, c, "edge-1", server(1)) == "" {
			t.Fatal("nothing is desired after the check")
		}

		t.Log("a bad override: the others' change goes out, its own file stays as it was good")
		bad := map[int]string{1: "add_header X-A good;\nadd_header X-B BAD;"}
		c.Apply(withAddress(manyTenants(3, bad), "10.0.0.2:80"))
		if got := mustSync(t, c, r).Desired; got != first {
			t.Errorf("%s goes out before it is checked", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if strings.Contains(data(t, c, "edge-1", server(1)), "X-A") || !strings.Contains(data(t, c, "edge-1", "upstreams/t0001.api.conf"), "10.0.0.2") ||
			!strings.Contains(data(t, c, "edge-1", "upstreams/t0002.api.conf"), "10.0.0.2") {
			t.Errorf("what goes out: %s", data(t, c, "edge-1", server(1)))
		}
		p := c.Problems()
		if len(p) != 1 || p[0].Object.String() != "Override t0001/o" || p[0].Field != "spec.nginx" || p[0].Code != "nginx_refused" {
			t.Fatalf("problems: %+v", p)
		}
		want := `nginx refuses line 39 of servers/t0001.t0001.test.conf for fleet shared, which reads "add_header X-B BAD;": bad. Meanwhile the file's last good version stays in use, and everything else goes out; correct or delete the override's nginx text`
		if lineless(p[0].Message) != lineless(want) {
			t.Errorf("the message is %s", p[0].Message)
		}
		if got := c.Quarantined("shared"); !maps.Equal(got, map[string]string{server(1): "last_good"}) {
			t.Errorf("quarantined: %v", got)
		}

		t.Log("the same tree again costs no check, a mended one goes out")
		checks := f.nginx.checks
		c.Refresh()
		synctest.Wait()
		if f.nginx.checks != checks {
			t.Errorf("%d more checks of the same tree", f.nginx.checks-checks)
		}
		c.Apply(withAddress(manyTenants(3, map[int]string{1: "add_header X-A good;"}), "10.0.0.2:80"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !strings.Contains(data(t, c, "edge-1", server(1)), "X-A") || len(c.Problems()) != 0 || len(c.Quarantined("shared")) != 0 {
			t.Errorf("after the correction: %v %s", c.Problems(), data(t, c, "edge-1", server(1)))
		}
	})
}

// lineless takes the number of the line out, which moves with the renderer.
func lineless(s string) string {
	before, after, _ := strings.Cut(s, " of servers/")
	i := strings.LastIndexByte(before, ' ')
	return before[:i] + after
}

// TestJudgeDelaysNobody: while one fleet's check takes an hour, another fleet's nodes and its
// own are answered at once.
func TestJudgeDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeChecker{}
		c := New(Config{Check: f})
		s := testSnapshot([]string{"private", "shared"}, "10.0.0.1:80", "")
		c.Apply(s)
		synctest.Wait()
		mustSync(t, c, report("edge-1"))
		synctest.Wait()
		have := mustSync(t, c, report("edge-1")).Desired
		f.took = time.Hour
		changed := testSnapshot([]string{"private", "shared"}, "10.0.0.1:80", "")
		changed.Hosts[0].Name = "other.test"
		c.Apply(changed)
		start := time.Now()
		if out := mustSync(t, c, report("edge-1")); out.Desired != have {
			t.Errorf("got %q", out.Desired)
		}
		other := report("edge-2")
		other.Fleet = "private"
		mustSync(t, c, other)
		if took := time.Since(start); took != 0 {
			t.Errorf("syncs took %s", took)
		}
		c.Close()
		time.Sleep(3 * time.Hour) // the checks end
	})
}

// TestJudgeOtherVersion: nodes of another version get what is written for them, the checking
// nginx what it knows, and the verdict is about both.
func TestJudgeOtherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeChecker{}
		c := New(Config{Check: f})
		defer c.Close()
		c.Apply(manyTenants(2, map[int]string{1: "add_header X-A BAD;"}))
		r := report("edge-1")
		r.Facts.NginxVersion, r.Facts.Modules = "1.29.0", []string{"http_upstream_keepalive_module"}
		mustSync(t, c, r)
		synctest.Wait()
		mustSync(t, c, r)
		if got := data(t, c, "edge-1", "upstreams/t0001.api.conf"); !strings.Contains(got, "keepalive 32") || strings.Contains(got, "zone") {
			t.Errorf("the node's own words are gone: %s", got)
		}
		if got := data(t, c, "edge-1", server(1)); !strings.Contains(got, "return 503") || strings.Contains(got, "BAD") {
			t.Errorf("the culprit: %s", got)
		}
		if slices.ContainsFunc(f.facts, func(n gateway.NodeFacts) bool { return n.NginxVersion != "1.22.1" }) {
			t.Errorf("checked with %+v", f.facts)
		}
	})
}

func TestJudgeWithoutNginx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Check: &fakeChecker{err: errors.New("no nginx")}})
		defer c.Close()
		c.Apply(testSnapshot([]string{"shared"}, "10.0.0.1:80", ""))
		mustSync(t, c, report("edge-1"))
		synctest.Wait()
		if out := mustSync(t, c, report("edge-1")); out.Desired == "" || len(c.Problems()) != 0 {
			t.Errorf("%+v %v", out, c.Problems())
		}
	})
}

// TestJudgeNobodyAtFault: the nodes keep what they have when nginx refuses everything.
func TestJudgeNobodyAtFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeChecker{}
		c := New(Config{Check: f})
		defer c.Close()
		c.Apply(manyTenants(2, nil))
		mustSync(t, c, report("edge-1"))
		synctest.Wait()
		have := mustSync(t, c, report("edge-1")).Desired
		f.nginx.all = true
		c.Apply(manyTenants(3, nil))
		synctest.Wait()
		if out := mustSync(t, c, report("edge-1")); out.Desired != have || have == "" {
			t.Errorf("had %q, got %q", have, out.Desired)
		}
		if p := c.Problems(); len(p) != 1 || p[0].Object.String() != "Fleet shared" || !strings.Contains(p[0].Message, "without any tenant's part in it: no (base/common.conf, line 1)") {
			t.Errorf("problems: %+v", p)
		}
	})
}

// TestRefusalOfANode: what only a node finds is quarantined for its kind, unless another
// node of that kind has taken it.
func TestRefusalOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		defer c.Close()
		c.Apply(manyTenants(3, nil))
		mustSync(t, c, report("edge-1"))
		c.Apply(withAddress(manyTenants(3, map[int]string{1: "add_header X-A odd;"}), "10.0.0.2:80"))
		taken := report("edge-2")
		d := mustSync(t, c, taken).Desired
		taken.OnDisk, taken.Running = d, d
		mustSync(t, c, taken)
		line := 1 + strings.Count(strings.SplitN(data(t, c, "edge-1", server(1)), "X-A odd", 2)[0], "\n")
		r := report("edge-1")
		r.Failed = &gateway.ApplyFailure{Digest: d, Step: "check", Message: "invalid", File: server(1), Line: line}
		mustSync(t, c, r)
		synctest.Wait()
		if got := mustSync(t, c, r).Desired; got != d {
			t.Errorf("one odd node changed what the others run")
		}
		if err := c.Forget("shared", "edge-2"); err != nil {
			t.Fatal(err)
		}
		mustSync(t, c, r)
		synctest.Wait()
		if got := data(t, c, "edge-1", server(1)); strings.Contains(got, "odd") || !strings.Contains(data(t, c, "edge-1", "upstreams/t0001.api.conf"), "10.0.0.2") {
			t.Errorf("it still goes out: %s", got)
		}
		p := c.Problems()
		i := slices.IndexFunc(p, func(p gateway.Problem) bool { return p.Code == "nginx_refused" })
		if i < 0 || p[i].Object.String() != "Override t0001/o" || p[i].Source != "node edge-1" || !strings.Contains(p[i].Message, `which reads "add_header X-A odd;": invalid. Meanwhile the file's last good version`) {
			t.Errorf("problems: %+v", p)
		}
		c.Apply(withAddress(manyTenants(3, map[int]string{1: "add_header X-A even;"}), "10.0.0.2:80"))
		if got := data(t, c, "edge-1", server(1)); !strings.Contains(got, "even") {
			t.Errorf("after the correction: %s", got)
		}
	})
}

// TestKeptOverRestart: a culprit's last good version outlives the control plane.
func TestKeptOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "kept.json")
		life := func(snapshots ...*gateway.Snapshot) string {
			c := New(Config{Check: &fakeChecker{}, KeepFile: file})
			defer c.Close()
			for _, s := range snapshots {
				c.Apply(s)
				mustSync(t, c, report("edge-1"))
				synctest.Wait()
			}
			return data(t, c, "edge-1", server(1))
		}
		bad := manyTenants(3, map[int]string{1: "add_header X-A BAD;"})
		good := life(manyTenants(3, map[int]string{1: "add_header X-A good;"}), bad)
		if again := life(bad); !strings.Contains(good, "X-A good") || again != good {
			t.Errorf("before %s, after the restart %s", good, again)
		}
		life(bad, manyTenants(3, nil))
		if again := life(bad); !strings.Contains(again, "return 503") {
			t.Errorf("it is kept after it was mended: %s", again)
		}
	})
}
