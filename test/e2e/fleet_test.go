package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// mirrored is the shop on the nodes of one fleet.
const mirrored = `
kind: Fleet
name: shared
spec: {reloadBudget: {every: 1s}}
---
kind: Policy
name: default
spec: {nginxDirectives: [proxy_buffering]}
---
kind: Tenant
name: acme
spec: {hosts: [shop.example.com], fleets: [shared]}
---
kind: Upstream
name: api
tenant: acme
spec: {endpoints: [{address: %q}]}
---
kind: Route
name: all
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
`

// rollout bounds every wait for nodes, also on a machine that does much else: it is ten times the
// longest that any of them should take.
const rollout = 5 * time.Minute

// mirror is one nginx with its agent.
type mirror struct {
	*agenttest.Nginx
	name string
}

// mirrorTo starts an nginx and the agent that keeps it in step with s, both until the end of
// the test.
func (s *instance) mirrorTo(name string) mirror {
	s.t.Helper()
	m := mirror{agenttest.New(s.t), name}
	m.Start(s.t)
	end := s.tend(m)
	s.t.Cleanup(func() { end(syscall.SIGTERM) })
	return m
}

// tend starts the agent of m, with more arguments, and returns how it is ended:
// in order, or by SIGKILL.
func (s *instance) tend(m mirror, more ...string) (end func(syscall.Signal)) {
	s.t.Helper()
	name := m.name
	cmd := exec.Command(program(s.t, "sluice"), "agent", "--server", "https://"+s.agents, "--fleet", "shared", "--node", name,
		"--nginx", agenttest.Binary, "--nginx-conf", m.Conf, "--nginx-prefix", m.Dir, "--tree", m.TreeDir, "--listen", m.Address)
	cmd.Args = append(cmd.Args, more...)
	cmd.Env = append(os.Environ(), "SLUICE_ENROL_TOKEN="+s.enrolToken(m))
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return func(by syscall.Signal) {
		_ = cmd.Process.Signal(by)
		if err := cmd.Wait(); err != nil && by != syscall.SIGKILL {
			s.t.Errorf("the agent of %s ended with %v", name, err)
		}
		if s.t.Failed() {
			s.t.Logf("the agent of %s said:\n%s", name, log.String())
		}
	}
}

// serves expects that nginx passes a request on to the named backend.
func (m mirror) serves(backend string) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+m.Address+"/", nil)
	if err != nil {
		return err
	}
	req.Host, req.Close = "shop.example.com", true // a kept connection stays with an old worker
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if name := resp.Header.Get("X-Backend"); name != backend || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("nginx %s: answered by %q with %s, want %q", m.name, name, resp.Status, backend)
	}
	return nil
}

