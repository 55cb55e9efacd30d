package admin_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// shipped is a rollout with everything in it.
func shipped(revision uint64, state gateway.RolloutState) gateway.Rollout {
	at := time.Unix(1700000000, 0).UTC()
	return gateway.Rollout{Fleet: "shared", Revision: revision, From: revision - 1, State: state, Reason: "The bake goes on.", Wave: 1, StartedAt: at, BakeUntil: at.Add(time.Minute),
		Objects: []gateway.Ref{{Kind: gateway.KindRoute, Tenant: "acme", Name: "all"}}, Authors: []string{"alice"}, LeftOut: []string{"edge-2"},
		Waves: []gateway.RolloutWave{{Size: gateway.Wave{Percent: 10}, Nodes: []string{"edge-1"}, Count: 1, StartedAt: at, RunningAt: at,
			Figures: &gateway.RolloutFigures{Changed: gateway.RolloutCounts{Nodes: 1, Requests: 90, Errors: 2, Exchanges: 91, ConnectErrors: 1}, Before: true}}}}
}

// Rollouts implements admin.Fleets.
func (f *fleets) Rollouts(fleet string) ([]gateway.Rollout, error) {
	if _, err := f.Nodes(fleet); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.rollouts), nil
}

// Rollout implements admin.Fleets.
func (f *fleets) Rollout(fleet string, revision uint64) (gateway.Rollout, error) {
	list, err := f.Rollouts(fleet)
	for _, r := range list {
		if revision == 0 || r.Revision == revision {
			return r, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("rollout %d: %w", revision, gateway.ErrNotFound)
	}
	return gateway.Rollout{}, err
}

// Act implements admin.Fleets.
func (f *fleets) Act(_ context.Context, fleet string, action gateway.RolloutAction, actor string) (gateway.Rollout, error) {
	r, err := f.Rollout(fleet, 0)
	if err != nil {
		return r, err
	}
	if action == gateway.RolloutPromote {
		return r, fmt.Errorf("promote the rollout: %w: there is no bake to skip", gateway.ErrConflict)
	}
	r.Paused, r.Reason = true, "Paused by "+actor+"."
	f.mu.Lock()
	f.rollouts[0] = r
	f.mu.Unlock()
	return r, nil
}

func TestRolloutOperations(t *testing.T) {
	w := newWorld(t, nil)
	w.fleets.rollouts = []gateway.Rollout{shipped(7, gateway.RolloutBaking), shipped(6, gateway.RolloutDone)}
	for _, c := range []scenario{
		{name: "list", what: "GET /api/v1/fleets/shared/rollouts", status: 200, has: []string{`"revision":7`, `"state":"done"`, `"size":"10%"`, `"authors":["alice"]`}},
		{name: "list of nothing", what: "GET /api/v1/fleets/none/rollouts", status: 404},
		{name: "current", what: "GET /api/v1/fleets/shared/rollouts/current", status: 200, has: []string{`"revision":7`, `"before":true`}},
		{name: "by number", what: "GET /api/v1/fleets/shared/rollouts/6", status: 200, has: []string{`"revision":6`}},
		{name: "no such number", what: "GET /api/v1/fleets/shared/rollouts/5", status: 404},
		{name: "no number", what: "GET /api/v1/fleets/shared/rollouts/last", status: 400, has: []string{`"field":"rollout"`}},
		{name: "number 0", what: "GET /api/v1/fleets/shared/rollouts/0", status: 400, has: []string{"from 1"}},
		{name: "pause", what: "POST /api/v1/fleets/shared/rollouts/current/pause", status: 200, has: []string{`"paused":true`, "Paused by admin."}},
		{name: "not now", what: "POST /api/v1/fleets/shared/rollouts/current/promote", status: 409, has: []string{"there is no bake to skip"}},
		{name: "not at all", what: "POST /api/v1/fleets/shared/rollouts/current/undo", status: 400, has: []string{`"field":"action"`}},
	} {
		c.run(t, w)
	}
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, spec.Paths.Find("/fleets/{fleet}/rollouts").Get, w.do("GET", "/api/v1/fleets/shared/rollouts", ""))
}

func TestRolloutEvents(t *testing.T) {
	w := newWorld(t, nil)
	w.must("PUT", "/api/v1/fleets/shared", `{"kind":"Fleet","name":"shared","spec":{}}`)
	srv := httptest.NewServer(w.handler)
	defer srv.Close()
	events, _ := follow(t, srv.URL, "")
	next(t, events, "snapshot")
	for _, state := range []gateway.RolloutState{gateway.RolloutRolling, gateway.RolloutBaking, gateway.RolloutFailed} {
		w.fleets.mu.Lock()
		w.fleets.rollouts = []gateway.Rollout{shipped(7, state)}
		w.fleets.mu.Unlock()
		if e := next(t, events, "rollout"); !strings.Contains(e, `"state":"`+string(state)+`"`) {
			t.Errorf("event: %s, want %s", e, state)
		}
	}
	close(w.done)
	for range events { // it ends, since the process shuts down
	}
}
