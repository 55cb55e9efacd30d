package configsync

import (
	"cmp"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// allowedOn marks the hunks of a node's drift that may stay. It says how many there are, and
// whether anything else was edited.
func allowedOn(r gateway.NodeReport, list []*gateway.Allowance, now time.Time) (drift []gateway.FileDrift, allowed int, others bool) {
	for _, d := range r.Drift {
		hunks := make([]gateway.Hunk, len(d.Hunks))
		copy(hunks, d.Hunks)
		for i := range hunks {
			if hunks[i].Allowed = allowance(r.Fleet, r.Node, hunks[i].ID, list, now); hunks[i].Allowed != nil {
				allowed++
			} else {
				others = true
			}
		}
		others = others || len(hunks) == 0
		if d.Hunks = hunks; len(hunks) == 0 {
			d.Hunks = nil
		}
		drift = append(drift, d)
	}
	return drift, allowed, others
}

func allowance(fleet, node, hunk string, list []*gateway.Allowance, now time.Time) *gateway.HunkAllowed {
	for _, a := range list {
		if a.Allows(fleet, node, hunk, now) {
			return &gateway.HunkAllowed{By: cmp.Or(a.UpdatedBy, a.CreatedBy), Until: a.Spec.Until, Reason: a.Spec.Reason, Name: a.Name}
		}
	}
	return nil
}

// mismatch tells apart files that were edited and not loaded, and loaded and not desired.
func mismatch(r gateway.NodeReport, others bool) gateway.Mismatch {
	switch {
	case r.Facts.PID == 0 || r.OnDisk != r.Running || r.RunningFingerprint == "":
		return "" // the digests say it, or nothing is known
	case r.RunningFingerprint != r.Fingerprint:
		return gateway.MismatchDiskRunning
	case others:
		return gateway.MismatchRunningDesired
	}
	return ""
}
