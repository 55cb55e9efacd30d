package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// nodeNote says in words what is wrong with a node, and what its agent went through.
func nodeNote(n gateway.Node, now time.Time) string {
	var notes []string
	if n.Revoked {
		notes = append(notes, "its certificates are revoked; `sluice fleet token "+n.Fleet+" --node "+n.Node+"` takes it back")
	}
	if n.State == gateway.NodeSilent && n.ReportedAt.IsZero() {
		notes = append(notes, "not heard since the control plane was started")
	}
	switch n.Reason {
	case gateway.ReasonNotLoaded:
		notes = append(notes, "edited on disk, not loaded by nginx")
	case gateway.ReasonHandEdit:
		notes = append(notes, "edited by hand, and nginx has loaded it")
	case gateway.ReasonOrphans:
		notes = append(notes, fmt.Sprintf("nginx's master was killed, %d workers serve on: start nginx", len(n.Orphans)))
	case gateway.ReasonNotRunning:
		notes = append(notes, "nginx does not run")
	case gateway.ReasonBinaryReplaced:
		notes = append(notes, fmt.Sprintf("nginx %s runs, its binary was replaced: restart nginx", n.RunningVersion))
	}
	if n.Allowed > 0 {
		notes = append(notes, fmt.Sprintf("%d allowed by hand", n.Allowed))
	}
	if n.Failed != nil {
		notes = append(notes, fmt.Sprintf("%s failed: %s", n.Failed.Step, n.Failed.Message))
	}
	if n.CheckError != "" {
		notes = append(notes, "nginx would not start: "+n.CheckError)
	}
	if off := n.ClockOff.Std(); off != 0 {
		notes = append(notes, fmt.Sprintf("its clock is off by %s", off))
	}
	if n.ReloadEvery > 0 {
		notes = append(notes, fmt.Sprintf("%d workers still drain, the oldest for %s: reloads every %s", n.DrainingWorkers, now.Sub(n.OldestDraining).Round(time.Second), n.ReloadEvery.Std()))
	}
	if r := n.Recovered; r != nil && r.Action != gateway.RecoveryNothing {
		notes = append(notes, "after a crash: "+r.Message)
	}
	return strings.Join(notes, "; ")
}
