package configsync

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// halve starts from a tree that nginx takes and brings the rendered files back, in halves.
func (q *quarantine) halve(ctx context.Context) error {
	clear(q.against)
	paths := q.inOrder()
	if err := q.ground(ctx, paths); err != nil {
		return err
	}
	changed := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return q.forms[p] == asRendered || q.floor[p] })
	if err := q.restore(ctx, changed); err != nil {
		return err
	}
	for _, path := range paths {
		if q.forms[path] != neutral || q.good(path) == nil {
			continue
		}
		q.forms[path] = lastGood
		if c, err := q.try(ctx); err != nil {
			return err
		} else if c != nil {
			q.forms[path] = neutral
		}
	}
	return nil
}

// ground finds forms that nginx takes: what was good before, or nothing of any tenant.
func (q *quarantine) ground(ctx context.Context, paths []string) error {
	clear(q.forms)
	for _, path := range paths {
		if g := q.good(path); g == nil {
			q.forms[path] = neutral
		} else if g.Data != q.tree.File(path).Data {
			q.forms[path] = lastGood
		}
	}
	if c, err := q.try(ctx); c == nil || err != nil {
		return err
	}
	for _, path := range paths {
		q.forms[path] = neutral
	}
	c, err := q.try(ctx)
	if err == nil && c != nil {
		clear(q.forms)
		return errNoTenant
	}
	return err
}

// restore brings files back as rendered, but for those with which nginx complains. Files that
// only fail together lose the last of them.
func (q *quarantine) restore(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	before := make([]form, len(paths))
	for i, path := range paths {
		before[i] = q.forms[path]
		delete(q.forms, path)
	}
	c, err := q.try(ctx)
	if c == nil || err != nil {
		return err
	}
	for i, path := range paths {
		q.forms[path] = before[i]
	}
	if len(paths) == 1 {
		q.against[paths[0]] = c
		return nil
	}
	if err := q.restore(ctx, paths[:len(paths)/2]); err != nil {
		return err
	}
	return q.restore(ctx, paths[len(paths)/2:])
}

// inOrder lists the tenants' files, tenant by tenant, what others refer to first.
func (q *quarantine) inOrder() []string {
	var list []*nginxconf.File
	for i := range q.tree.Files {
		if f := &q.tree.Files[i]; f.Tenant() != "" {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b *nginxconf.File) int {
		return cmp.Or(cmp.Compare(a.Tenant(), b.Tenant()), cmp.Compare(rank(a.Path), rank(b.Path)), cmp.Compare(a.Path, b.Path))
	})
	paths := make([]string, len(list))
	for i, f := range list {
		paths[i] = f.Path
	}
	return paths
}

// rank orders a tenant's files: servers refer to splits, and both to upstreams.
func rank(path string) int {
	switch folder, _, _ := strings.Cut(path, "/"); folder {
	case "servers":
		return 2
	case "splits":
		return 1
	}
	return 0
}
