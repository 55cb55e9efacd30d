package agent

import (
	"bytes"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// contents remember the bytes of files for as long as these have the size and the time of before.
// The agent looks at all files of a tree many times for each bundle, from which mostly one is
// new, and asking for a file's time costs a tenth of reading it. Names do not count: trees share
// files that stay the same.
//
// An edit that keeps the size and puts the old time back would not be seen: files that are
// written to while they are watched are read again, and so is everything in each sweep.
//
// It belongs to the agent's loop. The one that is nil remembers nothing.
type contents struct {
	fresh, older map[fileID]content // read since the last turn, and before it
	folders      map[listing]listed // see glob
	bundles      []*nginxconf.Tree  // the newest last
}

type fileID struct{ device, inode uint64 }

type content struct {
	data []byte
	time time.Time
	// settled says that the file had that time for a while when it was read: the clock that
	// stamps files stands still for some milliseconds.
	settled bool
}

// settledAfter is several times as long as that.
const settledAfter = 100 * time.Millisecond

// look is what a file was like at one moment.
type look struct {
	data    []byte // not to be changed
	perm    os.FileMode
	changed time.Time // its bytes, its name or its owner, which unlike the time of the bytes can not be set
}

func newContents() *contents {
	return &contents{fresh: map[fileID]content{}, older: map[fileID]content{}, folders: map[listing]listed{}}
}

// read is os.ReadFile with what else is to be known of the file.
func (c *contents) read(path string) (look, error) {
	if c == nil {
		return readNow(path, nil)
	}
	info, err := os.Stat(path)
	if err != nil {
		return look{}, err
	}
	id, changed := identify(info)
	known, ok := c.fresh[id]
	if !ok {
		known, ok = c.older[id]
	}
	if ok && known.settled && int64(len(known.data)) == info.Size() && known.time.Equal(info.ModTime()) {
		c.fresh[id] = known
		return look{known.data, info.Mode().Perm(), changed}, nil
	}
	return readNow(path, func(info os.FileInfo, data []byte, at time.Time) {
		id, _ := identify(info)
		if int64(len(data)) == info.Size() {
			c.fresh[id] = content{data, info.ModTime(), at.Sub(info.ModTime()) > settledAfter}
		}
	})
}

// readNow reads a file, and calls keep with what it is and when reading began.
func readNow(path string, keep func(info os.FileInfo, data []byte, at time.Time)) (look, error) {
	at := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return look{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return look{}, err
	}
	b := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := b.ReadFrom(f); err != nil {
		return look{}, err
	}
	if keep != nil {
		keep(info, b.Bytes(), at)
	}
	_, changed := identify(info)
	return look{b.Bytes(), info.Mode().Perm(), changed}, nil
}

func identify(info os.FileInfo) (fileID, time.Time) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, time.Time{}
	}
	return fileID{s.Dev, s.Ino}, time.Unix(s.Ctim.Unix())
}

// turn forgets what was not read since the last turn.
func (c *contents) turn() {
	if c != nil {
		c.older, c.fresh = c.fresh, make(map[fileID]content, len(c.fresh))
	}
}

// forget makes everything be read again, or, if paths are named, only those files.
func (c *contents) forget(paths ...string) {
	if c == nil {
		return
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			id, _ := identify(info)
			delete(c.fresh, id)
			delete(c.older, id)
		}
	}
	if len(paths) == 0 {
		clear(c.fresh)
		clear(c.older)
		clear(c.folders)
	}
}

// pristine is what read returns for a digest, or what it returned before: a bundle is verified
// by its digest, so it is the same for ever.
func (c *contents) pristine(digest string, read func() *nginxconf.Tree) *nginxconf.Tree {
	if c == nil {
		return read()
	}
	for _, tree := range c.bundles {
		if tree.Digest == digest {
			return tree
		}
	}
	tree := read()
	c.keep(tree)
	return tree
}

// keep remembers a verified bundle. Two are needed: that on disk, and the next.
func (c *contents) keep(tree *nginxconf.Tree) {
	if c == nil || tree == nil {
		return
	}
	c.bundles = slices.DeleteFunc(c.bundles, func(t *nginxconf.Tree) bool { return t.Digest == tree.Digest })
	c.bundles = append(c.bundles, tree)
	c.bundles = slices.Clone(c.bundles[max(0, len(c.bundles)-2):])
}
