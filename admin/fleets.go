package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// ListNodes lists the nodes of a fleet.
func (s *server) ListNodes(_ context.Context, r api.ListNodesRequestObject) (api.ListNodesResponseObject, error) {
	nodes, err := s.Fleets.Nodes(r.Fleet)
	if err != nil {
		return nil, err
	}
	return api.ListNodes200JSONResponse{Items: full(nodes)}, nil
}

// GetNode reads a node.
func (s *server) GetNode(_ context.Context, r api.GetNodeRequestObject) (api.GetNodeResponseObject, error) {
	node, err := s.Fleets.Node(r.Fleet, r.Node)
	return api.GetNode200JSONResponse(node), err
}

// GetDrift says what was changed by hand on a node.
func (s *server) GetDrift(_ context.Context, r api.GetDriftRequestObject) (api.GetDriftResponseObject, error) {
	node, err := s.Fleets.Node(r.Fleet, r.Node)
	return api.GetDrift200JSONResponse{Items: full(node.Drift)}, err
}

// DownloadTree gives the files of a node.
func (s *server) DownloadTree(_ context.Context, r api.DownloadTreeRequestObject) (api.DownloadTreeResponseObject, error) {
	kind := cmp.Or(deref(r.Params.Which), api.Disk)
	tree, err := s.Fleets.Tree(r.Fleet, r.Node, kind == api.Desired)
	if err != nil {
		return nil, err
	}
	archive, err := pack(tree)
	if err != nil {
		return nil, fmt.Errorf("pack the files of node %q: %w", r.Node, err)
	}
	disposition := fmt.Sprintf("attachment; filename=%q", safeName(r.Fleet+"-"+r.Node+"-"+string(kind))+".tar.gz")
	return api.DownloadTree200ApplicationgzipResponse{
		Body: archive, ContentLength: int64(archive.Len()),
		Headers: api.DownloadTree200ResponseHeaders{ContentDisposition: &disposition},
	}, nil
}

// safeName keeps what is harmless in a file name and in a header.
func safeName(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '-' || c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return '_'
	}, name)
}

// DiffNodes compares a node with another one, or with what it should have.
func (s *server) DiffNodes(_ context.Context, r api.DiffNodesRequestObject) (api.DiffNodesResponseObject, error) {
	d, err := s.diff(r)
	if err != nil {
		return nil, err
	}
	if deref(r.Params.SideBySide) {
		d = withRows(d)
	}
	return api.DiffNodes200JSONResponse(d), nil
}

func (s *server) diff(r api.DiffNodesRequestObject) (api.TreeDiff, error) {
	node, other := deref(r.Params.Node), deref(r.Params.Other)
	if from, to := deref(r.Params.From), deref(r.Params.To); from != "" || to != "" || node == "" {
		if from == "" || to == "" || node != "" || other != "" {
			return api.TreeDiff{}, fmt.Errorf("%w: write either from and to, or node and perhaps other", gateway.ErrInvalid)
		}
		return s.diffOf(r.Fleet, from, to)
	}
	right, err := s.Fleets.Tree(r.Fleet, node, false)
	if err != nil {
		return api.TreeDiff{}, err
	}
	if other != "" {
		left, err := s.Fleets.Tree(r.Fleet, other, false)
		return diffTrees("node "+other, "node "+node, left, right), err
	}
	left, err := s.Fleets.Tree(r.Fleet, node, true)
	// What should be there is the rendered tree only; the rest of nginx's files is not ours.
	return diffTrees("desired "+node, "node "+node, left, onlyTree(right)), err
}

// diffTrees compares two trees of files by path.
func diffTrees(leftName, rightName string, left, right map[string]string) api.TreeDiff {
	d := api.TreeDiff{Left: leftName, Right: rightName, Files: []api.FileDiff{}}
	paths := maps.Clone(left)
	if paths == nil {
		paths = map[string]string{}
	}
	maps.Copy(paths, right)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		l, hadLeft := left[path]
		r, hasRight := right[path]
		if hadLeft == hasRight && l == r {
			d.Equal++
			continue
		}
		d.Files = append(d.Files, api.FileDiff{
			Path: path, Change: difference(!hadLeft, !hasRight), Left: l, Right: r,
			Unified: udiff.Unified(leftName+": "+path, rightName+": "+path, l, r),
		})
	}
	return d
}
