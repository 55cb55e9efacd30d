package configsync

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// keepLive is how many versions of the endpoint sets are known, to send only what changed since.
const keepLive = 256

// liveSets are the endpoint sets of a fleet, for all nodes that take them beside their bundle.
// They follow every snapshot at once: rollouts are about bundles.
type liveSets struct {
	of      *gateway.Snapshot // that they are made of
	version string
	seq     uint64 // counts versions
	sets    map[gateway.UpstreamKey]*liveSet
	removed map[string]uint64 // names of upstreams that are no more, with the seq of that
	past    map[string]uint64 // versions, with their seq
	changed chan struct{}     // closed when version changes
}

// liveSet is the set of one upstream.
type liveSet struct {
	from *gateway.EffectiveUpstream // snapshots share those that did not change
	set  nginxconf.EndpointSet
	hash [sha256.Size]byte
	seq  uint64 // of the version that brought it
}

// liveFor brings the sets of a fleet up to its snapshot. mu is held.
func (c *Controller) liveFor(f *fleetState) *liveSets {
	if f.live == nil {
		f.live = &liveSets{sets: map[gateway.UpstreamKey]*liveSet{}, removed: map[string]uint64{}, past: map[string]uint64{}, changed: make(chan struct{})}
	}
	if f.live.of != f.seen {
		f.live.update(f.seen, f.name)
	}
	return f.live
}

// wantsSets says whether a node gets sets: it could take them, or still has them while its
// bundle without endpoints is replaced, however long a rollout takes.
func wantsSets(r gateway.NodeReport) bool {
	return slices.Contains(r.Facts.Modules, nginxconf.ModuleLua) || r.Live != ""
}

// renderLive is liveFor where a node of the fleet wants sets, after a new snapshot. mu is held.
func (c *Controller) renderLive(f *fleetState) {
	for _, n := range f.nodes {
		if wantsSets(n.report) {
			c.liveFor(f)
			return
		}
	}
}

// update takes over what differs in a snapshot.
func (l *liveSets) update(s *gateway.Snapshot, fleet string) {
	tenants := map[string]bool{}
	for _, t := range s.Tenants {
		tenants[t.Name] = slices.Contains(t.Spec.Fleets, fleet)
	}
	l.of = s
	next, all, seq := make(map[gateway.UpstreamKey]*liveSet, len(l.sets)), sha256.New(), l.seq+1
	for _, u := range s.Upstreams {
		if !tenants[u.Key.Tenant] {
			continue
		}
		if set := l.next(u, seq); set != nil {
			next[u.Key] = set
			all.Write(set.hash[:])
		}
	}
	gone := l.gone(next)
	l.sets = next
	if version := hex.EncodeToString(all.Sum(nil)[:16]); version != l.version {
		for _, name := range gone {
			l.removed[name] = seq
		}
		l.advance(version, seq)
	}
}

// next is the set of an upstream in version seq: the one of before where nothing changed.
func (l *liveSets) next(u *gateway.EffectiveUpstream, seq uint64) *liveSet {
	before := l.sets[u.Key]
	if before != nil && before.from == u {
		return before
	}
	set, ok := nginxconf.Set(u)
	if !ok {
		return nil
	}
	text, err := set.Text()
	if err != nil {
		panic("configsync: a set of ours is always valid: " + err.Error())
	}
	n := &liveSet{from: u, set: set, hash: sha256.Sum256([]byte(text)), seq: seq}
	if before != nil && before.hash == n.hash {
		n.seq = before.seq
	}
	return n
}

// gone lists the names of sets that next has not.
func (l *liveSets) gone(next map[gateway.UpstreamKey]*liveSet) (names []string) {
	for key, set := range l.sets {
		if next[key] == nil {
			names = append(names, set.set.Upstream)
		}
	}
	return names
}

// advance makes version the current one and tells whoever waits.
func (l *liveSets) advance(version string, seq uint64) {
	l.version, l.seq = version, seq
	l.past[version] = seq
	if seq > keepLive {
		maps.DeleteFunc(l.past, func(_ string, s uint64) bool { return s <= seq-keepLive })
		maps.DeleteFunc(l.removed, func(_ string, s uint64) bool { return s <= seq-keepLive })
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// since lists what differs from a version that an agent has; from one that is not known any
// more, everything does.
func (l *liveSets) since(version string) protocol.LiveSets {
	out := protocol.LiveSets{Version: l.version}
	seq, known := l.past[version]
	if known {
		out.Since = version
		for name, at := range l.removed {
			if at > seq {
				out.Removed = append(out.Removed, name)
			}
		}
		slices.Sort(out.Removed)
	}
	for _, set := range l.sets {
		if !known || set.seq > seq {
			out.Sets = append(out.Sets, set.set)
		}
	}
	slices.SortFunc(out.Sets, func(a, b nginxconf.EndpointSet) int { return strings.Compare(a.Upstream, b.Upstream) })
	// An upstream that came back is not gone.
	out.Removed = slices.DeleteFunc(out.Removed, func(name string) bool {
		return slices.ContainsFunc(out.Sets, func(s nginxconf.EndpointSet) bool { return s.Upstream == name })
	})
	return out
}

// liveVersion is what a node should have beside its bundle, and closed when that changes:
// nothing, and never, for one that wants no sets. mu is held.
func (c *Controller) liveVersion(f *fleetState, report gateway.NodeReport) (string, <-chan struct{}) {
	if !wantsSets(report) {
		return "", nil
	}
	l := c.liveFor(f)
	return l.version, l.changed
}

func (c *Controller) serveLive(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	c.mu.Lock()
	f, n, err := c.findNode(q.Get("fleet"), q.Get("node"))
	if err == nil && !wantsSets(n.report) {
		err = fmt.Errorf("endpoint sets of node %q: %w: its endpoints stand in its files; sync again", n.report.Node, gateway.ErrNotFound)
	}
	if err != nil {
		c.mu.Unlock()
		fail(w, err)
		return
	}
	out := c.liveFor(f).since(q.Get("since"))
	c.mu.Unlock()
	answer(w, out)
}
