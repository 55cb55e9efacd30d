package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// GetGroups says which nodes of a fleet are alike, and what the others have changed.
func (s *server) GetGroups(_ context.Context, r api.GetGroupsRequestObject) (api.GetGroupsResponseObject, error) {
	groups, err := s.Fleets.Groups(r.Fleet)
	return api.GetGroups200JSONResponse(groups), err
}

// SettleHunk settles an edit by hand.
func (s *server) SettleHunk(ctx context.Context, r api.SettleHunkRequestObject) (api.SettleHunkResponseObject, error) {
	out := api.Settled{Hunk: r.Hunk, Action: r.Body.Action, Nodes: []string{}, Objects: []api.ObjectChange{}}
	h, err := s.Fleets.Hunk(r.Fleet, r.Hunk)
	if err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(deref(r.Body.Reason))
	if r.Body.Action != api.Revert && reason == "" {
		return nil, invalidField("reason", "say why: others will ask when they find it")
	}
	if r.Body.Also != nil && r.Body.Action != api.Adopt {
		return nil, invalidField("also", "only edits that are adopted are written together: settle the others one by one")
	}
	var w *written
	switch r.Body.Action {
	case api.Revert:
		out.Nodes, w, err = s.revert(ctx, r, h)
	case api.Adopt:
		if r.Body.Nodes != nil {
			return nil, invalidField("nodes", "what is adopted is for all nodes: leave them out")
		}
		out.Nodes = nodesOf(h)
		w, err = s.adopt(ctx, r, append([]string{r.Hunk}, deref(r.Body.Also)...), reason)
	case api.Allow:
		out.Nodes, w, err = s.allow(ctx, r, h, reason)
	default:
		return nil, invalidField("action", "write revert, adopt or allow")
	}
	if err != nil {
		return nil, err
	}
	if w != nil {
		out.Objects = w.result.Changes
	}
	return api.SettleHunk200JSONResponse(out), nil
}

func nodesOf(h gateway.NodeHunk) []string {
	list := []string{}
	for _, on := range h.On {
		list = append(list, on.Node)
	}
	return list
}

// revert asks the nodes, and takes back that the edit was allowed.
func (s *server) revert(ctx context.Context, r api.SettleHunkRequestObject, h gateway.NodeHunk) ([]string, *written, error) {
	if deref(r.Params.DryRun) {
		return nodesOf(h), nil, nil
	}
	who, _ := auth.From(ctx)
	nodes, err := s.Fleets.Revert(ctx, r.Fleet, r.Hunk, deref(r.Body.Nodes), who.Name)
	if err != nil {
		return nil, nil, err
	}
	if r.Body.Nodes != nil {
		return nodes, nil, nil
	}
	changes, err := s.forget(ctx, r.Fleet, r.Hunk)
	if err != nil || len(changes) == 0 {
		return nodes, nil, err
	}
	w, err := s.write(ctx, changes, false)
	return nodes, w, err
}

// forget is the change that takes the hunk's allowance away, if there is one.
func (s *server) forget(ctx context.Context, fleet, hunk string) ([]gateway.Change, error) {
	ref := gateway.Ref{Kind: gateway.KindAllowance, Name: gateway.AllowanceName(fleet, hunk)}
	_, err := s.Store.Get(ctx, ref)
	if errors.Is(err, gateway.ErrNotFound) {
		return nil, nil
	}
	return []gateway.Change{{Ref: ref}}, err
}

