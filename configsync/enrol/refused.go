package enrol

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// refusals says whose certificates are refused: all of a node up to an enrolment, and so those
// that are renewed at this moment, too. It is never changed.
type refusals struct {
	// upTo is by "FLEET/NODE". Enrolments are numbered by the time in milliseconds, which goes
	// on after the store was restored from a backup.
	upTo     map[string]int64
	revision int64
}

func readRefusals(value []byte, revision int64) (*refusals, error) {
	r := &refusals{upTo: map[string]int64{}, revision: revision}
	if value == nil {
		return r, nil
	}
	return r, json.Unmarshal(value, &r.upTo)
}

func entry(p protocol.Peer) string { return p.Fleet + "/" + p.Node }

// Revoke refuses all certificates that a node has, on all replicas, from the return on. Only a new
// token makes it a node again.
func (a *Authority) Revoke(ctx context.Context, fleet, node string) error {
	p := protocol.Peer{Fleet: fleet, Node: node}
	r, _, err := a.record(ctx, p)
	if err != nil {
		return err
	}
	return a.refuse(ctx, p, max(r.Enrolment, a.cfg.Now().UnixMilli()))
}

// refuse refuses a node's enrolments up to one, and waits until this replica does. The others
// watch the same value.
func (a *Authority) refuse(ctx context.Context, p protocol.Peer, upTo int64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.Wait(ctx); err != nil {
		return err
	}
	tried := int64(-1)
	for {
		now := a.refused.Load()
		if now.upTo[entry(p)] >= upTo {
			return nil
		}
		if now.revision != tried {
			tried = now.revision
			if _, err := a.cfg.Refused.Swap(ctx, now.with(entry(p), upTo, a.forgettable()), now.revision); err != nil {
				return fmt.Errorf("revoke node %q of fleet %q: %w", p.Node, p.Fleet, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("revoke node %q of fleet %q: %w: the store does not confirm it; try again", p.Node, p.Fleet, gateway.ErrUnavailable)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// forgettable is the enrolment before which refusing is needless: what was refused is not renewed,
// so it has expired since.
func (a *Authority) forgettable() int64 {
	return a.cfg.Now().Add(-2*a.cfg.Lifetime - backdate).UnixMilli()
}

// with is the list with one more, without those that have become needless.
func (r *refusals) with(name string, upTo, forgettable int64) []byte {
	next := maps.Clone(r.upTo)
	maps.DeleteFunc(next, func(_ string, at int64) bool { return at < forgettable })
	next[name] = upTo
	text, err := json.Marshal(next)
	if err != nil {
		panic("enrol: numbers always marshal: " + err.Error())
	}
	return text
}
