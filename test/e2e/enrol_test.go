package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
)

// enrolToken makes a token for m, unless it is enrolled.
func (s *instance) enrolToken(m mirror) string {
	s.t.Helper()
	if _, err := os.Stat(m.identity()); err == nil {
		return ""
	}
	return s.token("shared", "--node", m.name)
}

// identity is where the agent keeps its certificate.
func (m mirror) identity() string { return filepath.Join(m.TreeDir+"-agent", "identity.json") }

// token makes a token as people do.
func (s *instance) token(args ...string) string {
	s.t.Helper()
	out, err := s.command(append([]string{"fleet", "token"}, args...)...)
	if err != nil {
		s.t.Fatalf("sluice fleet token: %v %s", err, out)
	}
	for line := range strings.Lines(out) { // what is said to people is around it
		if strings.HasPrefix(line, "sluice-enrol.") {
			return strings.TrimSpace(line)
		}
	}
	s.t.Fatalf("sluice fleet token prints no token: %s", out)
	return ""
}

// agentCommand is an agent of m that enrols with a token.
func (s *instance) agentCommand(ctx context.Context, m mirror, token string) (*exec.Cmd, *output) {
	cmd := exec.CommandContext(ctx, program(s.t, "sluice"), "agent", "--server", "https://"+s.agents, "--fleet", "shared", "--node", m.name,
		"--nginx", agenttest.Binary, "--nginx-conf", m.Conf, "--nginx-prefix", m.Dir, "--tree", m.TreeDir, "--listen", m.Address)
	log := &output{}
	cmd.Env, cmd.Stderr = append(os.Environ(), "SLUICE_ENROL_TOKEN="+token), log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, log
}

// turnsAway expects that an agent of m with that token ends, and says why.
func (s *instance) turnsAway(m mirror, token string, want ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), rollout)
	defer cancel()
	cmd, log := s.agentCommand(ctx, m, token)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		s.t.Errorf("the agent ended with %v: %s", err, log)
	}
	for _, text := range want {
		if !strings.Contains(log.String(), text) {
			s.t.Errorf("the agent does not say %q: %s", text, log)
		}
	}
	if _, err := os.Stat(m.identity()); err == nil {
		s.t.Error("it has got a certificate")
	}
}

func newMirror(t *testing.T, name string) mirror {
	m := mirror{agenttest.New(t), name}
	m.Start(t)
	return m
}

// Nodes are let in by a token, once, under the name that it is for; a revoked node is cut off and
// goes on serving, and nothing but a certificate opens what agents are told.
func TestEnrolment(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(mirrored, one))+"]\n")
	s.start()
	n1, n2 := newMirror(t, "n1"), newMirror(t, "n2")
	s.turnsAway(n1, "", "this node is not enrolled", "sluice fleet token")
	s.turnsAway(n1, "x", "this is not an enrolment token")
	short := s.token("shared", "--expires", "1s")
	time.Sleep(1100 * time.Millisecond)
	s.turnsAway(n1, short, "expired at", "make another with `sluice fleet token shared`")
	good := s.token("shared", "--node", "n1")
	s.turnsAway(n2, good, `is for node "n1", and this is node "n2"`)
	removed := s.token("shared")
	s.removesToken(removed)
	s.turnsAway(n1, removed, "the token is not known here")
	if out, err := s.command("fleet", "token", "shard"); err == nil || !strings.Contains(out, "sluice fleet ls") {
		t.Errorf("a token for a fleet that does not exist: %v %s", err, out)
	}

	cmd, _ := s.agentCommand(t.Context(), n1, good)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.eachNode("first rollout", []mirror{n1}, inSync("one"))
	if info, err := os.Stat(n1.identity()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", info, err)
	}
	s.turnsAway(n2, s.token("shared", "--node", "n1"), `is for node "n1"`)
	n1again := mirror{n2.Nginx, "n1"} // another machine that calls itself n1
	s.turnsAway(n1again, good, "was used at", `by node "n1"`, "a token is good for one use")
	s.turnsAway(n1again, s.token("shared"), "it has a certificate that is good until", "sluice fleet token shared --node n1")
	s.distrustsOthers(n2)
	s.opensNothing()
	s.revokes(n1, two, cmd)
}

func (s *instance) removesToken(text string) {
	s.t.Helper()
	out, err := s.command("fleet", "token", "ls", "-o", "json")
	var list []struct{ ID, UsedBy string }
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil || len(list) == 0 || strings.Contains(out, strings.Split(text, ".")[1]) {
		s.t.Fatalf("sluice fleet token ls: %v %s", err, out)
	}
	if out, err := s.command("fleet", "token", "rm", list[0].ID); err != nil {
		s.t.Fatalf("sluice fleet token rm: %v %s", err, out)
	}
	if out, err := s.command("fleet", "token", "rm", list[0].ID); err == nil || !strings.Contains(out, "not found") {
		s.t.Errorf("sluice fleet token rm, again: %v %s", err, out)
	}
}

