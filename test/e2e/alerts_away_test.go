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

// The receiver is away when an endpoint fails, and when the edge that tells is killed. When it is
// back it hears of the beginning, by the other edge; then of the end.
func TestAlertsOutliveTheEdgeThatTells(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	etcd, board := cluster.Endpoints[0], cluster.Client(t)
	addresses := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	hook := newWebhook(t, 1_000_000)
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
	notice := func(node string) string {
		t.Helper()
		r, err := board.Get(t.Context(), "/sluice/v1/notices/alerts/"+node+"/", clientv3.WithPrefix())
		if err != nil || len(r.Kvs) != 1 {
			return fmt.Sprintf("%v %v", err, r)
		}
		return string(r.Kvs[0].Value)
	}
	id := "endpoint_out/acme/api/" + addresses[0]
	ask := func(of ...*instance) {
		for range 20 {
			for _, s := range of {
				s.answeredBy("shop.example.com")
			}
		}
	}

	order("status=502&health=fail")
	until(t, time.Minute, "both find it, and the first has shown that it told, and that nobody took it", func() error {
		ask(first, second)
		one, two := notice("edge-1"), notice("edge-2")
		if !strings.Contains(one, `"told":["`+id) || !strings.Contains(one, `"owed":[{`) || !strings.Contains(two, id) || strings.Contains(two, `"owed"`) {
			return fmt.Errorf("%s\n%s", one, two)
		}
		return nil
	})
	time.Sleep(time.Second) // the other one reads it
	first.kill()
	until(t, time.Minute, "the other one has inherited it", func() error {
		if two := notice("edge-2"); !strings.Contains(two, `"owed":[{`) {
			return fmt.Errorf("%s\n%s", two, second.log)
		}
		return nil
	})
	hook.mu.Lock()
	hook.failed = 0
	hook.mu.Unlock()
	until(t, 2*time.Minute, "the beginning", func() error {
		if began := hook.told(gateway.AlertEndpointOut, false); len(began) != 1 || began[0].ID != id {
			return fmt.Errorf("%+v", began)
		}
		return nil
	})
	order("heal=1")
	until(t, 2*time.Minute, "the end", func() error {
		ask(second)
		if over := hook.told(gateway.AlertEndpointOut, true); len(over) != 1 || over[0].ID != id {
			return fmt.Errorf("%+v", over)
		}
		return nil
	})
	if began := hook.told(gateway.AlertEndpointOut, false); len(began) != 1 {
		t.Errorf("told of the beginning %d times: %+v", len(began), began)
	}
}
