package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The receiver is away when an endpoint fails, and when the edge that tells is killed. When it is
// back it hears of the beginning, by the other edge; then of the end.
func TestAlertsOutliveTheEdgeThatTells(t *testing.T) {
	p := startAlertPair(t, 1_000_000)
	first, second, hook, id := p.first, p.second, p.hook, p.id
	p.order("status=502&health=fail")
	until(t, time.Minute, "both find it, and the first has shown that it told, and that nobody took it", func() error {
		p.ask(first, second)
		one, two := p.notice("edge-1"), p.notice("edge-2")
		if !strings.Contains(one, `"told":["`+id) || !strings.Contains(one, `"owed":[{`) || !strings.Contains(two, id) || strings.Contains(two, `"owed"`) {
			return fmt.Errorf("%s\n%s", one, two)
		}
		return nil
	})
	time.Sleep(time.Second) // the other one reads it
	first.kill()
	until(t, time.Minute, "the other one has inherited it", func() error {
		if two := p.notice("edge-2"); !strings.Contains(two, `"owed":[{`) {
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
	p.order("heal=1")
	until(t, 2*time.Minute, "the end", func() error {
		p.ask(second)
		if over := hook.told(gateway.AlertEndpointOut, true); len(over) != 1 || over[0].ID != id {
			return fmt.Errorf("%+v", over)
		}
		return nil
	})
	if began := hook.told(gateway.AlertEndpointOut, false); len(began) != 1 {
		t.Errorf("told of the beginning %d times: %+v", len(began), began)
	}
}
