package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

const shop = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com]}
---
kind: Upstream
name: api
tenant: acme
spec:
  endpoints: [%s]
  health:
    active: {path: /healthz, interval: 300ms, timeout: 1s, rise: 2, fall: 2}
    passive: {baseEjection: 1s}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

func shopOf(addresses ...string) string {
	var list []string
	for _, a := range addresses {
		list = append(list, fmt.Sprintf("{address: %q}", a))
	}
	return fmt.Sprintf(shop, strings.Join(list, ", "))
}

const endpointsPath = "/tenants/acme/upstreams/api/endpoints"

func endpoints(addresses ...string) map[string]any {
	list := []map[string]any{}
	for _, a := range addresses {
		list = append(list, map[string]any{"address": a})
	}
	return map[string]any{"endpoints": list}
}

// 200 upstream changes under constant load: no failed request, no closed connection, same
// process.
func TestChangesUnderLoad(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, shopOf(one))+"]\n")
	s.start()
	began := s.startTime()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	done := make(chan load.Result, 1)
	go func() {
		done <- load.Run(ctx, load.Config{URL: "http://" + s.http + "/", Host: "shop.example.com", Conns: 20, RatePerSecond: 300, Duration: 90 * time.Second, Timeout: 20 * time.Second})
	}()
	sets := [][]string{{one}, {one, two}, {two}}
	for i := range 200 {
		if err := s.api(http.MethodPut, endpointsPath, endpoints(sets[i%3]...), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	r := <-done
	if r.Failures > 0 || r.Closed > 0 || r.Requests < 100 {
		t.Errorf("%+v", r)
	}
	if now := s.startTime(); now != began {
		t.Errorf("the process that serves started at %s, the one before at %s", now, began)
	}
	t.Logf("200 changes, %d requests, %d failed, %d connections closed", r.Requests, r.Failures, r.Closed)
}

type upstreamView struct {
	Upstream struct {
		Endpoints []struct {
			Address    string
			InRotation bool
			Verdict    struct {
				State, Reason string
				Since, Until  time.Time
			}
		}
	}
}

// An endpoint that answers 502 is left out, the API says why and since when, and it returns
// by itself after healing.
func TestEjectionAndReturn(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, shopOf(one, two))+"]\n")
	s.start()
	order := func(query string) {
		t.Helper()
		resp, err := http.Post("http://"+one+"/_control?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	state := func() (v upstreamView) {
		t.Helper()
		if err := s.api(http.MethodGet, endpointsPath, nil, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	order("status=502") // its health check still passes
	took := until(t, 20*time.Second, "ejection", func() error {
		s.answeredBy("shop.example.com")
		for _, e := range state().Upstream.Endpoints {
			if e.Address == one && e.Verdict.State == "ejected" && !e.InRotation {
				if e.Verdict.Reason == "" || e.Verdict.Since.IsZero() || e.Verdict.Until.IsZero() {
					t.Errorf("the verdict says too little: %+v", e.Verdict)
				}
				return nil
			}
		}
		return fmt.Errorf("%+v", state())
	})
	fmt.Printf("figure eject_ms %.0f ms goal 2000\n", took.Seconds()*1000)
	order("heal=1")
	until(t, 60*time.Second, "return", func() error {
		if name, status := s.answeredBy("shop.example.com"); name == "one" && status == 200 {
			return nil
		}
		return fmt.Errorf("%+v", state())
	})
}

// Every write that was acknowledged before a kill -9 is there after the restart.
func TestKillLosesNothing(t *testing.T) {
	s := configure(t, "objects: ["+objectFile(t, shopOf("10.0.0.1:80"))+"]\n")
	s.launch()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	tenant := func(n int) string { return fmt.Sprintf("/tenants/t%d", n) }
	acknowledged := 0
	for round := range 20 {
		kill := time.AfterFunc(time.Duration(20+rand.IntN(160))*time.Millisecond, func() { _ = s.cmd.Process.Kill() })
		for {
			err := s.api(http.MethodPut, tenant(acknowledged), map[string]any{"kind": "Tenant", "name": fmt.Sprintf("t%d", acknowledged), "spec": map[string]any{}}, nil)
			if err != nil {
				break
			}
			acknowledged++
		}
		kill.Stop()
		_ = s.cmd.Process.Kill() // already dead, unless the API refused a write by itself
		_ = s.cmd.Wait()
		s.launch()
		var list struct{ Items []struct{ Name string } }
		if err := s.api(http.MethodGet, "/tenants", nil, &list); err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, i := range list.Items {
			have[i.Name] = true
		}
		for n := range acknowledged {
			if !have[fmt.Sprintf("t%d", n)] {
				t.Fatalf("round %d: acknowledged write t%d of %d is lost", round, n, acknowledged)
			}
		}
	}
	if acknowledged < 20 {
		t.Errorf("only %d writes in 20 rounds", acknowledged)
	}
	t.Logf("%d acknowledged writes, 20 kills, none lost", acknowledged)
}

// refused runs sluice with arguments that it must refuse, and returns what it says.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "sluice"), args...)
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	out, err := cmd.CombinedOutput()
	if !timer.Stop() || err == nil {
		t.Errorf("%v was not refused: %v", args, err)
	}
	return string(out)
}

// Each mistake gives one message that says where and what, and a non-zero exit.
func TestBadInputIsRefused(t *testing.T) {
	running := configure(t, "")
	running.start()
	for _, c := range []struct{ name, more, want string }{
		{"unknown key", "lisners: []\n", "sluice.yaml:7:1: unknown"},
		{"bad object", "objects: [" + objectFile(t, "kind: Upstream\nname: api\ntenant: acme\nspec: {unheard: x}\n") + "]\n", "objects.yaml:4:8"},
		{"cluster away", "store: {etcd: {endpoints: [\"http://127.0.0.1:1\"]}}\n", "127.0.0.1:1"},
	} {
		s := configure(t, c.more)
		if out := refused(t, "serve", "--config", s.dir+"/sluice.yaml"); !strings.Contains(out, c.want) {
			t.Errorf("%s: %q is missing in:\n%s", c.name, c.want, out)
		}
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"occupied port":       {"%HTTP", running.http, "address " + running.http + " is in use"},
		"same data directory": {"%DATA", running.dir + "/data", fmt.Sprint(running.cmd.Process.Pid)},
	} {
		s := configure(t, "")
		text, err := os.ReadFile(s.dir + "/sluice.yaml")
		if err != nil {
			t.Fatal(err)
		}
		old := map[string]string{"%HTTP": s.http, "%DATA": s.dir + "/data"}[c.from]
		if err := os.WriteFile(s.dir+"/sluice.yaml", []byte(strings.ReplaceAll(string(text), old, c.to)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := refused(t, "serve", "--config", s.dir+"/sluice.yaml"); !strings.Contains(out, c.want) {
			t.Errorf("%s: %q is missing in:\n%s", name, c.want, out)
		}
	}
}

// A bad item becomes a Problem on its owner's object, and everything else is served.
func TestBadItemsBecomeProblems(t *testing.T) {
	one := backend(t, "one", "")
	s := configure(t, "objects: ["+objectFile(t, shopOf(one, "nonsense")+"---\nkind: Tenant\nname: thief\nspec: {hosts: [shop.example.com]}\n")+"]\n")
	s.start()
	var list struct {
		Items []struct {
			Object      struct{ Kind, Name string }
			Field, Code string
			Message     string
		}
	}
	if err := s.api(http.MethodGet, "/problems", nil, &list); err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	for _, p := range list.Items {
		codes[p.Code] = p.Object.Kind + " " + p.Object.Name + " " + p.Field
	}
	if codes["host_taken"] != "Tenant thief spec.hosts[0]" || codes["address_invalid"] != "Upstream api spec.endpoints[1].address" {
		t.Errorf("problems: %+v", list.Items)
	}
	if name, status := s.answeredBy("shop.example.com"); name != "one" || status != 200 {
		t.Errorf("the good ones are not served: %s %d", name, status)
	}
}
