package configsync

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// moves are tenants that left a fleet for others, by fleet and tenant. The fleet serves them
// until all nodes of the others do, so that there is no gap. A process that starts does not know
// who was served before, and begins with what is wanted.
type moves map[string]map[string]bool

// note compares two snapshots.
func (m moves) note(before, now *gateway.Snapshot) {
	fleets := func(s *gateway.Snapshot) map[string][]string {
		out := map[string][]string{}
		if s != nil {
			for _, t := range s.Tenants {
				out[t.Name] = t.Spec.Fleets
			}
		}
		return out
	}
	was, is := fleets(before), fleets(now)
	for tenant, list := range was {
		for _, fleet := range list {
			if !slices.Contains(is[tenant], fleet) && len(is[tenant]) > 0 {
				if m[fleet] == nil {
					m[fleet] = map[string]bool{}
				}
				m[fleet][tenant] = true
			}
		}
	}
	for fleet, tenants := range m {
		for tenant := range tenants {
			if len(is[tenant]) == 0 || slices.Contains(is[tenant], fleet) {
				m.end(fleet, tenant) // it is gone, or back
			}
		}
	}
}

func (m moves) end(fleet, tenant string) {
	if delete(m[fleet], tenant); len(m[fleet]) == 0 {
		delete(m, fleet)
	}
}

// with is the snapshot with the tenants that a fleet still serves.
func (m moves) with(fleet string, s *gateway.Snapshot) *gateway.Snapshot {
	if len(m[fleet]) == 0 {
		return s
	}
	out := *s
	out.Tenants = slices.Clone(s.Tenants)
	for i, t := range out.Tenants {
		if m[fleet][t.Name] {
			kept := *t
			kept.Spec.Fleets = append(slices.Clone(t.Spec.Fleets), fleet)
			out.Tenants[i] = &kept
		}
	}
	return &out
}

// endMoves ends those whose tenants have arrived, and says whether there were any. mu is held.
func (c *Controller) endMoves() (ended bool) {
	if len(c.moving) == 0 || c.snapshot == nil {
		return false
	}
	now := c.cfg.Now()
	for _, t := range c.snapshot.Tenants {
		for fleet, tenants := range c.moving {
			if tenants[t.Name] && c.arrived(t, now) {
				c.moving.end(fleet, t.Name)
				c.cfg.Log.Info("a tenant has moved", "tenant", t.Name, "from", fleet, "to", t.Spec.Fleets)
				ended = true
			}
		}
	}
	return ended
}

// arrived says whether all nodes of a tenant's fleets run what they should, and there are any.
func (c *Controller) arrived(t *gateway.Tenant, now time.Time) bool {
	known := false
	for _, name := range t.Spec.Fleets {
		f := c.fleets[name]
		if f == nil || !f.exists {
			continue
		}
		if known = true; !f.complete(now) {
			return false
		}
	}
	return known
}

// complete says whether all nodes of a fleet that are there run the newest snapshot.
func (f *fleetState) complete(now time.Time) bool {
	if f.waves() && (f.record.active() || !f.same) {
		return false
	}
	nodes := 0
	for _, n := range f.nodes {
		if r := n.report; now.Sub(r.ReportedAt) <= silentAfter && r.Running != "" {
			if nodes++; r.Running != n.rendering.tree.Digest {
				return false
			}
		}
	}
	for _, p := range f.peers {
		if !p.Silent && p.Up {
			if nodes++; !p.Runs {
				return false
			}
		}
	}
	return nodes > 0
}

// moveProblems name the tenants that are still served where they should not be.
func (c *Controller) moveProblems() (list []gateway.Problem) {
	for _, t := range c.tenants() {
		for fleet, tenants := range c.moving {
			if tenants[t.Name] {
				list = append(list, gateway.Problem{Object: t.Ref(), Field: "spec.fleets", Code: "tenant_moving", Source: "fleet " + fleet,
					Message: fmt.Sprintf("Fleet %s still serves this tenant, until all nodes of %s do: nothing is to be done, unless those nodes have problems of their own.", fleet, strings.Join(t.Spec.Fleets, ", "))})
			}
		}
	}
	return list
}

func (c *Controller) tenants() []*gateway.Tenant {
	if c.snapshot == nil {
		return nil
	}
	return c.snapshot.Tenants
}
