package e2e

import (
	"fmt"
	"net/http"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// alertPair is two edges on one store that tell one receiver. The first leads.
type alertPair struct {
	t             *testing.T
	first, second *instance
	hook          *webhook
	board         *clientv3.Client
	bad           string // the address of the endpoint that is to fail
	id            string // of the alert that it is out
}

// startAlertPair starts both. The receiver refuses the first messages.
func startAlertPair(t *testing.T, refused int) *alertPair {
	t.Helper()
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1})
	etcd := cluster.Endpoints[0]
	addresses := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	hook := newWebhook(t, refused)
	receivers := fmt.Sprintf("alerts: {receivers: [{name: ops, type: json, url: %q}]}\n", hook.URL)
	first := configure(t, receivers).named("edge-1", etcd)
	first.launch()
	t.Cleanup(first.kill)
	if out, err := first.command("apply", "-f", objectFile(t, shopOf(addresses...))); err != nil {
		t.Fatal(err, out)
	}
	second := configure(t, receivers).named("edge-2", etcd)
	second.start()
	return &alertPair{t, first, second, hook, cluster.Client(t), addresses[0], "endpoint_out/acme/api/" + addresses[0]}
}

// order tells the endpoint that is to fail how to answer.
func (p *alertPair) order(query string) {
	p.t.Helper()
	resp, err := http.Post("http://"+p.bad+"/_control?"+query, "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// ask sends requests through edges.
func (p *alertPair) ask(edges ...*instance) {
	for range 20 {
		for _, s := range edges {
			s.answeredBy("shop.example.com")
		}
	}
}

// notice is what an edge shows the other, or why that can't be read.
func (p *alertPair) notice(node string) string {
	p.t.Helper()
	r, err := p.board.Get(p.t.Context(), "/sluice/v1/notices/alerts/"+node+"/", clientv3.WithPrefix())
	if err != nil || len(r.Kvs) != 1 {
		return fmt.Sprintf("%v %v", err, r)
	}
	return string(r.Kvs[0].Value)
}
