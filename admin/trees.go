package admin

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// GetTree gives the files of a node or of a revision.
func (s *server) GetTree(_ context.Context, r api.GetTreeRequestObject) (api.GetTreeResponseObject, error) {
	tree, err := s.treeOf(r.Fleet, r.Params.Of)
	if err != nil {
		return nil, err
	}
	name := safeName(r.Fleet + "-" + r.Params.Of)
	if r.Params.Format != nil && *r.Params.Format == api.Text {
		disposition := fmt.Sprintf("inline; filename=%q", name+".conf")
		return api.GetTree200TextResponse{Body: oneText(tree), Headers: api.GetTree200ResponseHeaders{ContentDisposition: &disposition}}, nil
	}
	archive, err := pack(tree)
	if err != nil {
		return nil, fmt.Errorf("pack the files of %q: %w", r.Params.Of, err)
	}
	disposition := fmt.Sprintf("attachment; filename=%q", name+".tar.gz")
	return api.GetTree200ApplicationgzipResponse{Body: archive, ContentLength: int64(archive.Len()), Headers: api.GetTree200ResponseHeaders{ContentDisposition: &disposition}}, nil
}

// ListBundles lists the bundles that nodes should run, or should have run lately.
func (s *server) ListBundles(_ context.Context, r api.ListBundlesRequestObject) (api.ListBundlesResponseObject, error) {
	list, err := s.Fleets.Bundles(r.Fleet)
	if err != nil {
		return nil, err
	}
	return api.ListBundles200JSONResponse{Items: full(list)}, nil
}

// treeOf finds what "NODE", "desired:NODE" or "revision:DIGEST" stands for.
func (s *server) treeOf(fleet, of string) (map[string]string, error) {
	kind, name, found := strings.Cut(of, ":")
	switch {
	case found && kind == "desired":
		return s.Fleets.Tree(fleet, name, true)
	case found && kind == "revision":
		return s.Fleets.Revision(fleet, name)
	case of == "":
		return nil, fmt.Errorf("%w: write NODE, desired:NODE or revision:DIGEST", gateway.ErrInvalid)
	}
	return s.Fleets.Tree(fleet, of, false)
}

// oneText writes the files one after the other, as "nginx -T" does.
func oneText(tree map[string]string) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		name := p
		if !path.IsAbs(p) {
			name = path.Join("tree", path.Clean("/"+p))
		}
		b.WriteString("# configuration file " + strings.Map(oneLine, name) + ":\n" + tree[p])
		if !strings.HasSuffix(tree[p], "\n") {
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// oneLine keeps the name of a file from looking like a part of it.
func oneLine(r rune) rune {
	if r < 0x20 {
		return '?'
	}
	return r
}

// diffOf compares what the two names stand for.
func (s *server) diffOf(fleet, from, to string) (api.TreeDiff, error) {
	left, err := s.treeOf(fleet, from)
	if err != nil {
		return api.TreeDiff{}, err
	}
	right, err := s.treeOf(fleet, to)
	if err != nil {
		return api.TreeDiff{}, err
	}
	if rendered(from) || rendered(to) {
		left, right = onlyTree(left), onlyTree(right)
	}
	return diffTrees(from, to, left, right), nil
}

func rendered(of string) bool {
	return strings.HasPrefix(of, "desired:") || strings.HasPrefix(of, "revision:")
}

// onlyTree leaves out what Sluice does not render: a bundle has none of it.
func onlyTree(tree map[string]string) map[string]string {
	tree = maps.Clone(tree)
	maps.DeleteFunc(tree, func(p, _ string) bool { return path.IsAbs(p) })
	return tree
}

// withRows adds the lines of both sides.
func withRows(d api.TreeDiff) api.TreeDiff {
	for i := range d.Files {
		rows := sideBySide(d.Files[i].Left, d.Files[i].Right)
		d.Files[i].Rows = &rows
	}
	return d
}

// contextLines is how many equal lines stay around a difference.
const contextLines = 3

// sideBySide puts the lines of two texts beside each other.
func sideBySide(left, right string) []api.DiffRow {
	rows := pairLines(left, right)
	near := make([]bool, len(rows))
	for i, r := range rows {
		if r.Change != rowEqual {
			for j := max(0, i-contextLines); j <= min(len(rows)-1, i+contextLines); j++ {
				near[j] = true
			}
		}
	}
	out := []api.DiffRow{}
	for i, r := range rows {
		switch {
		case near[i]:
			out = append(out, r)
		case i == 0 || near[i-1]:
			out = append(out, api.DiffRow{Change: rowGap})
		}
	}
	return out
}
