package nginximport

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// Files is where configuration is read from.
type Files struct {
	// Main is the path of nginx's main file: relative includes start beside it.
	Main string
	// Read returns a file, and Match the files that an include with wildcards means, sorted.
	Read  func(name string) ([]byte, error)
	Match func(pattern string) []string
	// Skip is a folder whose files are objects already: Sluice's own tree. Empty: none.
	Skip string
}

// maxBytes bounds what is read of all files together, and of an archive before: a hand-written
// configuration has a thousandth of it.
const maxBytes = 8 << 20

var errTooLarge = fmt.Errorf("the configuration is larger than %d MiB: import a part of it with --from FILE", maxBytes>>20)

// Local reads from a disk: name is a main file, or a folder with an nginx.conf.
func Local(name string) (Files, error) {
	main, err := filepath.Abs(name)
	if err != nil {
		return Files{}, fmt.Errorf("find %s: %w", name, err)
	}
	info, err := os.Stat(main)
	if err == nil && info.IsDir() {
		main = filepath.Join(main, "nginx.conf")
		_, err = os.Stat(main)
	}
	if err != nil {
		return Files{}, fmt.Errorf("%w: name nginx's main file, or a folder with an nginx.conf", err)
	}
	return Files{Main: main, Read: readLocal, Match: matchLocal}, nil
}

// readLocal does not wait on pipes and devices, and reads no more than is taken.
func readLocal(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

func matchLocal(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil // nginx takes a malformed pattern for one that matches nothing
	}
	return visible(pattern, found)
}

// visible leaves out what a wildcard does not match: names that begin with a dot.
func visible(pattern string, found []string) []string {
	wanted := strings.Split(pattern, "/")
	return slices.DeleteFunc(found, func(name string) bool {
		for i, part := range strings.Split(name, "/") {
			if strings.HasPrefix(part, ".") && i < len(wanted) && !strings.HasPrefix(wanted[i], ".") {
				return true
			}
		}
		return false
	})
}

// Archive reads what GET /fleets/F/tree answers: a tar.gz with the node's own files below
// "root" and the rendered tree, which is at treePath on the node, below "tree". main is the
// path of nginx's main file on the node.
func Archive(r io.Reader, main, treePath string) (Files, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return Files{}, fmt.Errorf("read the node's files: %w", err)
	}
	files, total, rendered := map[string][]byte{}, 0, false
	for t := tar.NewReader(zip); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Files{}, fmt.Errorf("read the node's files: %w", err)
		}
		data, err := io.ReadAll(io.LimitReader(t, maxBytes+1))
		if err != nil {
			return Files{}, fmt.Errorf("read %s of the node: %w", h.Name, err)
		}
		// The rendered tree is left aside, whatever its size.
		rendered = rendered || h.Name == "tree/"+nginxconf.MainFile
		if rest, own := strings.CutPrefix(h.Name, "root/"); own {
			if total += len(data); total > maxBytes {
				return Files{}, errTooLarge
			}
			files["/"+rest] = data
		}
	}
	if files[main] == nil && rendered {
		return Files{}, fmt.Errorf("everything that nginx loads there is rendered from objects already (mode full): to import what stood there before, run sluice fleet import --from %s on the node", path.Join(path.Dir(treePath), "nginx.conf.kept"))
	}
	out := Memory(main, files)
	out.Skip = treePath
	return out, nil
}

// Memory reads from a map by path.
func Memory(main string, files map[string][]byte) Files {
	return Files{Main: main,
		Read: func(name string) ([]byte, error) {
			if data, ok := files[name]; ok {
				return bytes.Clone(data), nil
			}
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		},
		Match: func(pattern string) []string {
			var found []string
			for _, name := range slices.Sorted(maps.Keys(files)) {
				if ok, err := path.Match(pattern, name); err == nil && ok {
					found = append(found, name)
				}
			}
			return visible(pattern, found)
		}}
}