// eachNode waits until f is content with every node of the fleet.
func (s *instance) eachNode(what string, members []mirror, f func(mirror, gateway.Node) error) {
	s.t.Helper()
	until(s.t, rollout, what, func() error {
		var errs []error
		for _, m := range members {
			var n gateway.Node
			err := s.api(http.MethodGet, "/fleets/shared/nodes/"+m.name, nil, &n)
			if err == nil {
				err = f(m, n)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// inSync is content with a node whose nginx runs what it should and asks the named backend.
func inSync(backend string) func(mirror, gateway.Node) error {
	return func(m mirror, n gateway.Node) error {
		if n.State != gateway.NodeInSync || n.Running == "" || n.Running != n.Desired || n.OnDisk != n.Desired {
			return fmt.Errorf("%s is %s: desired %q, on disk %q, running %q, failed %+v", m.name, n.State, n.Desired, n.OnDisk, n.Running, n.Failed)
		}
		return m.serves(backend)
	}
}

// command runs a verb of the command line against s and returns what it prints.
func (s *instance) command(args ...string) (string, error) {
	cmd := exec.Command(program(s.t, "sluice"), args...)
	cmd.Env = append(os.Environ(), "SLUICE_SERVER=http://"+s.admin, "SLUICE_TOKEN="+adminToken)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Three nginx with agents: a change reaches all, a broken directive stops at the check beside
// the control plane and leaves all of them running what they ran, and an edit by hand is named and downloadable.
func TestFleet(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(mirrored, one))+"]\n")
	s.start()
	var members []mirror
	for _, name := range []string{"n1", "n2", "n3"} {
		members = append(members, s.mirrorTo(name))
	}
	s.eachNode("first rollout", members, inSync("one"))

	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	s.eachNode("rollout of a change", members, inSync("two"))
	s.refusesBrokenDirective(members)
	s.showsHandEdit(members)
}

func (s *instance) refusesBrokenDirective(members []mirror) {
	t := s.t
	t.Helper()
	before := map[string]gateway.Node{}
	s.eachNode("in step", members, func(m mirror, n gateway.Node) error {
		before[m.name] = n
		return inSync("two")(m, n)
	})
	const path = "/tenants/acme/overrides/broken"
	broken := gateway.Override{Meta: gateway.Meta{Kind: gateway.KindOverride, Tenant: "acme", Name: "broken"},
		Spec: gateway.OverrideSpec{Route: "all", Nginx: "proxy_buffering maybe;", Reason: "a mistake"}}
	if err := s.api(http.MethodPut, path, broken, nil); err != nil {
		t.Fatal(err)
	}
	until(t, rollout, "refusal of a broken directive", func() error { return s.namesCulprit("Override acme/broken", `"maybe"`) })
	var status api.Status
	if err := s.api(http.MethodGet, "/status", nil, &status); err != nil || status.FleetCheck == nil || status.FleetCheck.Version == "" || status.FleetCheck.Level == "" {
		t.Errorf("the check is not in the status: %v %+v", err, status.FleetCheck)
	}
	s.eachNode("nodes that never saw it", members, func(m mirror, n gateway.Node) error {
		if n.Failed != nil || n.Running != before[m.name].Running || n.OnDisk != before[m.name].OnDisk || n.Facts.PID != before[m.name].Facts.PID {
			t.Errorf("%s was touched by a refused bundle: %+v, before %+v", m.name, n, before[m.name])
		}
		return inSync("two")(m, n)
	})
	for _, m := range members {
		if err := m.Test(); err != nil {
			t.Errorf("%s would not start again after a refusal: %v", m.name, err)
		}
	}
	if err := s.api(http.MethodDelete, path, nil, nil); err != nil {
		t.Fatal(err)
	}
	s.eachNode("recovery", members, inSync("two"))
}

// namesCulprit is content when nginx's refusal is a problem of the object, with the line that
// it is about.
func (s *instance) namesCulprit(object, text string) error {
	var list struct{ Items []gateway.Problem }
	if err := s.api(http.MethodGet, "/problems", nil, &list); err != nil {
		return err
	}
	for _, p := range list.Items {
		if p.Object.String() == object && p.Code == "nginx_refused" && strings.Contains(p.Message, "nginx refuses line ") && strings.Contains(p.Message, text) {
			return nil
		}
	}
	return fmt.Errorf("problems: %+v", list.Items)
}

func (s *instance) showsHandEdit(members []mirror) {
	t := s.t
	t.Helper()
	const edit = "# changed by hand at three in the morning\n"
	current, err := filepath.EvalSymlinks(members[1].TreeDir + "/current")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(current + "/*/*.conf")
	if err != nil || len(found) == 0 {
		t.Fatalf("no files below %s: %v", current, err)
	}
	text, err := os.ReadFile(found[0])
	if err == nil {
		err = os.WriteFile(found[0], append(text, edit...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.TrimPrefix(found[0], current+"/")
	until(t, rollout, "drift", func() error {
		out, err := s.command("fleet", "drift", "shared")
		if err != nil || !strings.Contains(out, "n2: "+edited+" modified by hand") || !strings.Contains(out, "@@") || !strings.Contains(out, "+"+edit) {
			return fmt.Errorf("sluice fleet drift: %q %w", out, err)
		}
		if strings.Contains(out, "n1:") || strings.Contains(out, "n3:") {
			t.Fatalf("nodes that nobody touched are named: %s", out)
		}
		return nil
	})
	until(t, rollout, "an alert", func() error {
		out, err := s.command("alerts", "ls")
		if err != nil || !strings.Contains(out, "node n2 of fleet shared has drifted") || !strings.Contains(out, edited+" modified") {
			return fmt.Errorf("sluice alerts ls: %q %w", out, err)
		}
		return nil
	})
	archive := filepath.Join(t.TempDir(), "n2.tar.gz")
	if out, err := s.command("fleet", "download", "n2", "-o", archive); err != nil {
		t.Fatalf("sluice fleet download: %v %s", err, out)
	}
	have := untar(t, archive)
	for _, file := range found {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := "tree" + strings.TrimPrefix(file, current); have[name] != string(want) {
			t.Errorf("%s in the download is %q, on the node %q", name, have[name], want)
		}
	}
	if conf, err := os.ReadFile(members[1].Conf); err != nil || have["root"+members[1].Conf] != string(conf) {
		t.Errorf("nginx.conf in the download is %q, on the node %q, %v", have["root"+members[1].Conf], conf, err)
	}
}

// untar returns the files of an archive by path.
func untar(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(b)
	}
}
