package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
)

// TestRevertOutlivesControlPlane: an edit is to be taken back while the agent is down, and the
// control plane is killed before the agent is back. The edit is taken back all the same, once: the
// same edit made again stays.
func TestRevertOutlivesControlPlane(t *testing.T) {
	one := backend(t, "one", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(mirrored, one))+"]\n")
	s.launch()
	t.Cleanup(func() { s.kill() })
	m := mirror{agenttest.New(t), "n1"}
	m.Start(t)
	end := s.tend(m)
	ended := false
	t.Cleanup(func() {
		if !ended {
			end(syscall.SIGTERM)
		}
	})
	s.eachNode("first rollout", []mirror{m}, inSync("one"))

	d := &drifting{instance: s, seventh: m, members: []mirror{m}, location: "servers/acme.shop.example.com.conf"}
	const was, is = "proxy_read_timeout 60s;", "proxy_read_timeout 7s;"
	d.edit(was, is)
	report := d.says("the edit", "  + "+is)
	end(syscall.SIGTERM)
	ended = true
	d.settle(hunks(report), "--revert", "--wait", "0s")
	s.kill()
	if err := d.have(d.members, is, true); err != nil {
		t.Fatal(err)
	}
	s.launch()
	end, ended = s.tend(m), false
	until(t, rollout, "the edit to be taken back", func() error { return d.have(d.members, was, true) })
	s.eachNode("in step", d.members, inSync("one"))

	until(t, rollout, "nothing to be asked for", func() error {
		file := filepath.Join(m.TreeDir, "current", d.location)
		if b, err := os.ReadFile(file); err != nil || strings.Contains(string(b), is) {
			return fmt.Errorf("%s has the edit: %w", file, err)
		}
		if out := d.drift(); strings.Contains(out, "hunk ") {
			return errors.New(out)
		}
		return nil
	})
	d.edit(was, is)
	d.says("the same edit again", "  + "+is)
	if err := d.have(d.members, is, true); err != nil {
		t.Errorf("an edit that nobody asked to take back: %v", err)
	}
}
