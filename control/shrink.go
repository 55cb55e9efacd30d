package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Shrinks are the losses for which something is kept now, sorted.
func (g *Guard) Shrinks() []gateway.Shrink {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]gateway.Shrink, 0, len(g.holds))
	for k, h := range g.holds {
		out = append(out, gateway.Shrink{Upstream: k.Upstream, Source: k.Source, Place: k.Place, Since: h.since.UTC(), Until: h.until.UTC(),
			Lost: h.lost, Of: h.of, Kept: slices.Sorted(maps.Keys(h.kept))})
	}
	slices.SortFunc(out, gateway.Shrink.Compare)
	return out
}

// Problems tells what is kept, for the owners of the upstreams.
func (g *Guard) Problems() []gateway.Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := []gateway.Problem{}
	for k, h := range g.holds {
		out = append(out, gateway.Problem{
			Object: gateway.Ref{Kind: gateway.KindUpstream, Tenant: k.Upstream.Tenant, Name: k.Upstream.Name},
			Field:  "spec.discover", Code: "shrink_held", Source: string(k.Source),
			Message: fmt.Sprintf("At %s %s lost %d of %d endpoints at once. Those that answer (%s) are kept until %s: accept the loss if it is meant, or hold on to them.",
				h.since.UTC().Format(time.TimeOnly), placeOf(k), h.lost, h.of, some(h.kept), h.until.UTC().Format(time.TimeOnly+" MST")),
		})
	}
	slices.SortFunc(out, gateway.Problem.Compare)
	return out
}

// Accept says that the endpoints of an upstream are gone on purpose. It returns how many were
// kept until now.
func (g *Guard) Accept(u gateway.UpstreamKey) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, h := range g.holds {
		if k.Upstream == u {
			n += len(h.kept)
			g.drop(k, h, endedAccepted)
		}
	}
	return n
}

// Extend keeps the endpoints of an upstream for longer, as long as they answer. It returns how
// many there are.
func (g *Guard) Extend(u gateway.UpstreamKey, until time.Time) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, h := range g.holds {
		if k.Upstream == u && h.timer.Reset(until.Sub(g.cfg.Now())) {
			h.until = until
			n += len(h.kept)
		}
	}
	return n
}

func placeOf(k gateway.SetKey) string {
	if k.Place == "" {
		return string(k.Source)
	}
	return string(k.Source) + " " + k.Place
}

// some names a few of the endpoints.
func some(kept map[string]gateway.SourceEndpoint) string {
	const most = 3
	var list []string
	for address := range kept {
		list = append(list, address)
	}
	slices.Sort(list)
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}
