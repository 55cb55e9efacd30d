package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// nodes starts an nginx and its agent for each name, and waits until all of them run what they
// should.
func (s sluice) nodes(t *testing.T, fleet string, names ...string) {
	t.Helper()
	for _, name := range names {
		s.node(t, fleet, name)
	}
	var last string
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var list struct{ Items []gateway.Node }
		s.call(t, http.MethodGet, "/fleets/"+fleet+"/nodes", "", &list)
		in := 0
		for _, n := range list.Items {
			if n.State == gateway.NodeInSync && n.Running != "" {
				in++
			}
		}
		if in == len(names) {
			return
		}
		last = fmt.Sprintf("%+v", list.Items)
	}
	t.Fatalf("the nodes of fleet %s do not get in sync: %s", fleet, last)
}

func (s sluice) node(t *testing.T, fleet, name string) {
	t.Helper()
	n := agenttest.New(t)
	n.Start(t)
	var issued struct{ Token string }
	s.call(t, http.MethodPost, "/enrolment-tokens", fmt.Sprintf(`{"fleet":%q,"node":%q}`, fleet, name), &issued)
	cmd := exec.Command(s.binary, "agent", "--server", "https://"+s.agents, "--fleet", fleet, "--node", name,
		"--nginx", agenttest.Binary, "--nginx-conf", n.Conf, "--nginx-prefix", n.Dir, "--tree", n.TreeDir, "--listen", n.Address)
	cmd.Env = append(os.Environ(), "SLUICE_ENROL_TOKEN="+issued.Token)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the agent of %s ended with %v", name, err)
		}
		if t.Failed() {
			t.Logf("the agent of %s said:\n%s", name, log.String())
		}
	})
}

// call must succeed.
func (s sluice) call(t *testing.T, method, path, body string, out any) {
	t.Helper()
	req, err := http.NewRequest(method, s.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}
