package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// An etcd prefix that is wiped loses nothing as long as the endpoints answer, and somebody is
// told; what a person accepts is gone at once.
func TestWipedPrefix(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	client, ctx := cluster.Client(t), context.Background()
	s := configure(t, fmt.Sprintf("store: {etcd: {endpoints: [%q]}}\nobjects: [%s]\n", cluster.Config().Etcd.Endpoints[0],
		objectFile(t, fmt.Sprintf(discovered, "{etcd: {prefix: /services/api/}}"))))
	for _, name := range []string{"one", "two", "three"} {
		if _, err := client.Put(ctx, "/services/api/"+name, fmt.Sprintf(`{"address": %q}`, backend(t, name, ""))); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	served := func() error {
		if _, status := s.answeredBy("shop.example.com"); status != 200 {
			return fmt.Errorf("status %d", status)
		}
		return nil
	}
	until(t, 30*time.Second, "traffic", served)
	if _, err := client.Delete(ctx, "/services/api/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	var problems struct {
		Items []struct{ Code, Message string }
	}
	until(t, 30*time.Second, "a problem", func() error {
		if err := s.api("GET", "/problems", nil, &problems); err != nil {
			return err
		}
		for _, p := range problems.Items {
			if p.Code == "shrink_held" && strings.Contains(p.Message, "lost 3 of 3") {
				return nil
			}
		}
		return fmt.Errorf("problems %v", problems.Items)
	})
	for range 100 {
		if err := served(); err != nil {
			t.Fatal(err)
		}
	}
	expectShrink(t, s)
	until(t, 30*time.Second, "no endpoint", func() error {
		if _, status := s.answeredBy("shop.example.com"); status != 503 {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
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
