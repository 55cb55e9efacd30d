package slardar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// streamName is the name of the objects of a TCP port: an upstream and a stream to it. Upstreams
// of HTTP that have a number as their name are others.
func streamName(port int) string { return "stream-" + strconv.Itoa(port) }

// upstreamOfPort adds, replaces or deletes what is behind a TCP port.
func (h *handler) upstreamOfPort(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodDelete {
		notAllowed(w, "POST, PUT, DELETE")
		return
	}
	c, err := h.change(r)
	if err == nil {
		if c.port, err = strconv.Atoi(c.key); err != nil || c.port < 1 || c.port > 1<<16-1 {
			err = bad(errors.New("the name of a TCP upstream is the port that it is reached on, from 1 to 65535"))
		}
	}
	h.make(w, r, c, err)
}

// streamChanges are what a request for a port asks for: the upstream, and the stream that leads
// to it.
func (c *change) streamChanges(ctx context.Context, now *gateway.Upstream) ([]gateway.Change, []string, error) {
	obj, err := c.Get(ctx, gateway.Ref{Kind: gateway.KindStream, Tenant: c.tenant, Name: c.object()})
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return nil, nil, err
	}
	stream, _ := obj.(*gateway.Stream)
	if c.body == nil {
		if now == nil || keyOf(&now.Meta) != c.key {
			return nil, nil, bad(fmt.Errorf("upstream %s not found", c.key))
		}
		all := []gateway.Change{{Ref: now.Ref(), IfRevision: &now.Revision}}
		if stream != nil {
			all = append(all, gateway.Change{Ref: stream.Ref(), IfRevision: &stream.Revision})
		}
		return all, nil, nil
	}
	next, notes, err := revise(now, c.tenant, c.key, c.object(), c.body)
	if err != nil {
		return nil, nil, bad(err)
	}
	next.Labels[LabelStream] = c.key
	revision := int64(0)
	if now != nil {
		revision = now.Revision
	}
	all := []gateway.Change{{Ref: next.Ref(), Object: next, IfRevision: &revision}}
	if stream == nil {
		stream = &gateway.Stream{Meta: gateway.Meta{Kind: gateway.KindStream, Tenant: c.tenant, Name: c.object(), Labels: map[string]string{LabelKey: c.key}},
			Spec: gateway.StreamSpec{Port: c.port, Upstream: c.object()}}
		all = append(all, gateway.Change{Ref: stream.Ref(), Object: stream, IfRevision: new(int64)})
	}
	return all, notes, nil
}

// portUpstreams are the upstreams that a TCP port made through this contract leads to.
func portUpstreams(s *gateway.Snapshot) map[gateway.UpstreamKey]bool {
	out := map[gateway.UpstreamKey]bool{}
	for i := range s.Streams {
		if st := &s.Streams[i]; st.Name == streamName(st.Port) && st.Upstream.Name == st.Name {
			out[st.Upstream] = true
		}
	}
	return out
}
