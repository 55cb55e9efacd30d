package slardar

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-gateway/sluice/gateway"
)

// attempts is how often a change is repeated when somebody else was faster. Scripts of many
// machines edit one upstream, and each edit is quick.
const attempts = 20

// upstream adds, replaces or deletes an upstream.
func (h *handler) upstream(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut && r.Method != http.MethodDelete {
		notAllowed(w, "POST, PUT, DELETE")
		return
	}
	c, err := h.change(r)
	h.make(w, r, c, err)
}

// make makes a change, again when somebody else was faster.
func (h *handler) make(w http.ResponseWriter, r *http.Request, c *change, err error) {
	for try := 1; err == nil; try++ {
		var out reply
		if out, err = c.run(r.Context()); err == nil {
			answer(w, out)
			return
		}
		if errors.Is(err, gateway.ErrConflict) && try < attempts {
			err = nil
		}
	}
	h.fail(w, r, err)
}

// change is one request for an upstream.
type change struct {
	*handler
	tenant, key string
	body        []byte // nil: delete
	dryRun      bool
	route       bool // make a route for the host of that name
	port        int  // of a TCP upstream, whose key it is; 0: one of HTTP
}

func (h *handler) change(r *http.Request) (c *change, err error) {
	c = &change{handler: h, dryRun: r.URL.Query().Get("dryRun") == "true", route: r.URL.Query().Get("route") != "false"}
	if c.tenant, c.key, err = h.target(r); err != nil {
		return nil, err
	}
	if r.Method != http.MethodDelete {
		if c.body, err = body(r); err == nil && c.body == nil {
			c.body = []byte{}
		}
	}
	return c, err
}

func (c *change) ref() gateway.Ref {
	return gateway.Ref{Kind: gateway.KindUpstream, Tenant: c.tenant, Name: c.object()}
}

// object is the name of the objects that the request is about.
func (c *change) object() string {
	if c.port != 0 {
		return streamName(c.port)
	}
	return objectName(c.key)
}

// run makes the change once. A conflict means that what it read is out of date.
func (c *change) run(ctx context.Context) (reply, error) {
	obj, err := c.Get(ctx, c.ref())
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return reply{}, err
	}
	now, _ := obj.(*gateway.Upstream)
	changes, notes, err := c.all(ctx, now)
	if err != nil {
		return reply{}, err
	}
	accept := func(added []gateway.Problem) error {
		for _, p := range added {
			if err := c.refuse(p); err != nil {
				return bad(err)
			}
			notes = append(notes, fmt.Sprintf("%s: %s", p.Object, p.Message))
		}
		return nil
	}
	if err := c.Write(ctx, changes, c.dryRun, accept); err != nil {
		return reply{}, err
	}
	return reply{Status: http.StatusOK, Notes: notes, DryRun: c.dryRun}, nil
}

// all are the changes that the request asks for.
func (c *change) all(ctx context.Context, now *gateway.Upstream) ([]gateway.Change, []string, error) {
	if c.port != 0 {
		return c.streamChanges(ctx, now)
	}
	routes, err := c.routes(ctx)
	if err != nil {
		return nil, nil, err
	}
	changes, notes, err := c.changes(now, routes)
	if err != nil {
		return nil, nil, bad(err)
	}
	return changes, notes, nil
}

func (c *change) routes(ctx context.Context) (routes []*gateway.Route, err error) {
	objects, err := c.List(ctx, gateway.KindRoute, c.tenant)
	for _, o := range objects {
		if r, ok := o.(*gateway.Route); ok {
			routes = append(routes, r)
		}
	}
	return routes, err
}

// changes are what the request asks for, conditional on what was read.
func (c *change) changes(now *gateway.Upstream, routes []*gateway.Route) (all []gateway.Change, notes []string, err error) {
	if c.body == nil {
		if now == nil || keyOf(&now.Meta) != c.key {
			return nil, nil, fmt.Errorf("upstream %s not found", c.key)
		}
		all = []gateway.Change{{Ref: now.Ref(), IfRevision: &now.Revision}}
		if r := ownRoute(now, routes); r != nil {
			all = append(all, gateway.Change{Ref: r.Ref(), IfRevision: &r.Revision})
		}
		return all, nil, nil
	}
	next, notes, err := Revise(now, c.tenant, c.key, c.body)
	if err != nil {
		return nil, nil, err
	}
	revision := int64(0)
	if now != nil {
		revision = now.Revision
	}
	all = []gateway.Change{{Ref: next.Ref(), Object: next, IfRevision: &revision}}
	if !c.route {
		return all, notes, nil
	}
	r, note := routeFor(next, routes)
	if note != "" {
		notes = append(notes, note)
	}
	if r != nil {
		all = append(all, gateway.Change{Ref: r.Ref(), Object: r, IfRevision: new(int64)})
	}
	return all, notes, nil
}

// refuse says why a problem that the change brings is a reason not to make it: what is
// written here works as it is written, or is not taken at all. Problems of other objects,
// such as routes that lose their upstream by a delete, are told and stand in no way.
func (c *change) refuse(p gateway.Problem) error {
	if c.body == nil || p.Object.Tenant != c.tenant || p.Object.Name != c.object() {
		return nil
	}
	switch {
	case p.Object.Kind == gateway.KindStream:
		return fmt.Errorf("port %d can not be served: %s", c.port, p.Message)
	case p.Object.Kind == gateway.KindRoute && c.route:
		return fmt.Errorf("host %s can not be served: %s Or send ?route=false for an upstream that routes of other hosts use", c.key, p.Message)
	case p.Object.Kind == gateway.KindUpstream:
		return fmt.Errorf("%s: %s", p.Field, p.Message)
	}
	return nil
}
