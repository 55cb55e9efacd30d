package configsync

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// Signer vouches for bundles.
type Signer interface {
	Sign(s protocol.Statement) (protocol.Envelope, error)
}

// Numberer gives a bundle that is about to be given out its place in the line of its fleet's.
// It is called in the order in which bundles became the desired ones.
type Numberer interface {
	Number(ctx context.Context, fleet, digest string) (protocol.Numbering, error)
}

// order is what a node asks for: the bundle with that digest (empty: the desired one). above is
// the highest number that it has applied: what is desired of it gets no lower one.
type order struct {
	fleet, node, digest, facts string
	above                      uint64
}

// seal is what an envelope is made for.
type seal struct {
	tree  *nginxconf.Tree
	facts string
}

// sealed is an envelope with what stands in it.
type sealed struct {
	protocol.Envelope
	protocol.Numbering
	// raised is when it last replaced one whose number was too low for a node.
	raised time.Time
}

// raiseEvery bounds how often nodes can make a bundle get a higher number, which costs a write.
const raiseEvery = time.Second

// bundle gives what was ordered, in an envelope.
func (c *Controller) bundle(ctx context.Context, o order) (*protocol.Bundle, error) {
	if out, _, _, err := c.envelopeFor(o); out != nil || err != nil {
		return out, err
	}
	c.sealing.Lock() // so that numbers are given in the order of what is desired
	defer c.sealing.Unlock()
	out, r, tree, err := c.envelopeFor(o) // somebody may have been faster
	if out != nil || err != nil {
		return out, err
	}
	if c.cfg.Numberer == nil || c.cfg.Signer == nil {
		return nil, fmt.Errorf("bundle %s: %w: this control plane does not sign bundles", tree.Digest, gateway.ErrUnavailable)
	}
	place, err := c.cfg.Numberer.Number(ctx, o.fleet, tree.Digest)
	if err != nil {
		return nil, fmt.Errorf("number bundle %s of fleet %q: %w", tree.Digest, o.fleet, err)
	}
	e, err := c.cfg.Signer.Sign(protocol.Statement{Fleet: o.fleet, Facts: o.facts, Digest: tree.Digest, Numbering: place})
	if err != nil {
		return nil, fmt.Errorf("sign bundle %s of fleet %q: %w", tree.Digest, o.fleet, err)
	}
	c.mu.Lock()
	k, done := seal{tree, o.facts}, sealed{Envelope: e, Numbering: place}
	if _, replaced := r.sealed[k]; replaced {
		done.raised = c.cfg.Now()
	}
	r.keep(k, done)
	c.mu.Unlock()
	return &protocol.Bundle{Envelope: e, Tree: *tree}, nil
}

// envelopeFor finds a bundle that has an envelope already, or the tree that is to get one. That is the
// desired one alone, since its number will be higher than all before.
func (c *Controller) envelopeFor(o order) (*protocol.Bundle, *rendering, *nginxconf.Tree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, n, err := c.findNode(o.fleet, o.node)
	if err != nil {
		return nil, nil, nil, err
	}
	r := n.rendering
	tree := r.find(cmp.Or(o.digest, r.tree.Digest))
	if tree == nil {
		return nil, nil, nil, notDesired(o.digest)
	}
	e, ok := r.sealed[seal{tree, o.facts}]
	if ok && (e.Number >= o.above || e.Rollback || tree != r.tree || c.cfg.Now().Sub(e.raised) < raiseEvery) {
		return &protocol.Bundle{Envelope: e.Envelope, Tree: *tree}, r, tree, nil
	}
	if tree != r.tree {
		return nil, nil, nil, notDesired(o.digest)
	}
	return nil, r, tree, nil
}

// maxSeals bounds the envelopes of a rendering: few nodes call the same facts by other names.
const maxSeals = 32

// keep keeps an envelope for as long as its tree is kept. The caller holds Controller.mu.
func (r *rendering) keep(k seal, e sealed) {
	kept := map[seal]sealed{k: e}
	for other, e := range r.sealed {
		if len(kept) < maxSeals && other != k && (other.tree == r.tree || slices.Contains(r.past, other.tree)) {
			kept[other] = e
		}
	}
	r.sealed = kept
}

func notDesired(digest string) error {
	return fmt.Errorf("bundle %q: %w: it is not desired any more; sync again", digest, gateway.ErrNotFound)
}
