package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// doom is what a helper process does: it is a whole agent, and dies at a point as soon as the
// file Armed is there.
type doom struct {
	Server, Token, Conf, Prefix, TreeDir, Listen string
	Verify                                       time.Duration
	Point                                        point
	Armed                                        string
	Binary                                       string
	Ahead                                        time.Duration // the clock's error
	Retry                                        time.Duration
}

func runDoomed(text string) {
	var d doom
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		panic(err)
	}
	cfg := Config{Server: d.Server, EnrolToken: d.Token, Fleet: "shared", Node: "edge-1", NginxBinary: d.Binary, NginxConf: d.Conf, NginxPrefix: d.Prefix, TreeDir: d.TreeDir,
		Listen: []string{d.Listen}, Sweep: time.Second, Coalesce: 20 * time.Millisecond, VerifyTimeout: d.Verify, RetryAfter: d.Retry,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	cfg.at = func(p point) {
		if p != d.Point {
			return
		}
		if _, err := os.Stat(d.Armed); err == nil {
			die()
		}
	}
	cfg.Now = func() time.Time { return time.Now().Add(d.Ahead) }
	if err := Run(context.Background(), cfg); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// clean expects that nothing half done is left.
func (f *fleet) clean() error {
	d := disk{root: f.TreeDir}
	var left []string
	for _, pattern := range []string{d.journal(), d.scratch(), filepath.Join(f.Dir, checkName), filepath.Join(f.Dir, leftName+"*"), filepath.Join(d.root, leftName+"*"), filepath.Join(d.root, "*", leftName+"*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	trees, err := os.ReadDir(filepath.Join(d.root, "trees"))
	if err != nil {
		return err
	}
	bundles, err := os.ReadDir(filepath.Join(d.root, "bundles"))
	if err != nil {
		return err
	}
	if len(left) > 0 || len(trees) > keepTrees+1 || len(bundles) > keepTrees+1 {
		return fmt.Errorf("left behind: %v, %d trees, %d bundles", left, len(trees), len(bundles))
	}
	return nil
}

// found is what the next life of an agent should say after it was killed at a point.
func foundAt(p point) gateway.RecoveryAction {
	switch order := slices.Index(forwardPoints, p); {
	case order < 0:
		return gateway.RecoveryUndone
	case order < slices.Index(forwardPoints, atJournal) || order >= slices.Index(forwardPoints, atJournalGone):
		return gateway.RecoveryNothing
	case order < slices.Index(forwardPoints, atFlipped):
		return gateway.RecoveryForgotten
	}
	return gateway.RecoveryFinished
}

// servesEither expects that nginx serves the bundle of one of two hosts. In the middle of a
// reload old and new workers answer, each host by its own.
func (f *fleet) servesEither(p point, old, fresh string) {
	f.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = f.answers(old, http.StatusBadGateway); err == nil || f.answers(fresh, http.StatusBadGateway) == nil {
			return
		}
		if !strings.Contains(err.Error(), "404") {
			break // nobody answers
		}
	}
	f.t.Errorf("%s: neither the old nor the new bundle is served: %v", p, err)
}

// TestKilledEverywhere kills a real agent with SIGKILL at every point of the way forward and
// back, one after the other on one node. Each time nginx would start and serves, half of the
// times it is restarted before the agent is; the next life says what it found, gets the node
// to what is desired, and leaves nothing behind.
func TestKilledEverywhere(t *testing.T) {
	f := newFleet(t)
	points := slices.Concat(forwardPoints, backPoints)
	host := f.want()
	f.run(points[0], patience)
	f.settles(host, nil)
	for range keepTrees { // so that there is something to prune
		host = f.want()
		f.settles(host, nil)
	}
	for i, p := range points {
		back := slices.Contains(backPoints, p)
		if back { // a reload that does not happen in time makes the agent go back
			if err := syscall.Kill(f.PID(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		f.arm()
		before := host
		host = f.want()
		f.dies(p)
		f.servesEither(p, before, host)
		if err := f.Test(); err != nil {
			t.Errorf("%s: nginx would not start: %v", p, err)
		}
		if back {
			if err := syscall.Kill(f.PID(), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			f.restart()
		}
		next, verify := points[min(i+1, len(points)-1)], patience
		if slices.Contains(backPoints, next) {
			verify = 2 * time.Second
		}
		f.run(next, verify)
		f.settles(host, func(n gateway.Node) error {
			r := n.Recovered
			if r == nil || r.Action != foundAt(p) || (r.Action != gateway.RecoveryNothing && r.Digest == "") {
				return fmt.Errorf("killed at %q, the report says %+v", p, r)
			}
			return f.clean()
		})
		if i%2 == 1 {
			f.restart()
			f.settles(host, nil)
		}
	}
	fmt.Printf("figure agent_kill_points %d points goal 20\n", len(points))
}
