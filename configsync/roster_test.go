package configsync

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestRoster: a node that has enrolled is in the lists from the start, also when its agent never
// reports to this control plane.
func TestRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		c.Apply(testSnapshot([]string{"shared", "other"}, "10.0.0.1:80", ""))
		peer := func(fleet, node string) protocol.Peer { return protocol.Peer{Fleet: fleet, Node: node} }
		c.Enrolled(map[protocol.Peer]bool{peer("shared", "n1"): false, peer("shared", "n2"): false, peer("shared", "n3"): true, peer("gone", "n4"): false, peer("gone", "n5"): true})
		mustSync(t, c, report("n2"))
		list := func() string {
			nodes, err := c.Nodes("shared")
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, n := range nodes {
				out = append(out, fmt.Sprintf("%s %s revoked %v awaited %v", n.Node, n.State, n.Revoked, c.Awaited(&n)))
			}
			return strings.Join(out, ", ")
		}
		if got, want := list(), "n1 silent revoked false awaited true, n2 rolling revoked false awaited false, n3 silent revoked true awaited true"; got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if n, err := c.Node("shared", "n1"); err != nil || n.State != gateway.NodeSilent || !n.ReportedAt.IsZero() {
			t.Errorf("%v %+v", err, n)
		}
		if text := metricsOf(t, c); !strings.Contains(text, `sluice_fleet_nodes{fleet="shared",state="silent"} 0`) {
			t.Errorf("missed before its time:\n%s", text)
		}
		time.Sleep(silentAfter + time.Second)
		mustSync(t, c, report("n1"))
		mustSync(t, c, report("n2"))
		c.Enrolled(map[protocol.Peer]bool{peer("shared", "n1"): false, peer("shared", "n2"): true, peer("shared", "n3"): true, peer("gone", "n4"): false})
		if got, want := list(), "n1 rolling revoked false awaited false, n2 rolling revoked true awaited false, n3 silent revoked true awaited false"; got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if text := metricsOf(t, c); !strings.Contains(text, `sluice_fleet_nodes{fleet="shared",state="silent"} 1`) {
			t.Errorf("not missed:\n%s", text)
		}
		problems := c.Problems()
		if len(problems) != 1 || problems[0].Code != "fleet_missing" || problems[0].Object.Name != "gone" || !strings.Contains(problems[0].Message, "1 enrolled nodes go on with what they have: n4.") {
			t.Errorf("problems %+v", problems)
		}
		c.Enrolled(map[protocol.Peer]bool{peer("shared", "n1"): false})
		if got, want := list(), "n1 rolling revoked false awaited false, n2 rolling revoked false awaited false"; got != want {
			t.Errorf("forgotten: got %s\nwant %s", got, want)
		}
	})
}
