package configsync

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Rollouts keeps how far rollouts are, for all control planes of a store. Waiting calls go on
// through trouble with the store, and return nil when ctx or the store ends.
type Rollouts interface {
	// Swap writes the record of all fleets if the present one has that revision (0: there is
	// none), and says whether it did.
	Swap(ctx context.Context, record []byte, revision int64) (bool, error)
	// Watch calls handle with the record and its revision, and then with each new one.
	Watch(ctx context.Context, handle func(record []byte, revision int64)) error
	// Files are the entries that were put for a revision of a fleet.
	Files(ctx context.Context, fleet string, revision uint64) (map[string][]byte, error)
	PutFile(ctx context.Context, fleet string, revision uint64, entry string, value []byte) error
	DropFiles(ctx context.Context, fleet string, revision uint64) error
	// Lead calls work in one of the control planes at a time.
	Lead(ctx context.Context, work func(context.Context) error) error
	// Post shows the newest of values to the others, and Notices calls handle with what all of
	// them show, by control plane, and with which of them this one is.
	Post(ctx context.Context, values <-chan []byte) error
	Notices(ctx context.Context, handle func(own string, all map[string][]byte)) error
}

// book is what a controller knows of the records of all fleets. It is guarded by its mu.
type book struct {
	store    Rollouts
	records  map[string]*rolloutRecord
	revision int64 // of the records in the store
	loaded   bool
	stored   map[string]map[uint64]map[string]*nginxconf.Tree // by fleet; see rolloutState
	written  map[fileKey]string                               // shapes of what is in the store
	alike    map[fileKey]*nginxconf.Tree                      // found to have the shape of what is in the store; see same
	kick     chan struct{}                                    // holds a value when there is work for the leader
}

type fileKey struct {
	fleet   string
	content uint64
	key     string
}

func newBook(store Rollouts) book {
	return book{store: store, records: map[string]*rolloutRecord{}, stored: map[string]map[uint64]map[string]*nginxconf.Tree{},
		written: map[fileKey]string{}, alike: map[fileKey]*nginxconf.Tree{}, kick: make(chan struct{}, 1)}
}

// files are the stored files of a fleet.
func (b *book) files(fleet string) map[uint64]map[string]*nginxconf.Tree {
	if b.stored[fleet] == nil {
		b.stored[fleet] = map[uint64]map[string]*nginxconf.Tree{}
	}
	return b.stored[fleet]
}

// same says whether a tree has the shape of the one in the store. The leader asks for each tree in
// each round, and a shape takes reading all files.
func (b *book) same(k fileKey, tree *nginxconf.Tree) bool {
	if b.alike[k] == tree {
		return true
	}
	if b.written[k] != tree.Shape() {
		return false
	}
	b.alike[k] = tree
	return true
}

// nudge tells the leader that something has changed.
func (c *Controller) nudge() {
	select {
	case c.book.kick <- struct{}{}:
	default:
	}
}

// known says whether it is known what nodes of the fleet should run. mu is held.
func (c *Controller) known(f *fleetState) error {
	if c.book.store == nil || c.book.loaded || f.plan.AtOnce {
		return nil
	}
	return fmt.Errorf("fleet %q: %w: how far its rollout is has not been read yet; ask again in a moment", f.name, gateway.ErrUnavailable)
}

// takeBook takes a new record over, with the files that it needs.
func (c *Controller) takeBook(ctx context.Context, value []byte, revision int64) {
	records := map[string]*rolloutRecord{}
	if value != nil {
		if err := json.Unmarshal(value, &records); err != nil {
			c.cfg.Log.Error("the record of rollouts can not be read: nodes keep what they run", "error", err)
			return
		}
	}
	for fleet, rec := range records {
		for _, content := range rec.needed() {
			if slices.Contains(rec.Kept, content) && !c.readFiles(ctx, fleet, content) {
				return // ctx has ended
			}
		}
	}
	c.mu.Lock()
	c.book.records, c.book.revision, c.book.loaded = records, revision, true
	c.book.forget()
	var changed []string
	for name, f := range c.fleets {
		f.record = records[name]
		if c.placeAll(f) || f.record != nil {
			changed = append(changed, name)
		}
		if f.record != nil {
			f.forgetTracks()
		}
	}
	moved := c.endMoves()
	c.mu.Unlock()
	if c.nudge(); moved {
		c.Refresh()
	}
	for _, name := range changed {
		c.cfg.Changed(name)
	}
	c.publish()
}

