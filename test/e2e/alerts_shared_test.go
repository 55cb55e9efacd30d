package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// An endpoint fails for two edges on one store, and the receiver hears of it once; also of its
// end, although the edge that had told of it is killed meanwhile.
func TestTwoEdgesTellOnce(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	etcd, board := cluster.Endpoints[0], cluster.Client(t)
	addresses := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	hook := newWebhook(t, 0)
	receivers := fmt.Sprintf("alerts: {receivers: [{name: ops, type: json, url: %q}]}\n", hook.URL)
	first := configure(t, receivers).named("edge-1", etcd)
	first.launch()
	t.Cleanup(first.kill)
	if out, err := first.command("apply", "-f", objectFile(t, shopOf(addresses...))); err != nil {
		t.Fatal(err, out)
	}
	second := configure(t, receivers).named("edge-2", etcd)
	second.start()
	order := func(query string) {
		t.Helper()
		resp, err := http.Post("http://"+addresses[0]+"/_control?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	id := "endpoint_out/acme/api/" + addresses[0]
	lists := func(s *instance, nodes string) {
		t.Helper()
		until(t, time.Minute, "alerts of "+nodes, func() error {
			for range 20 {
				first.answeredBy("shop.example.com")
				second.answeredBy("shop.example.com")
			}
			var list struct{ Items []gateway.Alert }
			if err := s.api(http.MethodGet, "/alerts", nil, &list); err != nil {
				return err
			}
			for _, a := range list.Items {
				if a.ID == id && a.Node == nodes {
					return nil
				}
			}
			return fmt.Errorf("%+v", list.Items)
		})
	}

	order("status=502&health=fail")
	lists(first, "edge-1, edge-2")
	lists(second, "edge-1, edge-2")
	until(t, time.Minute, "the beginning", func() error {
		if len(hook.told(gateway.AlertEndpointOut, false)) == 0 {
			return fmt.Errorf("not heard")
		}
		return nil
	})
	until(t, time.Minute, "the word that it is told", func() error { // three seconds after it is, at the next look
		r, err := board.Get(t.Context(), "/sluice/v1/notices/alerts/edge-1/", clientv3.WithPrefix())
		if err == nil && (len(r.Kvs) != 1 || !strings.Contains(string(r.Kvs[0].Value), id+" warning")) {
			err = fmt.Errorf("%+v", r.Kvs)
		}
		return err
	})
	time.Sleep(time.Second) // the other one reads it
	first.kill()
	lists(second, "edge-2") // its lease has run out
	if began, over := hook.told(gateway.AlertEndpointOut, false), hook.told(gateway.AlertEndpointOut, true); len(began) != 1 || len(over) != 0 {
		t.Errorf("told of the beginning %+v, of the end %+v", began, over)
	}
	order("heal=1")
	until(t, time.Minute, "the end", func() error {
		for range 20 {
			second.answeredBy("shop.example.com")
		}
		if over := hook.told(gateway.AlertEndpointOut, true); len(over) != 1 || !strings.HasPrefix(over[0].ID, id) {
			return fmt.Errorf("%+v", over)
		}
		return nil
	})
	if began := hook.told(gateway.AlertEndpointOut, false); len(began) != 1 {
		t.Errorf("told of the beginning %d times: %+v", len(began), began)
	}
}
