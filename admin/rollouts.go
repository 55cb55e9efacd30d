package admin

import (
	"context"
	"fmt"
	"reflect"
	"strconv"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// ListRollouts lists the rollouts of a fleet.
func (s *server) ListRollouts(_ context.Context, r api.ListRolloutsRequestObject) (api.ListRolloutsResponseObject, error) {
	list, err := s.Fleets.Rollouts(r.Fleet)
	if err != nil {
		return nil, err
	}
	return api.ListRollouts200JSONResponse{Items: full(list)}, nil
}

// GetRollout reads a rollout.
func (s *server) GetRollout(_ context.Context, r api.GetRolloutRequestObject) (api.GetRolloutResponseObject, error) {
	var revision uint64
	if r.Rollout != "current" {
		var err error
		if revision, err = strconv.ParseUint(r.Rollout, 10, 64); err != nil || revision == 0 {
			return nil, fmt.Errorf("rollout %q: %w: write current, or the number of a revision from 1", r.Rollout, gateway.ErrInvalid)
		}
	}
	rollout, err := s.Fleets.Rollout(r.Fleet, revision)
	return api.GetRollout200JSONResponse(rollout), err
}

// ActOnRollout pauses, resumes, aborts or promotes the last rollout.
func (s *server) ActOnRollout(ctx context.Context, r api.ActOnRolloutRequestObject) (api.ActOnRolloutResponseObject, error) {
	who, _ := auth.From(ctx)
	rollout, err := s.Fleets.Act(ctx, r.Fleet, gateway.RolloutAction(r.Action), who.Name)
	if err == nil {
		s.Log.Info("a rollout was acted on", "fleet", r.Fleet, "action", r.Action, "who", who.Name, "revision", rollout.Revision, "state", rollout.State)
	}
	return api.ActOnRollout200JSONResponse(rollout), err
}

// lastRollouts are the last ones of all fleets that have had any.
func (st *stream) lastRollouts() map[string]gateway.Rollout {
	all := map[string]gateway.Rollout{}
	for _, f := range st.snap.Fleets {
		if r, err := st.Fleets.Rollout(f.Name, 0); err == nil {
			all[f.Name] = r
		}
	}
	return all
}

// lookAtRollouts sends those that changed.
func (st *stream) lookAtRollouts() error {
	now := st.lastRollouts()
	for _, f := range st.snap.Fleets {
		r, ok := now[f.Name]
		if old, known := st.rollouts[f.Name]; !ok || known && reflect.DeepEqual(old, r) {
			continue
		}
		if err := st.send("rollout", "", r); err != nil {
			return err
		}
	}
	st.rollouts = now
	return nil
}