// allow writes the Allowance, over an earlier one of the same hunk.
func (s *server) allow(ctx context.Context, r api.SettleHunkRequestObject, h gateway.NodeHunk, reason string) ([]string, *written, error) {
	switch {
	case r.Body.Until == nil || !r.Body.Until.After(time.Now()):
		return nil, nil, invalidField("until", "write a date in the future, after which the edit is drift again")
	case h.Kind != gateway.HunkByHand:
		return nil, nil, fmt.Errorf("hunk %s: %w: only edits of files that Sluice writes are drift that has to be allowed; this one is shown because the nodes are not alike", h.ID, gateway.ErrInvalid)
	}
	nodes := nodesOf(h)
	for _, n := range deref(r.Body.Nodes) {
		if !contains(nodes, n) {
			return nil, nil, invalidField("nodes", fmt.Sprintf("node %q does not have hunk %s; those that have it are %q", n, h.ID, nodes))
		}
	}
	if r.Body.Nodes != nil {
		nodes = *r.Body.Nodes
	}
	a := &gateway.Allowance{Meta: gateway.Meta{Kind: gateway.KindAllowance, Name: gateway.AllowanceName(r.Fleet, h.ID)},
		Spec: gateway.AllowanceSpec{Fleet: r.Fleet, Hunk: h.ID, Nodes: deref(r.Body.Nodes), Until: r.Body.Until.UTC(), Reason: reason, About: about(h)}}
	w, err := s.write(ctx, []gateway.Change{{Ref: a.Ref(), Object: a}}, deref(r.Params.DryRun))
	return nodes, w, err
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// about is an edit in words.
func about(h gateway.NodeHunk) string {
	text := h.Path
	if len(h.Where) > 0 {
		text += " (" + strings.Join(h.Where, " > ") + ")"
	}
	text += ": " + string(h.Change)
	for _, side := range []struct{ name, text string }{{" from ", h.Old}, {" to ", h.New}} {
		if side.text != "" {
			if len(side.text) > 200 {
				side.text = strings.ToValidUTF8(side.text[:200], "") + "..."
			}
			text += side.name + side.text
		}
	}
	return text
}

// adopt writes the objects with which all nodes have the edits. Overrides are one write; an
// endpoint or a Pin is a file of its own on the nodes, and a write of its own.
func (s *server) adopt(ctx context.Context, r api.SettleHunkRequestObject, hunks []string, reason string) (*written, error) {
	adoptions, overrides := []gateway.Adoption{}, []gateway.Change{}
	for _, id := range hunks {
		a, err := s.Fleets.Adoption(r.Fleet, id, reason)
		if err != nil {
			return nil, err
		}
		if a.Override == nil {
			adoptions = append(adoptions, a)
			continue
		}
		forgotten, err := s.forget(ctx, r.Fleet, id)
		if err != nil {
			return nil, err
		}
		overrides = append(append(overrides, gateway.Change{Ref: a.Override.Ref(), Object: a.Override}), forgotten...)
	}
	var all *written
	if len(overrides) > 0 {
		w, err := s.write(ctx, overrides, deref(r.Params.DryRun))
		if err != nil {
			return nil, err
		}
		all = w
	}
	for _, a := range adoptions {
		w, err := s.adoptEndpoint(ctx, r, a, reason)
		if err != nil {
			return nil, err
		}
		if all != nil {
			w.result.Changes = append(all.result.Changes, w.result.Changes...)
		}
		all = w
	}
	return all, nil
}

// adoptEndpoint writes what an edit of an upstream's servers becomes.
func (s *server) adoptEndpoint(ctx context.Context, r api.SettleHunkRequestObject, a gateway.Adoption, reason string) (*written, error) {
	u := a.Upstream
	switch {
	case a.Endpoint != nil:
		return asWritten(s.AddEndpoint(ctx, api.AddEndpointRequestObject{Tenant: u.Tenant, Upstream: u.Name, Body: a.Endpoint, Params: api.AddEndpointParams{DryRun: r.Params.DryRun}}))
	case a.Remove != "":
		return asWritten(s.RemoveEndpoint(ctx, api.RemoveEndpointRequestObject{Tenant: u.Tenant, Upstream: u.Name, Address: a.Remove, Params: api.RemoveEndpointParams{DryRun: r.Params.DryRun}}))
	case a.Pin != nil:
		return asWritten(s.PinEndpoint(ctx, api.PinEndpointRequestObject{Tenant: u.Tenant, Upstream: u.Name, Address: a.Pin.Address,
			Params: api.PinEndpointParams{DryRun: r.Params.DryRun}, Body: &api.PinRequest{State: a.Pin.State, Reason: &reason}}))
	}
	return nil, fmt.Errorf("adopt hunk %s: nothing to write", r.Hunk)
}

// asWritten is the answer of another operation as what it is.
func asWritten[R any](response R, err error) (*written, error) {
	if err != nil {
		return nil, err
	}
	w, ok := any(response).(*written)
	if !ok {
		return nil, fmt.Errorf("the answer of a write is %T", response)
	}
	return w, nil
}

// GetAllowance reads an allowance.
func (s *server) GetAllowance(ctx context.Context, r api.GetAllowanceRequestObject) (api.GetAllowanceResponseObject, error) {
	obj, err := get[*gateway.Allowance](ctx, s, gateway.Ref{Kind: gateway.KindAllowance, Name: r.Allowance})
	if err != nil {
		return nil, err
	}
	tag := etag(obj.Revision)
	return api.GetAllowance200JSONResponse{Body: *obj, Headers: api.GetAllowance200ResponseHeaders{ETag: &tag}}, nil
}

// DeleteAllowance deletes an allowance.
func (s *server) DeleteAllowance(ctx context.Context, r api.DeleteAllowanceRequestObject) (api.DeleteAllowanceResponseObject, error) {
	return s.delete(ctx, gateway.Ref{Kind: gateway.KindAllowance, Name: r.Allowance}, r.Params.DryRun, r.Params.IfMatch)
}
