package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// maxBundle bounds what is read from the control plane.
const maxBundle = 256 << 20

// client talks to the control plane as the node of cfg.identity; see package protocol.
type client struct{ cfg Config }

func (c client) sync(ctx context.Context, in protocol.SyncRequest) (protocol.SyncResponse, error) {
	var out protocol.SyncResponse
	ctx, cancel := context.WithTimeout(ctx, in.Wait.Std()+30*time.Second)
	defer cancel()
	err := c.do(ctx, http.MethodPost, protocol.PathSync, nil, in, &out)
	return out, err
}

// bundle fetches the bundle with the digest for a node with those facts, verifies it and remembers
// its number. The error wraps errRefused when what came must not be applied.
func (c client) bundle(ctx context.Context, digest string, facts gateway.NodeFacts) (*nginxconf.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	name := factsName(facts)
	q := url.Values{"digest": {digest}, "facts": {name}, "above": {strconv.FormatUint(c.cfg.identity.above(), 10)}}
	out := &protocol.Bundle{}
	if err := c.do(ctx, http.MethodGet, protocol.PathBundle, q, nil, out); err != nil {
		return nil, err
	}
	return &out.Tree, c.cfg.identity.accept(out, digest, name)
}

func (c client) upload(ctx context.Context, tree protocol.NodeTree) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return c.do(ctx, http.MethodPut, protocol.PathTree, nil, tree, nil)
}

func (c client) outcomes(ctx context.Context, batch protocol.Outcomes) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.do(ctx, http.MethodPost, protocol.PathOutcomes, nil, batch, nil)
}

// live fetches the endpoint sets that changed since a version, or all of them for "".
func (c client) live(ctx context.Context, since string) (protocol.LiveSets, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var out protocol.LiveSets
	err := c.do(ctx, http.MethodGet, protocol.PathLive, url.Values{"since": {since}}, nil, &out)
	return out, err
}

func (c client) do(ctx context.Context, method, path string, q url.Values, in, out any) error {
	if q == nil {
		q = url.Values{}
	}
	q.Set("fleet", c.cfg.Fleet)
	q.Set("node", c.cfg.Node)
	return c.cfg.identity.call(ctx, c.cfg.identity.http.client(), method, path+"?"+q.Encode(), in, out)
}

// factsName tells nodes apart whose nginx differs in anything that a bundle is made for.
func factsName(f gateway.NodeFacts) string {
	f.PID, f.AgentVersion = 0, ""
	b, err := json.Marshal(f)
	if err != nil {
		panic("agent: plain data always marshals: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
