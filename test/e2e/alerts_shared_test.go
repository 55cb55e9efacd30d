package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// An endpoint fails for two edges on one store, and the receiver hears of it once; also of its
// end, although the edge that had told of it is killed meanwhile.
func TestTwoEdgesTellOnce(t *testing.T) {
	p := startAlertPair(t, 0)
	first, second, hook, id := p.first, p.second, p.hook, p.id
	lists := func(s *instance, nodes string) {
		t.Helper()
		until(t, time.Minute, "alerts of "+nodes, func() error {
			p.ask(first, second)
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

	p.order("status=502&health=fail")
	lists(first, "edge-1, edge-2")
	lists(second, "edge-1, edge-2")
	until(t, time.Minute, "the beginning", func() error {
		if len(hook.told(gateway.AlertEndpointOut, false)) == 0 {
			return fmt.Errorf("not heard")
		}
		return nil
	})
	until(t, time.Minute, "the word that it is told", func() error { // three seconds after it is, at the next look
		if one := p.notice("edge-1"); !strings.Contains(one, id+" warning") {
			return fmt.Errorf("%s", one)
		}
		return nil
	})
	time.Sleep(time.Second) // the other one reads it
	first.kill()
	lists(second, "edge-2") // its lease has run out
	if began, over := hook.told(gateway.AlertEndpointOut, false), hook.told(gateway.AlertEndpointOut, true); len(began) != 1 || len(over) != 0 {
		t.Errorf("told of the beginning %+v, of the end %+v", began, over)
	}
	p.order("heal=1")
	until(t, time.Minute, "the end", func() error {
		p.ask(second)
		if over := hook.told(gateway.AlertEndpointOut, true); len(over) != 1 || !strings.HasPrefix(over[0].ID, id) {
			return fmt.Errorf("%+v", over)
		}
		return nil
	})
	if began := hook.told(gateway.AlertEndpointOut, false); len(began) != 1 {
		t.Errorf("told of the beginning %d times: %+v", len(began), began)
	}
}
