package main

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestNodeNote(t *testing.T) {
	now := time.Unix(1e9, 0)
	load := func(l gateway.NodeLoad) gateway.Node {
		return gateway.Node{NodeReport: gateway.NodeReport{NodeLoad: l}}
	}
	failed := load(gateway.NodeLoad{Reason: gateway.ReasonOrphans, Orphans: []int{1, 2}})
	failed.Failed = &gateway.ApplyFailure{Step: "verify", Message: "nginx is not running"}
	broken := load(gateway.NodeLoad{Reason: gateway.ReasonWouldNotStart})
	broken.CheckError = "unknown directive"
	for want, n := range map[string]gateway.Node{
		"its certificates are revoked; `sluice fleet token f --node n` takes it back; not heard since the control plane was started": {State: gateway.NodeSilent, Revoked: true, NodeReport: gateway.NodeReport{Fleet: "f", Node: "n"}},
		"":                                    {},
		"edited on disk, not loaded by nginx": load(gateway.NodeLoad{Reason: gateway.ReasonNotLoaded}),
		"edited by hand, and nginx has loaded it": load(gateway.NodeLoad{Reason: gateway.ReasonHandEdit}),
		"nginx does not run":                      load(gateway.NodeLoad{Reason: gateway.ReasonNotRunning}),
		"nginx's master was killed, 2 workers serve on: start nginx; verify failed: nginx is not running": failed,
		"nginx would not start: unknown directive":                                                        broken,
		"nginx 1.22.1 runs, its binary was replaced: restart nginx":                                       load(gateway.NodeLoad{Reason: gateway.ReasonBinaryReplaced, RunningVersion: "1.22.1"}),
		"its clock is off by 1h0m0s":                                                                      load(gateway.NodeLoad{Reason: gateway.ReasonClock, ClockOff: gateway.Duration(time.Hour)}),
		"3 workers still drain, the oldest for 1m0s: reloads every 20s":                                   load(gateway.NodeLoad{DrainingWorkers: 3, OldestDraining: now.Add(-time.Minute), ReloadEvery: gateway.Duration(20 * time.Second)}),
		"after a crash: it is finished now":                                                               load(gateway.NodeLoad{Recovered: &gateway.Recovery{Action: gateway.RecoveryFinished, Message: "it is finished now"}}),
	} {
		if got := nodeNote(n, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
