package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// maxBundle bounds what is read from the control plane.
const maxBundle = 256 << 20

// client talks to the control plane; see package protocol.
type client struct{ cfg Config }

func (c client) sync(ctx context.Context, in protocol.SyncRequest) (protocol.SyncResponse, error) {
	var out protocol.SyncResponse
	ctx, cancel := context.WithTimeout(ctx, in.Wait.Std()+30*time.Second)
	defer cancel()
	err := c.do(ctx, http.MethodPost, protocol.PathSync, nil, in, &out)
	return out, err
}

// bundle fetches the tree with the digest and verifies it.
func (c client) bundle(ctx context.Context, digest string) (*nginxconf.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tree := &nginxconf.Tree{}
	if err := c.do(ctx, http.MethodGet, protocol.PathBundle, url.Values{"digest": {digest}}, nil, tree); err != nil {
		return nil, err
	}
	if tree.Digest != digest {
		return nil, fmt.Errorf("asked for bundle %s and got %s", digest, tree.Digest)
	}
	return tree, tree.Verify()
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

func (c client) do(ctx context.Context, method, path string, q url.Values, in, out any) error {
	if q == nil {
		q = url.Values{}
	}
	q.Set("fleet", c.cfg.Fleet)
	q.Set("node", c.cfg.Node)
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.Server+path+"?"+q.Encode(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.cfg.HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBundle))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return refusedError(method, path, res.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}

// refusedError is what the control plane answered instead.
func refusedError(method, path string, status int, body []byte) error {
	var p protocol.Problem
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		return fmt.Errorf("the control plane answered %d %s: %s", status, p.Code, p.Detail)
	}
	return fmt.Errorf("%s %s: the control plane answered %d", method, path, status)
}