// readFiles reads the files of a revision unless they are here, and goes on until it can. It is
// false when ctx ends.
func (c *Controller) readFiles(ctx context.Context, fleet string, content uint64) bool {
	c.mu.Lock()
	have := len(c.book.files(fleet)[content]) > 0
	c.mu.Unlock()
	for !have {
		entries, err := c.book.store.Files(ctx, fleet, content)
		if err == nil {
			c.installFiles(fleet, content, entries)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.cfg.Log.Warn("read the files of a revision; it is tried again", "fleet", fleet, "revision", content, "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
		}
	}
	return true
}

func (c *Controller) installFiles(fleet string, content uint64, entries map[string][]byte) {
	trees, err := unpackTrees(entries)
	if err != nil {
		c.cfg.Log.Error("files of a revision are damaged: nodes that run it keep what they have", "fleet", fleet, "revision", content, "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.book.files(fleet)
	if files[content] == nil {
		files[content] = map[string]*nginxconf.Tree{}
	}
	for key, tree := range trees {
		if files[content][key] == nil {
			files[content][key] = tree
		}
		c.book.written[fileKey{fleet, content, key}] = tree.Shape()
		c.book.alike[fileKey{fleet, content, key}] = tree
	}
}

// forget drops what the records do not keep any more.
func (b *book) forget() {
	for fleet := range b.stored {
		if rec := b.records[fleet]; rec == nil || rec.Base.Number == 0 {
			clear(b.stored[fleet])
		}
	}
	maps.DeleteFunc(b.written, func(k fileKey, _ string) bool {
		rec := b.records[k.fleet]
		return rec == nil || !slices.Contains(rec.Kept, k.content)
	})
	maps.DeleteFunc(b.alike, func(k fileKey, _ *nginxconf.Tree) bool { return b.written[k] == "" })
}

// partSize is how much of a tree is written at a time: etcd takes 1.5 MiB.
const partSize = 1 << 20

// packTree makes entries of a tree: "KEY.0", "KEY.1"...
func packTree(key string, tree *nginxconf.Tree) (map[string][]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(tree); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	out, i := map[string][]byte{}, 0
	for part := range slices.Chunk(b.Bytes(), partSize) {
		out[key+"."+strconv.Itoa(i)] = part
		i++
	}
	return out, nil
}

// unpackTrees reads entries. Trees that are complete come with the error about those that are
// not.
func unpackTrees(entries map[string][]byte) (map[string]*nginxconf.Tree, error) {
	parts := map[string]map[int][]byte{}
	for entry, b := range entries {
		key, number, _ := strings.Cut(entry, ".")
		i, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if parts[key] == nil {
			parts[key] = map[int][]byte{}
		}
		parts[key][i] = b
	}
	var failed error
	trees := map[string]*nginxconf.Tree{}
	for key, list := range parts {
		var all []byte
		for _, i := range slices.Sorted(maps.Keys(list)) {
			all = append(all, list[i]...)
		}
		tree, err := unpackTree(all)
		if err != nil {
			failed = fmt.Errorf("files for the facts %s: %w", key, err)
			continue
		}
		trees[key] = tree
	}
	return trees, failed
}

func unpackTree(b []byte) (*nginxconf.Tree, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	tree := &nginxconf.Tree{}
	if err := json.Unmarshal(text, tree); err != nil {
		return nil, err
	}
	return tree, tree.Verify()
}
