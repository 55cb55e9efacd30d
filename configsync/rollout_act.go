package configsync

import (
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// act does what a person says. It returns an error that says what is possible instead.
func (r *rolloutRecord) act(action gateway.RolloutAction, actor string, now time.Time) error {
	ro := r.Rollout
	none := func(why string) error { return fmt.Errorf("%s the rollout: %w: %s", action, gateway.ErrConflict, why) }
	switch {
	case ro == nil:
		return none("the fleet has had none yet")
	case action == gateway.RolloutResume && !r.active():
		if r.Refused == nil {
			return none(fmt.Sprintf("that of revision %d is %s, and nothing is left to roll out", ro.Revision, ro.State))
		}
		r.Refused = nil // the next step starts anew
		return nil
	case !r.active():
		return none(fmt.Sprintf("none is under way; that of revision %d is %s", ro.Revision, ro.State))
	}
	switch action {
	case gateway.RolloutPause:
		if ro.Paused {
			return none("it is paused already")
		}
		ro.Paused, ro.Reason = true, "Paused by "+actor+"."
	case gateway.RolloutResume:
		if !ro.Paused {
			return none("it is not paused")
		}
		ro.Paused, ro.Reason = false, "Resumed by "+actor+"."
	case gateway.RolloutAbort:
		r.back(gateway.RolloutAborted, "Aborted by "+actor+": the nodes that had the change go back.", now)
	case gateway.RolloutPromote:
		if ro.State != gateway.RolloutBaking {
			return none("the nodes of the wave do not run the change yet, so there is no bake to skip")
		}
		ro.BakeUntil, ro.Reason = now.UTC(), "The bake of wave "+fmt.Sprint(ro.Wave)+" was cut short by "+actor+"."
	default:
		return fmt.Errorf("action %q: %w: write pause, resume, abort or promote", action, gateway.ErrInvalid)
	}
	return nil
}
