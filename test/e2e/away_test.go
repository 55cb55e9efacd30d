package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	s.expectStale(address)

	cluster.Restart(t, 0)
	until(t, 60*time.Second, "a change", func() error {
		return s.api("PUT", "/tenants/acme/upstreams/api/endpoints", map[string]any{"endpoints": []any{}}, nil)
	})
	until(t, 30*time.Second, "traffic with the store back", served)
	until(t, 30*time.Second, "a status that is current", func() error {
		var status staleness
		if err := s.api("GET", "/status", nil, &status); err != nil || status.Store.StaleSince != nil || len(status.Sources) != 2 || status.Sources[1].StaleSince != nil {
			return fmt.Errorf("status %+v, %w", status, err)
		}
		return nil
	})
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
	if out := s.log.String(); !strings.Contains(out, "local copy is damaged") || !strings.Contains(out, "its end is missing") {
		t.Errorf("it said %s", out)
	}
}

// staleness is what a status says of what may be out of date.
type staleness struct {
	Store struct {
		Up         bool
		StaleSince *time.Time
	}
	Sources []struct {
		Name       string
		Up, Copied bool
		StaleSince *time.Time
	}
}

// expectStale looks at a node whose store is away: people see what is served and since when it
// may be out of date, monitoring too, and nobody can change it.
func (s *instance) expectStale(address string) {
	s.t.Helper()
	var status staleness
	if err := s.api("GET", "/status", nil, &status); err != nil || len(status.Sources) != 2 || status.Sources[1].Name != "etcd/default" {
		s.t.Fatalf("status %+v, %v", status, err)
	}
	source := status.Sources[1] // the other one is DNS
	if status.Store.Up || status.Store.StaleSince == nil || source.Up || !source.Copied || source.StaleSince == nil || !source.StaleSince.Equal(*status.Store.StaleSince) {
		s.t.Errorf("status %+v", status)
	}
	var upstreams struct {
		Items []struct {
			Upstream struct{ Endpoints []struct{ Address string } }
		}
	}
	if err := s.api("GET", "/upstreams", nil, &upstreams); err != nil || len(upstreams.Items) != 1 || upstreams.Items[0].Upstream.Endpoints[0].Address != address {
		s.t.Errorf("upstreams %+v, %v", upstreams, err)
	}
	err := s.api("PUT", "/tenants/acme/upstreams/api/endpoints", map[string]any{"endpoints": []any{}}, nil)
	if err == nil || !strings.Contains(err.Error(), "local copy") {
		s.t.Errorf("a change: %v", err)
	}
	for _, metric := range []string{"sluice_store_stale_since_seconds ", `sluice_source_stale_since_seconds{source="etcd/default"} `} {
		if text := s.metrics(); !strings.Contains(text, metric) {
			s.t.Errorf("no %s in the metrics", metric)
		}
	}
}

// metrics is what monitoring reads.
func (s *instance) metrics() string {
	s.t.Helper()
	resp, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
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
