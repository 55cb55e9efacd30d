package admin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"path"
	"slices"
	"time"
)

// pack writes a tree of files as a tar.gz: those of the rendered tree below "tree/", all
// others below "root/" under their absolute path, so that unpacking never leaves the folder
// it is done in. Equal trees give equal bytes, so the times in it are a constant.
func pack(tree map[string]string) (*bytes.Buffer, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		name := path.Join("tree", path.Clean("/"+p))
		if path.IsAbs(p) {
			name = path.Join("root", path.Clean(p))
		}
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(tree[p])), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := archive.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := archive.Write([]byte(tree[p])); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return &out, zip.Close()
}