// distrustsOthers: an agent sends its secret to nobody but the control plane that made the token.
func (s *instance) distrustsOthers(m mirror) {
	s.t.Helper()
	parts := strings.Split(s.token("shared", "--node", m.name), ".")
	parts[2] = strings.Repeat("A", len(parts[2]))
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	cmd, log := s.agentCommand(ctx, m, strings.Join(parts, "."))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	until(s.t, rollout, "a word about the other control plane", func() error {
		if !strings.Contains(log.String(), "this is not the control plane that made the enrolment token") {
			return fmt.Errorf("it says %s", log)
		}
		return nil
	})
	stop()
	_ = cmd.Wait()
}

// opensNothing: without a certificate there is nothing to see, also with the administrator's token.
func (s *instance) opensNothing() {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for _, base := range []string{"https://" + s.agents, "http://" + s.admin} {
		for _, what := range []string{"GET /agent/v1/bundle?fleet=shared&node=n1", "POST /agent/v1/sync", "POST /agent/v1/renew", "PUT /agent/v1/tree?fleet=shared&node=n1"} {
			method, path, _ := strings.Cut(what, " ")
			req, err := http.NewRequest(method, base+path, strings.NewReader(`{"report":{"fleet":"shared","node":"n1"}}`))
			if err != nil {
				s.t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+adminToken)
			resp, err := client.Do(req)
			if err != nil {
				s.t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode == 200 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || base == "https://"+s.agents && resp.StatusCode != 401 {
				s.t.Errorf("%s at %s: %s", what, base, resp.Status)
			}
		}
	}
}

func (s *instance) revokes(m mirror, next string, cmd *exec.Cmd) {
	t := s.t
	t.Helper()
	if out, err := s.command("fleet", "revoke", "nobody", "--fleet", "shared"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("sluice fleet revoke of nobody: %v %s", err, out)
	}
	if out, err := s.command("fleet", "revoke", m.name); err != nil {
		t.Fatalf("sluice fleet revoke: %v %s", err, out)
	}
	if err := s.api(http.MethodPut, endpointsPath, endpoints(next), nil); err != nil {
		t.Fatal(err)
	}
	log := cmd.Stderr.(*output)
	until(t, rollout, "a word about the revocation", func() error {
		if !strings.Contains(log.String(), "was revoked; to take the node back") {
			return fmt.Errorf("it says %s", log)
		}
		return nil
	})
	time.Sleep(500 * time.Millisecond)
	if err := m.serves("one"); err != nil {
		t.Errorf("the revoked node: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the agent ended with %v: %s", err, log)
	}
	again, _ := s.agentCommand(t.Context(), m, s.token("shared", "--node", m.name))
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	s.eachNode("the way back", []mirror{m}, inSync("two"))
	_ = again.Process.Signal(syscall.SIGTERM)
	if err := again.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	s.kill()
	s.launch()
	until(t, 30*time.Second, "a node that did not report to the new process in the list", func() error {
		out, err := s.command("fleet", "nodes", "shared")
		if err == nil && (!strings.Contains(out, m.name) || !strings.Contains(out, "silent") || !strings.Contains(out, "not heard since the control plane was started")) {
			err = errors.New(out)
		}
		return err
	})
	if out, err := s.command("fleet", "forget", m.name); err != nil {
		t.Errorf("sluice fleet forget: %v %s", err, out)
	}
	if out, err := s.command("fleet", "nodes", "shared"); err != nil || strings.Contains(out, m.name) {
		t.Errorf("after sluice fleet forget: %v %s", err, out)
	}
}

// A certificate of a minute is renewed again and again, without a token, and also over a
// restart of the control plane.
func TestRenewal(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(mirrored, one))+"]\n")
	file := s.dir + "/sluice.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(string(text), "agents: {", "agents: {certificateLifetime: 1m, ", 1)
	if err := os.WriteFile(file, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	m := s.mirrorTo("n1")
	members := []mirror{m}
	s.eachNode("first rollout", members, inSync("one"))
	first, err := os.ReadFile(m.identity())
	if err != nil {
		t.Fatal(err)
	}
	s.kill()
	s.launch()
	until(t, rollout, "a renewal", func() error {
		if now, err := os.ReadFile(m.identity()); err != nil || string(now) == string(first) {
			return fmt.Errorf("the same certificate: %w", err)
		}
		return nil
	})
	if err := s.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		t.Fatal(err)
	}
	s.eachNode("a change with the new certificate", members, func(m mirror, n gateway.Node) error {
		return inSync("two")(m, n)
	})
}
