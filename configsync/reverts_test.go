package configsync

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// startDesk is a desk whose controller runs until it is stopped.
func startDesk(t *testing.T, s *shelf, name string) (e *desk, stop func()) {
	e = newDeskWith(t, sharer{s, name})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = e.Run(ctx) })
	synctest.Wait()
	return e, func() { cancel(); done.Wait() }
}

// kept is what the store has.
func (s *shelf) kept(t *testing.T) (list []revert) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(s.value, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// tell is a sync of an agent that has heard and carried out what the digests are of.
func (e *desk) tell(node, heard, carried string) *protocol.Settle {
	e.t.Helper()
	e.mu.Lock()
	r := e.fleets["shared"].nodes[node].report
	e.mu.Unlock()
	out, err := e.sync(e.t.Context(), protocol.SyncRequest{Report: r, Settled: heard, Carried: carried})
	if err != nil {
		e.t.Fatal(err)
	}
	return out.Settle
}

const byHandText = "proxy_read_timeout 5m;"

// TestRevertOutlivesControlPlane: what was asked for while the agent was away is said to it by a
// control plane that was started since, and by no other one once it is done.
func TestRevertOutlivesControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		before, stop := startDesk(t, s, "a")
		_, hunks := before.report(serverPath, "proxy_read_timeout 60s;", byHandText)
		if _, err := before.Revert(t.Context(), "shared", hunks[0].ID, nil, "alice"); err != nil {
			t.Fatal(err)
		}
		if list := s.kept(t); len(list) != 1 || list[0].By != "alice" || !list[0].At.Equal(before.now) || !slices.Equal(list[0].Nodes, []string{"edge-1"}) {
			t.Errorf("the store has %+v", list)
		}
		stop()

		p, stopP := startDesk(t, s, "a")
		q, stopQ := startDesk(t, s, "b")
		for _, e := range []*desk{p, q} {
			e.report(serverPath, "proxy_read_timeout 60s;", byHandText)
			if h, err := e.Hunk("shared", hunks[0].ID); err != nil || !h.On[0].Asked {
				t.Errorf("%v: the hunk is %+v", err, h)
			}
		}
		told := p.tell("edge-1", "", "")
		if told == nil || !slices.Equal(told.Revert, []string{hunks[0].ID}) {
			t.Fatalf("settle %+v", told)
		}
		if after := q.tell("edge-1", told.Digest, told.Digest); after == nil || after.Digest != "" {
			t.Errorf("told by one and done at the other: %+v", after)
		}
		time.Sleep(2 * sweepEvery)
		if list := s.kept(t); len(list) != 0 {
			t.Errorf("it is done, and the store has %+v", list)
		}
		if again := p.tell("edge-1", "", ""); again != nil {
			t.Errorf("it is done, and asked for again: %+v", again)
		}
		stopP()
		stopQ()
	})
}

// TestRevertIsKeptForADay: a node that comes back later is not asked for an old edit.
func TestRevertIsKeptForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e, stop := startDesk(t, s, "a")
		_, hunks := e.report(serverPath, "proxy_read_timeout 60s;", byHandText)
		if _, err := e.Revert(t.Context(), "shared", hunks[0].ID, nil, "alice"); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			after time.Duration
			asked bool
		}{{23 * time.Hour, true}, {25 * time.Hour, false}} {
			e.mu.Lock()
			e.now = e.roster.since.Add(row.after)
			e.mu.Unlock()
			if told := e.tell("edge-1", "", ""); (told != nil) != row.asked {
				t.Errorf("after %s: settle %+v", row.after, told)
			}
			time.Sleep(2 * sweepEvery)
			synctest.Wait()
			if list := s.kept(t); len(list) == 1 != row.asked {
				t.Errorf("after %s the store has %+v", row.after, list)
			}
		}
		stop()
	})
}

// mainFile has a node report and upload its nginx.conf.
func (e *desk) mainFile(node, text string) protocol.SyncResponse {
	e.t.Helper()
	r := gateway.NodeReport{Fleet: "shared", Node: node, Facts: e.facts, Fingerprint: "f" + text}
	out := mustSync(e.t, e.Controller, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	tree := &protocol.NodeTree{Fingerprint: r.Fingerprint, Files: []protocol.NodeFile{{Path: e.facts.ConfPath, Data: []byte(text)}}}
	if err := e.keepTree(e.fleets["shared"].nodes[node], tree); err != nil {
		e.t.Fatal(err)
	}
	e.wantFiles("shared")
	return out
}

// TestRevertOutsideOutlivesControlPlane: a file outside of the rendered tree is made anew once
// enough nodes have said what most of them have, and is sent once.
func TestRevertOutsideOutlivesControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, mine = "worker_processes 2;\n", "worker_processes 2;\nworker_priority 5;\n"
		s := newShelf()
		e, stop := startDesk(t, s, "a")
		for node, text := range map[string]string{"edge-1": mine, "edge-2": most, "edge-3": most} {
			e.mainFile(node, text)
		}
		groups, err := e.Groups("shared")
		if err != nil || len(groups.Groups) != 2 || len(groups.Groups[1].Hunks) != 1 {
			t.Fatalf("%v %+v", err, groups)
		}
		id := groups.Groups[1].Hunks[0].ID
		if _, err := e.Revert(t.Context(), "shared", id, nil, "alice"); err != nil {
			t.Fatal(err)
		}
		stop()

		e, stop = startDesk(t, s, "a")
		e.mainFile("edge-1", mine)
		time.Sleep(2 * sweepGap)
		if told := e.tell("edge-1", "", ""); told != nil {
			t.Errorf("nobody knows what most nodes have, and it is told %+v", told)
		}
		e.mainFile("edge-2", most)
		e.mainFile("edge-3", most)
		time.Sleep(2 * sweepGap)
		told := e.tell("edge-1", "", "")
		if told == nil || len(told.Files) != 1 || strings.Contains(string(told.Files[0].Data), "worker_priority") || told.Files[0].Path != e.facts.ConfPath || !slices.Equal(told.Files[0].Hunks, []string{id}) {
			t.Fatalf("settle %+v", told)
		}
		e.mainFile("edge-1", most)
		time.Sleep(2 * sweepGap)
		if after := e.tell("edge-1", told.Digest, told.Digest); after == nil || after.Digest != "" {
			t.Errorf("after it was carried out: %+v", after)
		}
		time.Sleep(2 * sweepGap)
		if list := s.kept(t); len(list) != 0 {
			t.Errorf("the store has %+v", list)
		}
		stop()
	})
}

// TestRevertNeedsStore: what can't be kept is refused, not forgotten.
func TestRevertNeedsStore(t *testing.T) {
	e := newDeskWith(t, sharer{newShelf(), "a"}) // it does not run, as while the store is away
	_, hunks := e.report(serverPath, "proxy_read_timeout 60s;", byHandText)
	if _, err := e.Revert(t.Context(), "shared", hunks[0].ID, nil, "alice"); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if told := e.tell("edge-1", "", ""); told != nil {
		t.Errorf("it was refused, and is asked for: %+v", told)
	}
}
