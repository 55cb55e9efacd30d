package etcd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/discovery"
)

// health is how the source is doing.
type health struct {
	mu        sync.Mutex
	up        bool
	down      error            // what the last probe said
	failing   map[string]error // prefixes that cannot be followed
	lastEvent time.Time
	wanted    int
}

// prefix notes whether a prefix can be followed (nil) or not, and says whether this is
// news worth a log line: the first failure in a row.
func (h *health) prefix(prefix string, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, failing := h.failing[prefix]
	if err == nil {
		delete(h.failing, prefix)
		return false
	}
	if h.failing == nil {
		h.failing = map[string]error{}
	}
	h.failing[prefix] = err
	return !failing
}

func (h *health) forget(prefix string) { h.prefix(prefix, nil) }

func (h *health) event(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastEvent = now
}

func (h *health) wants(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = n
}

// probed notes a probe's result.
func (h *health) probed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up, h.down = err == nil, err
}

// stop clears what is true of a running source only.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up, h.down, h.wanted = false, errors.New("not running"), 0
	clear(h.failing)
}

func (h *health) status() discovery.SourceStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := discovery.SourceStatus{Up: h.up, LastEvent: h.lastEvent, Wants: h.wanted}
	switch {
	case h.down != nil:
		s.Error = h.down.Error()
	case len(h.failing) > 0:
		s.Error = h.failing[slices.Min(slices.Collect(maps.Keys(h.failing)))].Error()
	}
	return s
}

// probe asks the etcd for a sign of life again and again: a watch is as silent over a dead
// connection as over a quiet prefix. It tells replaced when the answers come from another
// etcd than before, or from one that has gone back in time (restored from a backup): a
// watch that waits for a revision in the future would wait for ever. It tells loggedOut when
// a registry does not know us any more: its password may have been changed.
func (s *Source) probe(ctx context.Context, client *clientv3.Client, replaced, loggedOut chan<- struct{}) {
	var cluster uint64
	var revision int64
	tick := time.NewTicker(s.cfg.ProbeEvery)
	defer tick.Stop()
	for {
		header, err := s.ask(ctx, client)
		if ctx.Err() != nil {
			return
		}
		s.health.probed(err)
		if refused(err) && s.cfg.Registry != nil {
			select {
			case loggedOut <- struct{}{}:
			case <-ctx.Done():
			}
			return
		}
		if header != nil {
			if cluster != 0 && (header.cluster != cluster || header.revision < revision) {
				select {
				case replaced <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
			cluster, revision = header.cluster, header.revision
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// header says which etcd answered, and where in its history it is.
type header struct {
	cluster  uint64
	revision int64
}

func (s *Source) ask(ctx context.Context, client *clientv3.Client) (*header, error) {
	asking, cancel := context.WithTimeout(ctx, s.cfg.Answer)
	defer cancel()
	key := "\x00"
	if k := s.asked.Load(); k != nil {
		key = *k
	}
	resp, err := client.Get(asking, key, clientv3.WithCountOnly())
	switch {
	case errors.Is(err, rpctypes.ErrPermissionDenied): // an answer all the same
		return nil, nil
	case err != nil:
		return nil, s.explain(ctx, "ask for a sign of life of", client.Endpoints(), err)
	}
	return &header{cluster: resp.Header.ClusterId, revision: resp.Header.Revision}, nil
}
