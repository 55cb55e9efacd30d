package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// live keeps the endpoint sets of an nginx with the Lua module at what the control plane has.
// It has a goroutine of its own, so that endpoints move while a bundle is being applied.
type live struct {
	cfg    Config
	client client
	disk   disk
	socket liveSocket
	file   string
	kick   chan struct{}
	asked  chan chan error // by settle

	// Owned by the goroutine in run.
	sets    liveSets
	fetched bool // since the agent's start
	dirty   bool // file differs from sets
	savedAt time.Time
	away    bool // the control plane does not give sets

	mu       sync.Mutex
	wanted   string // the version that the control plane announced; empty: none
	inNginx  string // the version that nginx has confirmed
	running  string // the digest of the tree that nginx runs
	expected bool   // that tree has the socket
	silent   time.Time
	failure  string // why nginx can not have sets; see fit
}

// newLive makes the folder and reads the sets of the agent's last life.
func newLive(cfg Config, d disk) (*live, error) {
	facts := gateway.NodeFacts{TreePath: d.link()}
	l := &live{cfg: cfg, client: client{cfg: cfg}, disk: d, socket: liveSocket{path: nginxconf.LiveSocket(facts)}, file: nginxconf.LiveFile(facts),
		kick: make(chan struct{}, 1), asked: make(chan chan error)}
	if err := os.MkdirAll(filepath.Dir(l.file), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for endpoint sets: %w", err)
	}
	if err := os.Chmod(filepath.Dir(l.file), 0o700); err != nil {
		return nil, fmt.Errorf("close the folder for endpoint sets: %w", err)
	}
	var err error
	if l.sets, err = loadSets(l.file); err != nil {
		cfg.Log.Warn("read the endpoint sets of before", "error", err)
	}
	return l, nil
}

// want takes note of the version that the control plane has. It does not block.
func (l *live) want(version string) {
	l.mu.Lock()
	l.wanted = version
	l.mu.Unlock()
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// expect tells what nginx runs: it should answer on the socket if the tree has it.
func (l *live) expect(running string, hasSocket bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running, l.expected = running, hasSocket; !hasSocket {
		l.silent, l.inNginx = time.Time{}, ""
	}
}

// settle returns when the newest sets are on disk, and in nginx if it takes them: a bundle
// that is applied then finds the endpoints of its upstreams.
func (l *live) settle(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case l.asked <- done:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		return err
	}
}

// run blocks until ctx ends.
func (l *live) run(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		// ctx ends; there is a new version; a bundle waits for its sets; time to see whether
		// nginx still has them.
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
			_ = l.step(ctx, false) // it is logged
		case done := <-l.asked:
			done <- l.step(ctx, true)
		case <-tick.C:
			_ = l.step(ctx, false) // it is logged
		}
	}
}

// step fetches what is new, gives it to nginx and writes it down: at once if urgent, else at
// most once a second.
func (l *live) step(ctx context.Context, urgent bool) error {
	before := l.sets
	changed, err := l.fetch(ctx)
	if err != nil && ctx.Err() == nil && !l.away {
		l.cfg.Log.Warn("fetch endpoint sets; nginx goes on with those that it has", "error", err)
	}
	l.away = err != nil
	if l.sets.version == "" {
		return errors.Join(err, errNoSets)
	}
	l.give(ctx, before.version, changed)
	l.dirty = l.dirty || len(changed) > 0 || before.version != l.sets.version
	if l.dirty && (urgent || time.Since(l.savedAt) >= pulse) {
		if saveErr := l.sets.save(l.file); saveErr != nil {
			l.cfg.Log.Error("write the endpoint sets for nginx's next start", "error", saveErr)
			return errors.Join(err, saveErr)
		}
		l.dirty, l.savedAt = false, time.Now()
	}
	return err
}

// errNoSets is why a bundle has to wait.
var errNoSets = errors.New("the control plane has not given any endpoint sets yet")

// fetch asks the control plane for what it has announced. The first time in an agent's life it
// asks for everything, to find what is left of before.
func (l *live) fetch(ctx context.Context) (changed []string, err error) {
	l.mu.Lock()
	wanted := l.wanted
	l.mu.Unlock()
	if wanted == "" || (l.fetched && wanted == l.sets.version) {
		return l.prune(), nil
	}
	since := ""
	if l.fetched {
		since = l.sets.version
	}
	change, err := l.client.live(ctx, since)
	if err != nil {
		return nil, err
	}
	next, changed, err := l.sets.merge(change, l.stillNamed)
	if err != nil {
		return nil, err
	}
	l.sets, l.fetched = next, true
	return changed, nil
}

// prune drops the sets that were kept for a tree that nginx does not run any more.
func (l *live) prune() (dropped []string) {
	for name := range l.sets.kept {
		if !l.stillNamed(name) {
			dropped = append(dropped, name)
		}
	}
	l.sets = l.sets.without(dropped)
	return dropped
}

// stillNamed says whether the tree on disk, or the one that nginx runs, has the upstream.
func (l *live) stillNamed(name string) bool {
	l.mu.Lock()
	running := l.running
	l.mu.Unlock()
	file := filepath.Join("upstreams", name+".conf")
	for _, tree := range []string{l.disk.link(), l.disk.tree(running)} {
		if _, err := os.Stat(filepath.Join(tree, file)); err == nil {
			return true
		}
	}
	return false
}

// give brings nginx from the sets of before to those of now: only what changed, if it has those
// of before, else everything. Without the socket there is nothing to do: nginx reads the file.
func (l *live) give(ctx context.Context, before string, changed []string) {
	has, err := l.socket.version(ctx)
	if err == nil && (has != l.sets.version || len(changed) > 0) {
		err = errOtherSets
		if has == before && before != "" {
			err = l.push(ctx, l.sets.pushes(before, changed))
		}
		if errors.Is(err, errOtherSets) {
			err = l.push(ctx, l.sets.pushes("", nil))
		}
		has = l.sets.version
	}
	if ctx.Err() == nil {
		l.note(has, err)
	}
}

// push sends the parts and reads the version back.
func (l *live) push(ctx context.Context, parts [][]byte) error {
	for _, part := range parts {
		if _, err := l.socket.push(ctx, part); err != nil {
			return err
		}
	}
	has, err := l.socket.version(ctx)
	if err == nil && has != l.sets.version {
		err = fmt.Errorf("give nginx its endpoint sets: it has version %q after a push of %q", has, l.sets.version)
	}
	return err
}
