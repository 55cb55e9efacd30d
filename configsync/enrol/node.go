package enrol

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// record is what the store knows of a node that has enrolled.
type record struct {
	// Enrolment is the time in milliseconds, or one more than the one before; 0: never.
	Enrolment int64     `json:"enrolment"`
	NotAfter  time.Time `json:"notAfter"` // of its newest certificate
}

// record reads the record of a node; a zero one at revision 0 when there is none.
func (a *Authority) record(ctx context.Context, p protocol.Peer) (r record, revision int64, err error) {
	text, revision, err := a.cfg.Nodes.Get(ctx, entry(p))
	if err == nil && text != nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, 0, fmt.Errorf("read the record of node %q of fleet %q: %w", p.Node, p.Fleet, err)
	}
	return r, revision, nil
}

// Enrolled says whether a node of that name has ever enrolled.
func (a *Authority) Enrolled(ctx context.Context, fleet, node string) (bool, error) {
	_, revision, err := a.record(ctx, protocol.Peer{Fleet: fleet, Node: node})
	return revision != 0, err
}

// Forget revokes a node and drops its record, so that its name is free for any token.
func (a *Authority) Forget(ctx context.Context, fleet, node string) error {
	if err := a.Revoke(ctx, fleet, node); err != nil {
		return err
	}
	return a.cfg.Nodes.Delete(ctx, entry(protocol.Peer{Fleet: fleet, Node: node}))
}

// taken says why a token that names no node can't be used for a name, if so: whoever has such a
// token must not get to be a node that is in service.
func (a *Authority) taken(p protocol.Peer, r record) error {
	if r.Enrolment <= a.refused.Load().upTo[entry(p)] || a.cfg.Now().After(r.NotAfter) {
		return nil
	}
	return fmt.Errorf("node %q of fleet %q: %w: it has a certificate that is good until %s. If this is the same machine, set up anew, make a token for it with `sluice fleet token %s --node %s`, which ends that certificate; else choose another name with --node",
		p.Node, p.Fleet, gateway.ErrConflict, r.NotAfter.Format(time.RFC3339), p.Fleet, p.Node)
}

// claim writes that a node is enrolled, if its record is still at that revision.
func (a *Authority) claim(ctx context.Context, p protocol.Peer, enrolment, revision int64) error {
	text, err := json.Marshal(record{Enrolment: enrolment, NotAfter: a.cfg.Now().Add(a.cfg.Lifetime).UTC()})
	if err != nil {
		return err
	}
	ok, err := a.cfg.Nodes.Swap(ctx, entry(p), text, revision)
	if err == nil && !ok {
		err = fmt.Errorf("node %q of fleet %q: %w: another one enrols or renews under this name at this moment; try again", p.Node, p.Fleet, gateway.ErrConflict)
	}
	return err
}
