package health_test

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/health"
)

// A tracker is told what happens and when; it answers with the verdicts that change.
func ExampleTracker() {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	t := health.NewTracker(gateway.UpstreamKey{Tenant: "acme", Name: "api"}, "edge-1", func() float64 { return 0.5 })
	t.Configure(now, gateway.EffectiveCheck{Passive: &gateway.PassiveCheck{ConsecutiveGatewayErrors: 2}},
		[]gateway.Endpoint{{Address: "10.0.0.4:80", Weight: 1}, {Address: "10.0.0.5:80", Weight: 1}})

	tell := func(vs []gateway.Verdict) {
		for _, v := range vs {
			fmt.Println(v.Since.Format(time.TimeOnly), v.Address, v.State, "-", v.Reason)
		}
	}
	bad := gateway.Outcome{EndpointKey: gateway.EndpointKey{Address: "10.0.0.4:80"}, At: now, Status: 502}
	tell(t.Request(now, bad))
	tell(t.Request(now.Add(time.Second), bad))
	for t.Next().Before(now.Add(32 * time.Second)) {
		tell(t.Advance(t.Next()))
	}
	// Output:
	// 03:00:01 10.0.0.4:80 ejected - 2 gateway errors in a row, last: 502
	// 03:00:31 10.0.0.4:80 probation - the ejection is over: trial requests decide
}
