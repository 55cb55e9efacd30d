package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

// origin is a server of this process that counts requests and probes.
type origin struct {
	name           atomic.Pointer[string]
	address        string
	status, health atomic.Int64 // of requests, and of /ping
	asked, probed  atomic.Int64
}

func newOrigin(t *testing.T, name string) *origin {
	t.Helper()
	o := &origin{}
	o.name.Store(&name)
	o.status.Store(200)
	o.health.Store(200)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", *o.name.Load())
		if r.URL.Path == "/ping" {
			o.probed.Add(1)
			w.WriteHeader(int(o.health.Load()))
			return
		}
		o.asked.Add(1)
		w.WriteHeader(int(o.status.Load()))
	}))
	t.Cleanup(s.Close)
	o.address = s.Listener.Addr().String()
	return o
}

// TestS08HostHeader: hosts find the upstreams of their name, whatever their case and port; what
// nobody knows is answered 404, or as a route for every other host says.
func TestS08HostHeader(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	s := newSlardar(t)
	s.post("imageinfo", "{"+servers(a.address)+"}")
	s.post("imgprocess", "{"+servers(b.address)+"}")
	s.serves("imageinfo", 200, "a")
	s.serves("imgprocess", 200, "b")
	s.serves("ImageInfo:8080", 200, "a")
	s.serves("imgprocess.", 200, "b")
	if _, status := s.answeredBy("imgother"); status != 404 {
		t.Errorf("an unknown host is answered %d", status)
	}
	rest := map[string]any{"kind": "Route", "name": "rest", "tenant": "upyun", "spec": map[string]any{
		"hosts": []string{"*"}, "filters": []any{map[string]any{"respond": map[string]any{"status": 502}}}}}
	if err := s.api(http.MethodPut, "/tenants/upyun/routes/rest", rest, nil); err != nil {
		t.Fatal(err)
	}
	s.serves("imgother", 502, "")
	s.serves("imageinfo", 200, "a")
}

// TestS09NoReload: lists are replaced under constant load: no failed request, the same process,
// and the new server has traffic within a second.
func TestS09NoReload(t *testing.T) {
	a, b, c := newOrigin(t, "a"), newOrigin(t, "b"), newOrigin(t, "c")
	s := newSlardar(t)
	s.post("api", "{"+servers(a.address)+"}")
	s.serves("api", 200, "a")
	started := s.startTime()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan load.Result, 1)
	go func() {
		done <- load.Run(ctx, load.Config{URL: "http://" + s.http + "/", Host: "api", Conns: 8, RatePerSecond: 200, Duration: 2 * time.Minute, Timeout: 20 * time.Second})
	}()
	for i, list := range [][]*origin{{a, b}, {b, c}, {c}, {a, b, c}, {a}} {
		fresh := list[len(list)-1]
		before := fresh.asked.Load()
		var addresses []string
		for _, o := range list {
			addresses = append(addresses, o.address)
		}
		method := []string{http.MethodPost, http.MethodPut}[i%2]
		if r := s.curl(method, "/upstream/api", "{"+servers(addresses...)+"}"); r.Status != 200 {
			t.Fatalf("%+v", r)
		}
		took := until(t, 10*time.Second, "traffic", func() error {
			if fresh.asked.Load() == before {
				return fmt.Errorf("none")
			}
			return nil
		})
		fmt.Printf("figure slardar_update_to_traffic_ms %.0f ms goal 1000\n", float64(took.Microseconds())/1000)
	}
	stop()
	if r := <-done; r.Failures > 0 || r.Closed > 0 || r.Requests == 0 {
		t.Errorf("%s", r)
	}
	if s.startTime() != started {
		t.Error("another process")
	}
}

// configVersion reads it from the status page.
func (s slardar) configVersion() (n int) {
	s.t.Helper()
	if err := json.Unmarshal(s.status()["shd_config_version"], &n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestS13ConfigVersion: one for each change that is made, none for what fails or changes
// nothing.
func TestS13ConfigVersion(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	s := newSlardar(t)
	before := s.configVersion()
	s.post("api", "{"+servers(a.address)+"}")
	s.post("api", "{"+servers(b.address)+"}")
	s.post("api", "{"+servers(b.address)+"}")
	if r := s.curl(http.MethodPost, "/upstream/api", `{"servers":[]}`); r.Status != 400 {
		t.Errorf("%+v", r)
	}
	if r := s.curl(http.MethodDelete, "/upstream/other", ""); r.Status != 400 {
		t.Errorf("%+v", r)
	}
	s.serves("api", 200, "b")
	want := func(n int) {
		t.Helper()
		until(t, 10*time.Second, "version", func() error {
			if got := s.configVersion() - before; got != n {
				return fmt.Errorf("%d more, want %d", got, n)
			}
			return nil
		})
	}
	want(2)
	if r := s.curl(http.MethodDelete, "/upstream/api", ""); r.Status != 200 {
		t.Errorf("%+v", r)
	}
	want(3)
}

// TestS15SurvivesRestart: an instance that is killed right after an update has the new
// list when it is back.
func TestS15SurvivesRestart(t *testing.T) {
	a, b := newOrigin(t, "a"), newOrigin(t, "b")
	s := newSlardar(t)
	s.post("api", `{"timeout":3,`+servers(a.address)+"}")
	s.serves("api", 200, "a")
	s.post("api", "{"+servers(b.address)+"}")
	s.kill()
	s.launch()
	s.serves("api", 200, "b")
	s.becomes("api", "ok")
	before := a.asked.Load()
	for range 20 {
		s.serves("api", 200, "b")
	}
	if a.asked.Load() != before {
		t.Error("the old server has traffic after the restart")
	}
}
