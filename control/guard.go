package control

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// GuardConfig says what a [Guard] takes for a mistake. The zero value of each field is its
// default.
type GuardConfig struct {
	// Percent of a source's endpoints of an upstream that may go in one event. Default 50;
	// 100 switches the guard off.
	Percent int
	// Hold is how long those that went are kept at most. Default 60s.
	Hold time.Duration
	// Out takes the sets. It is called under the guard's lock, so that sets keep their order.
	Out func(gateway.EndpointSet)
	// Now gives the time, for tests. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Guard stands between sources and a [Loop]. When a source suddenly has lost more than half of
// an upstream's endpoints, or all, that is more often a mistake (a wiped prefix, a selector, a
// half-read list) than the truth, so those that went are kept as long as they answer, a minute
// at most, and somebody is told. Endpoints that were draining or terminating before they went,
// or that the source says are out, are gone on purpose, and are never kept.
type Guard struct {
	cfg GuardConfig

	mu       sync.Mutex
	said     map[gateway.SetKey]gateway.EndpointSet // by the source, guarded by mu
	copied   map[gateway.SetKey]gateway.EndpointSet // by an earlier process, until the source speaks; guarded by mu
	followed []*gateway.EffectiveUpstream           // of the last snapshot, only read; guarded by mu
	ill      map[gateway.EndpointKey]bool           // do not answer; guarded by mu
	holds    map[gateway.SetKey]*hold               // guarded by mu
	begun    uint64                                 // holds there have been; guarded by mu
	ended    map[ending]uint64                      // of them; guarded by mu
}

// hold is what is kept of one set.
type hold struct {
	since, until time.Time
	of           int // endpoints that there were
	lost         int // of them
	kept         map[string]gateway.SourceEndpoint
	timer        *time.Timer
}

// NewGuard returns a guard that has heard of nothing.
func NewGuard(cfg GuardConfig) *Guard {
	cfg.Percent = cmp.Or(cfg.Percent, 50)
	cfg.Hold = cmp.Or(cfg.Hold, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Guard{cfg: cfg, said: map[gateway.SetKey]gateway.EndpointSet{}, copied: map[gateway.SetKey]gateway.EndpointSet{},
		ill: map[gateway.EndpointKey]bool{}, holds: map[gateway.SetKey]*hold{}, ended: map[ending]uint64{}}
}

// Restore begins with what an earlier process had: a source that then has nothing at all has
// lost all of it. Losing a part says little, since a copy may be old.
func (g *Guard) Restore(sets []gateway.EndpointSet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range sets {
		g.copied[s.SetKey] = s
	}
}

// SetEndpoints takes a whole set from a source and hands it on, with what is kept.
func (g *Guard) SetEndpoints(s gateway.EndpointSet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, heard := g.said[s.SetKey]
	if !heard && !slices.ContainsFunc(s.Endpoints, inUse) {
		before, heard = g.copied[s.SetKey]
	}
	delete(g.copied, s.SetKey)
	g.said[s.SetKey] = s
	how := endedReturned
	if h := g.holds[s.SetKey]; h != nil {
		for _, e := range s.Endpoints { // it came back
			delete(h.kept, e.Address)
		}
		for _, address := range s.Out { // what looked like a mistake is meant
			if _, kept := h.kept[address]; kept {
				delete(h.kept, address)
				how = endedDeclared
			}
		}
		if s.Absence == gateway.AbsenceDeclared {
			clear(h.kept)
			how = endedDeclared
		}
	}
	if heard && s.Absence != gateway.AbsenceDeclared {
		g.judge(before, s)
	}
	g.send(s.SetKey, how)
}

// judge begins a hold, or adds to one, when too much of before is not in now.
func (g *Guard) judge(before, now gateway.EndpointSet) {
	has := make(map[string]bool, len(now.Endpoints))
	for _, e := range now.Endpoints {
		has[e.Address] = true
	}
	for _, address := range now.Out {
		has[address] = true // it is not lost
	}
	had, gained := 0, 0
	var lost []gateway.SourceEndpoint
	old := make(map[string]bool, len(before.Endpoints))
	for _, e := range before.Endpoints {
		old[e.Address] = true
		if !inUse(e) {
			continue
		}
		had++
		if !has[e.Address] {
			lost = append(lost, e)
		}
	}
	for _, e := range now.Endpoints {
		if inUse(e) && !old[e.Address] {
			gained++ // it takes the place of one that went
		}
	}
	if (len(lost)-gained)*100 <= had*g.cfg.Percent {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(lost), func(e gateway.SourceEndpoint) bool {
		return g.ill[gateway.EndpointKey{Upstream: now.Upstream, Address: e.Address}]
	})
	if len(kept) == 0 {
		return // nobody would miss them
	}
	h := g.holds[now.SetKey]
	if h == nil {
		t := g.cfg.Now()
		h = &hold{since: t, until: t.Add(g.cfg.Hold), of: had, kept: map[string]gateway.SourceEndpoint{}}
		h.timer = time.AfterFunc(g.cfg.Hold, func() { g.expire(now.SetKey, h) })
		g.holds[now.SetKey] = h
		g.begun++
	}
	h.lost += len(lost)
	for _, e := range kept {
		h.kept[e.Address] = e
	}
	g.cfg.Log.Warn("a source has lost most of an upstream's endpoints at once: they are kept while they answer",
		"upstream", now.Upstream.String(), "source", now.Source, "place", now.Place, "lost", len(lost), "of", had, "until", h.until)
}

// inUse endpoints may get new requests. Of others one expects that they go.
func inUse(e gateway.SourceEndpoint) bool { return !e.Terminating && e.Weight > 0 }

// send hands on what the source says, and what is kept. A hold that keeps nothing more is over,
// and how says why.
func (g *Guard) send(k gateway.SetKey, how ending) {
	s := g.said[k]
	if h := g.holds[k]; h != nil {
		if len(h.kept) == 0 {
			h.timer.Stop()
			delete(g.holds, k)
			g.ended[how]++
		}
		s.Endpoints = slices.Clone(s.Endpoints)
		for _, e := range h.kept {
			s.Endpoints = append(s.Endpoints, e)
		}
		slices.SortFunc(s.Endpoints, func(a, b gateway.SourceEndpoint) int { return cmp.Compare(a.Address, b.Address) })
	}
	g.cfg.Out(s)
}

// SetVerdicts lets go of those that are kept and do not answer. Others that do not answer are
// not kept when their source loses them.
func (g *Guard) SetVerdicts(verdicts []gateway.Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range verdicts {
		if v.State != gateway.StateDown && v.State != gateway.StateEjected {
			delete(g.ill, v.EndpointKey)
			continue
		}
		g.ill[v.EndpointKey] = true
		for k, h := range g.holds {
			if _, kept := h.kept[v.Address]; kept && k.Upstream == v.Upstream {
				delete(h.kept, v.Address)
				g.cfg.Log.Info("an endpoint that its source has lost is let go: it does not answer", "upstream", v.Upstream.String(), "endpoint", v.Address, "reason", v.Reason)
				g.send(k, endedUnanswered)
			}
		}
	}
}

func (g *Guard) expire(k gateway.SetKey, h *hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds[k] == h {
		g.cfg.Log.Warn("endpoints that their source has lost are let go: their time is over", "upstream", k.Upstream.String(), "source", k.Source, "endpoints", len(h.kept))
		g.drop(k, h, endedExpired)
	}
}

func (g *Guard) drop(k gateway.SetKey, h *hold, how ending) {
	clear(h.kept)
	g.send(k, how)
}
