package configsync

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"path"
)

// Download writes every file that the node's nginx would load as a tar.gz: those of the
// rendered tree below "tree/", all others below "root/" under their absolute path.
func (c *Controller) Download(fleet, node string, w io.Writer) error {
	tree, err := c.NodeTree(fleet, node)
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	for _, f := range tree.Files {
		name := path.Join("tree", path.Clean("/"+f.Path))
		if path.IsAbs(f.Path) {
			name = path.Join("root", path.Clean(f.Path))
		}
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(f.Data)), ModTime: tree.At, Format: tar.FormatPAX}
		if err := archive.WriteHeader(h); err != nil {
			return fmt.Errorf("write %s of node %q: %w", name, node, err)
		}
		if _, err := archive.Write(f.Data); err != nil {
			return fmt.Errorf("write %s of node %q: %w", name, node, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("finish the archive of node %q: %w", node, err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("finish the archive of node %q: %w", node, err)
	}
	return nil
}
