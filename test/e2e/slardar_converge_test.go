package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/store/storetest"
)

// TestS14Converge: what is written at one instance is served by all, within Slardar's sync
// interval of a second; one that is away meanwhile has it when it is back.
func TestS14Converge(t *testing.T) {
	a, b, c := newOrigin(t, "a"), newOrigin(t, "b"), newOrigin(t, "c")
	etcd := storetest.StartCluster(t, storetest.Options{Members: 1}).Endpoints[0]
	one := configure(t, "objects: ["+objectFile(t, "kind: Tenant\nname: upyun\nspec: {hosts: ['*']}")+"]\n").named("edge-1", etcd)
	one.start()
	two := configure(t, "").named("edge-2", etcd)
	two.launch()
	t.Cleanup(func() { two.kill() })
	write := func(o *origin) {
		t.Helper()
		body := "{" + servers(o.address) + "}"
		req, err := http.NewRequest(http.MethodPost, "http://"+one.admin+"/compat/slardar/upstream/api?tenant=upyun", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", body, resp.Status)
		}
	}
	served := func(s *instance, by string) time.Duration {
		t.Helper()
		return until(t, 10*time.Second, "served by "+by, func() error {
			if name, status := s.answeredBy("api"); name != by || status != http.StatusOK {
				return fmt.Errorf("%d by %q", status, name)
			}
			return nil
		})
	}
	write(a)
	served(one, "a")
	served(two, "a")
	write(b)
	fmt.Printf("figure slardar_converged_ms %.0f ms goal 1000\n", float64(served(two, "b").Microseconds())/1000)
	served(one, "b")
	two.kill()
	write(c)
	two.launch()
	served(two, "c")
	served(one, "c")
}
