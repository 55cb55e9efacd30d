package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// wiping is a service with three instances in an etcd prefix.
type wiping struct {
	*instance
	etcd *clientv3.Client
	at   map[string]string // instances' names to their addresses
}

// put writes all instances in one event, with more of what they say about themselves.
func (w *wiping) put(more string) {
	w.t.Helper()
	var all []clientv3.Op
	for name, address := range w.at {
		all = append(all, clientv3.OpPut("/services/api/"+name, fmt.Sprintf(`{"address": %q%s}`, address, more)))
	}
	if _, err := w.etcd.Txn(context.Background()).Then(all...).Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wiping) wipe() {
	w.t.Helper()
	if _, err := w.etcd.Delete(context.Background(), "/services/api/", clientv3.WithPrefix()); err != nil {
		w.t.Fatal(err)
	}
}

// status says whether a request is answered with it.
func (w *wiping) status(want int) func() error {
	return func() error {
		if _, status := w.answeredBy("shop.example.com"); status != want {
			return fmt.Errorf("status %d", status)
		}
		return nil
	}
}

// alarm waits until people are told of the loss.
func (w *wiping) alarm() {
	w.t.Helper()
	until(w.t, 30*time.Second, "a problem", func() error {
		var problems struct {
			Items []struct{ Code, Message string }
		}
		if err := w.api("GET", "/problems", nil, &problems); err != nil {
			return err
		}
		for _, p := range problems.Items {
			if p.Code == "shrink_held" && strings.Contains(p.Message, "lost 3 of 3") {
				return nil
			}
		}
		return fmt.Errorf("problems %v", problems.Items)
	})
}

// An etcd prefix that is wiped loses nothing as long as the endpoints answer, not even by a
// restart meanwhile, and somebody is told; what a person accepts is gone at once, and so are
// instances that are said to be down.
func TestWipedPrefix(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	w := &wiping{etcd: cluster.Client(t), at: map[string]string{}}
	w.instance = configure(t, fmt.Sprintf("store: {etcd: {endpoints: [%q]}}\nobjects: [%s]\n", cluster.Config().Etcd.Endpoints[0],
		objectFile(t, fmt.Sprintf(discovered, "{etcd: {prefix: /services/api/}}"))))
	for _, name := range []string{"one", "two", "three"} {
		w.at[name] = backend(t, name, "")
	}
	w.put("")
	w.launch()
	t.Cleanup(func() { w.kill() })
	until(t, 30*time.Second, "traffic", w.status(200))
	w.wipe()
	wiped := time.Now()
	w.alarm()
	asked, failed := 0, 0
	for ; asked < 100 || time.Since(wiped) < min(outage(t), 55*time.Second); asked++ {
		if w.status(200)() != nil {
			failed++
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("figure wiped_prefix_failed %d errors goal 0\n", failed)
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, asked)
	}
	expectShrink(t, w.instance)
	until(t, 30*time.Second, "no endpoint", w.status(503))

	w.put("")
	until(t, 30*time.Second, "traffic again", w.status(200))
	until(t, 30*time.Second, "a local copy with the endpoints", func() error {
		text, err := os.ReadFile(filepath.Join(w.dir, "data", "local-copy"))
		if err == nil && !strings.Contains(string(text), w.at["three"]) {
			err = errors.New("they are not in it")
		}
		return err
	})
	w.kill()
	w.wipe()
	w.launch()
	w.alarm()
	if err := w.status(200)(); err != nil {
		t.Errorf("wiped while the node was away: %v", err)
	}

	w.put("")
	until(t, 30*time.Second, "no problem", func() error {
		var list struct{ Items []any }
		if err := w.api("GET", "/shrinks", nil, &list); err != nil || len(list.Items) > 0 {
			return fmt.Errorf("%v, %w", list.Items, err)
		}
		return nil
	})
	w.put(`, "status": "down"`)
	declared := time.Now()
	until(t, 30*time.Second, "a declared scale to zero", w.status(503))
	figure(t, "declared_zero_ms", []time.Duration{time.Since(declared)}, 0, 1000*time.Millisecond)
}

// expectShrink looks at three held endpoints as monitoring, the API and the command line do, and
// lets them go.
func expectShrink(t *testing.T, s *instance) {
	t.Helper()
	var list struct {
		Items []struct {
			Upstream     struct{ Tenant, Name string }
			Lost, Of     int
			Kept         []string
			Since, Until time.Time
		}
	}
	if err := s.api("GET", "/shrinks?tenant=acme", nil, &list); err != nil || len(list.Items) != 1 || list.Items[0].Upstream.Name != "api" ||
		list.Items[0].Lost != 3 || list.Items[0].Of != 3 || len(list.Items[0].Kept) != 3 || !list.Items[0].Until.After(list.Items[0].Since) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, metric := range []string{`sluice_shrink_held_endpoints{source="etcd",upstream="acme/api"} 3`, "sluice_shrink_holds_total 1"} {
		if text := s.metrics(); !strings.Contains(text, metric) {
			t.Errorf("%s is not in the metrics", metric)
		}
	}
	if out, err := s.command("upstream", "shrink"); err != nil || !strings.Contains(out, "acme/api") || !strings.Contains(out, "3 of 3") {
		t.Errorf("listed: %s", out)
	}
	if out, err := s.command("upstream", "shrink", "api", "hold", "--for", "2h"); err != nil || out != "api: 3 endpoints held\n" {
		t.Errorf("held: %s", out)
	}
	if out, err := s.command("upstream", "shrink", "acme/api", "accept"); err != nil || out != "acme/api: 3 endpoints let go\n" {
		t.Errorf("accepted: %s", out)
	}
	if text := s.metrics(); !strings.Contains(text, `sluice_shrink_holds_ended_total{how="accepted"} 1`) {
		t.Error("the end is not counted")
	}
}
