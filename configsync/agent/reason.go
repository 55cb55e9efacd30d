package agent

import (
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// wrongClock is from where on a clock is worth a word in the node's summary.
const wrongClock = gateway.Duration(time.Minute)

// reasonFor sums a report up in one word; see the constants for their order.
func reasonFor(r gateway.NodeReport, desired string) gateway.NodeReason {
	if f := r.Failed; f != nil && f.Digest == desired {
		if reason := failureReason(f); reason != "" && !(reason == gateway.ReasonReloadFailed && r.Facts.PID == 0) {
			return reason
		}
	}
	edited := r.DesiredFingerprint != "" && r.Fingerprint != r.DesiredFingerprint || len(r.Drift) > 0
	switch {
	case r.Facts.PID == 0 && len(r.Orphans) > 0:
		return gateway.ReasonOrphans
	case r.Facts.PID == 0:
		return gateway.ReasonNotRunning
	case r.CheckError != "":
		return gateway.ReasonWouldNotStart
	case r.OnDisk == r.Running && r.Fingerprint != r.RunningFingerprint:
		return gateway.ReasonNotLoaded
	case edited && r.Fingerprint == r.RunningFingerprint:
		return gateway.ReasonHandEdit
	case r.RunningVersion != "":
		return gateway.ReasonBinaryReplaced
	case r.ClockOff >= wrongClock || r.ClockOff <= -wrongClock:
		return gateway.ReasonClock
	}
	return ""
}

func failureReason(f *gateway.ApplyFailure) gateway.NodeReason {
	switch {
	case strings.HasPrefix(f.Message, diskFullMessage):
		return gateway.ReasonDiskFull
	case f.Step == stepReload || f.Step == stepVerify:
		return gateway.ReasonReloadFailed
	}
	return gateway.ReasonCheckFailed
}
