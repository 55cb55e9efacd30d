package main

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/match"
	"github.com/sluice-gateway/sluice/store"
)

// adminStore gives the admin API the store in the words of the API.
type adminStore struct{ *store.Store }

var _ admin.Store = adminStore{}

func (s adminStore) List(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, error) {
	objects, _, err := s.Store.List(ctx, kind, tenant)
	return objects, err
}

func (s adminStore) Apply(ctx context.Context, actor string, changes []gateway.Change) ([]gateway.Object, error) {
	defer giveWay() // the answer is work, too
	return s.Store.Apply(ctx, changes, store.Write{Actor: actor})
}

func (s adminStore) History(ctx context.Context, ref gateway.Ref, limit int) ([]api.Version, error) {
	entries, err := s.Store.History(ctx, ref)
	if err != nil {
		return nil, err
	}
	out := []api.Version{}
	for _, e := range entries[:min(limit, len(entries))] {
		v := api.Version{Action: action(e.Verb), At: e.Time, By: e.Actor, Reason: e.Reason, Revision: e.Revision}
		if e.Object != nil {
			v.Object = &api.Object{Object: e.Object}
		}
		out = append(out, v)
	}
	return out, nil
}

// Audit reads more than it returns when it looks for one author: records are kept in the
// order of time only.
func (s adminStore) Audit(ctx context.Context, since time.Time, who string, limit int) ([]api.Record, error) {
	read := limit
	if who != "" {
		read = 0
	}
	records, err := s.Store.Audit(ctx, since, read)
	if err != nil {
		return nil, err
	}
	out := []api.Record{}
	for _, r := range records {
		if who != "" && r.Actor != who {
			continue
		}
		if len(out) == limit {
			break
		}
		rec := api.Record{At: r.Time, By: r.Actor, Reason: r.Reason, Revision: r.Revision, Changes: []api.RecordedChange{}}
		for _, c := range r.Changes {
			rec.Changes = append(rec.Changes, api.RecordedChange{Action: action(c.Verb), Object: c.Ref})
		}
		out = append(out, rec)
	}
	return out, nil
}

// action is the store's verb in the words of the API.
func action(v store.Verb) api.Action {
	switch v {
	case store.VerbCreate:
		return api.Created
	case store.VerbDelete:
		return api.Deleted
	}
	return api.Updated
}

func storeStatus(s *store.Store) func(context.Context) api.StoreStatus {
	return func(ctx context.Context) api.StoreStatus {
		st := s.Status(ctx)
		out := api.StoreStatus{Mode: string(st.Mode), Endpoints: st.Endpoints, Revision: st.Revision, SizeBytes: st.DBSize, Up: st.Err == nil}
		switch {
		case st.Err != nil:
			out.Message = st.Err.Error()
		case len(st.Alarms) > 0:
			out.Message = "etcd raised an alarm: " + strings.Join(st.Alarms, ", ")
		}
		return out
	}
}

// adminFleets gives the admin API the nginx nodes, and the problems that are found outside
// of Build.
type adminFleets struct {
	*configsync.Controller
	more []func() []gateway.Problem
}

var _ admin.Fleets = adminFleets{}

func (f adminFleets) Tree(fleet, node string, desired bool) (map[string]string, error) {
	out := map[string]string{}
	if desired {
		tree, err := f.DesiredTree(fleet, node)
		for _, file := range tree.Files {
			out[file.Path] = file.Data
		}
		return out, err
	}
	var tree protocol.NodeTree
	tree, err := f.NodeTree(fleet, node)
	for _, file := range tree.Files {
		out[file.Path] = string(file.Data)
	}
	return out, err
}

func (f adminFleets) Revision(fleet, digest string) (map[string]string, error) {
	tree, err := f.Controller.Revision(fleet, digest)
	out := map[string]string{}
	for _, file := range tree.Files {
		out[file.Path] = file.Data
	}
	return out, err
}

func (f adminFleets) Problems() []gateway.Problem {
	all := f.Controller.Problems()
	for _, more := range f.more {
		all = append(all, more()...)
	}
	return all
}

// sourceStatus tells how the sources are.
func sourceStatus(m *discovery.Manager) func() []api.SourceStatus {
	return func() []api.SourceStatus {
		out := []api.SourceStatus{}
		for _, s := range m.All() {
			kind, _, _ := strings.Cut(s.Name, "/")
			st := api.SourceStatus{Kind: gateway.SourceKind(kind), Name: s.Name, Up: s.Up, Message: s.Error, Upstreams: s.Wants, Pending: s.Pending, Copied: s.Copied}
			if !s.LastEvent.IsZero() {
				st.LastEvent = &s.LastEvent
			}
			if !s.StaleSince.IsZero() {
				st.StaleSince = &s.StaleSince
			}
			out = append(out, st)
		}
		return out
	}
}

// normalise is what the proxy does to a path before it compares it with rules.
func normalise(path string) (string, error) {
	_, matched, _, err := match.Normalise([]byte(path), nil)
	return string(matched), err
}
