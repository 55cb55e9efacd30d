package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// With everything down, a node that is started again serves from its local copy (S50), says so,
// and takes changes again when the store is back.
func TestStartFromTheLocalCopy(t *testing.T) {
	for name, password := range map[string]bool{"anybody may read": false, "with a password": true} {
		t.Run(name, func(t *testing.T) { startFromTheLocalCopy(t, password) })
	}
}

func startFromTheLocalCopy(t *testing.T, password bool) {
	address := backend(t, "one", "")
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	login := ""
	if password {
		cluster.RequirePassword(t, "/sluice/", "/services/")
		login = fmt.Sprintf(", username: %s, passwordFile: %q", storetest.UserName, cluster.Config().Etcd.PasswordFile)
	}
	s := configure(t, fmt.Sprintf("store: {etcd: {endpoints: [%q]%s}}\nobjects: [%s]\n", cluster.Config().Etcd.Endpoints[0], login,
		objectFile(t, fmt.Sprintf(discovered, "{etcd: {prefix: /services/api/}}"))))
	if _, err := cluster.Client(t).Put(context.Background(), "/services/api/1", fmt.Sprintf(`{"address": %q}`, address)); err != nil {
		t.Fatal(err)
	}
	served := func() error {
		if name, status := s.answeredBy("shop.example.com"); name != "one" || status != 200 {
			return fmt.Errorf("answered by %q with %d", name, status)
		}
		return nil
	}
	s.launch()
	t.Cleanup(s.kill)
	until(t, 30*time.Second, "traffic", served)
	file := filepath.Join(s.dir, "data", "local-copy")
	until(t, 30*time.Second, "a local copy with the endpoint", func() error {
		text, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(text), address) {
			err = fmt.Errorf("%s is not in %s", address, text)
		}
		return err
	})
	s.kill()
	cluster.Kill(0)

	began := time.Now()
	s.spawn()
	until(t, 30*time.Second, "traffic from the local copy", served)
	took := time.Since(began)
	figure := map[bool]string{false: "start_from_local_copy_ms", true: "start_from_local_copy_password_ms"}[password]
	fmt.Printf("figure %s %.0f ms goal 2000\n", figure, float64(took.Milliseconds()))
	if took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	until(t, 30*time.Second, "ready", func() error { return expectStatus("http://"+s.ops+"/readyz", 200) })
	if err := s.api("GET", "/status", nil, nil); err == nil || !strings.Contains(err.Error(), "local copy") {
		t.Errorf("the API says %v", err)
	}

	cluster.Restart(t, 0)
	until(t, 60*time.Second, "a change", func() error {
		return s.api("PUT", "/tenants/acme/upstreams/api/endpoints", map[string]any{"endpoints": []any{}}, nil)
	})
	until(t, 30*time.Second, "traffic with the store back", served)
	s.kill()
	if password {
		s.startWithAWrongPassword(cluster, served)
	}

	// A damaged copy is no ground to stand on: with the store down too, the start says both.
	cluster.Kill(0)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	s.spawn()
	ended := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	err = s.cmd.Wait()
	if !ended.Stop() || err == nil {
		t.Errorf("it ended with %v", err)
	}
	if out := s.log.String(); !strings.Contains(out, "local copy is damaged") || !strings.Contains(out, "bytes of") {
		t.Errorf("it said %s", out)
	}
}

// startWithAWrongPassword starts a node that the cluster does not let in: it serves from its
// copy, says why, and takes changes once its file holds the right one.
func (s *instance) startWithAWrongPassword(cluster *storetest.Cluster, served func() error) {
	cluster.WritePassword(s.t, "of last year")
	s.spawn()
	until(s.t, 30*time.Second, "traffic with a wrong password", served)
	until(s.t, 30*time.Second, "the reason in the log", func() error {
		if out := s.log.String(); !strings.Contains(out, "check store.etcd username and passwordFile") {
			return fmt.Errorf("the log is %s", out)
		}
		return nil
	})
	cluster.WritePassword(s.t, storetest.UserPassword)
	until(s.t, 60*time.Second, "a change with the right password", func() error {
		return s.api("PUT", "/tenants/acme/upstreams/api/endpoints", map[string]any{"endpoints": []any{}}, nil)
	})
	until(s.t, 30*time.Second, "traffic with the right password", served)
	s.kill()
}
