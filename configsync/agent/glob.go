package agent

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// glob expands a pattern as glob(3) does for nginx: sorted, and a wildcard does not match a
// leading dot.
func glob(pattern string) []string { return (*contents)(nil).glob(pattern) }

// glob does the same, and remembers what was in folders for as long as these have the time of
// before.
func (c *contents) glob(pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}
	}
	dir, file := filepath.Split(pattern)
	if _, err := filepath.Match(file, ""); err != nil || dir == pattern {
		return nil // a malformed pattern matches nothing
	}
	parents := []string{cmp.Or(dir, ".")}
	if parent := strings.TrimRight(dir, "/"); strings.ContainsAny(parent, "*?[") {
		parents = c.glob(parent)
	}
	var list []string
	for _, parent := range parents {
		if !strings.ContainsAny(file, "*?[") {
			if path := filepath.Join(parent, file); exists(path) {
				list = append(list, path)
			}
			continue
		}
		for _, name := range c.matches(parent, file) {
			list = append(list, filepath.Join(parent, name))
		}
	}
	return list
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// listing is a pattern in a folder.
type listing struct {
	fileID
	pattern string
}

// listed is what it matched.
type listed struct {
	names []string
	time  time.Time
}

// matches are the names in a folder that match a pattern, sorted. A folder that can not be read
// has none.
func (c *contents) matches(dir, pattern string) []string {
	at := time.Now()
	info, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	id, _ := identify(info)
	key := listing{id, pattern}
	if c != nil {
		if known, ok := c.folders[key]; ok && known.time.Equal(info.ModTime()) {
			return known.names
		}
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	all, err := f.Readdirnames(-1)
	names := slices.DeleteFunc(all, func(name string) bool {
		ok, err := filepath.Match(pattern, name)
		return !ok || err != nil || name[0] == '.' && pattern[0] != '.'
	})
	slices.Sort(names)
	if c != nil && err == nil && at.Sub(info.ModTime()) > settledAfter {
		if len(c.folders) >= maxFolders {
			clear(c.folders)
		}
		c.folders[key] = listed{names, info.ModTime()}
	}
	return names
}

// maxFolders bounds what is remembered.
const maxFolders = 1000
