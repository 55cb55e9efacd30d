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
	var settled struct{ Endpoints int }
	if err := s.api("POST", "/tenants/acme/upstreams/api/shrink", map[string]string{"action": "accept"}, &settled); err != nil || settled.Endpoints != 3 {
		t.Fatalf("%+v, %v", settled, err)
	}
	until(t, 30*time.Second, "no endpoint", func() error {
		if _, status := s.answeredBy("shop.example.com"); status != 503 {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
}
