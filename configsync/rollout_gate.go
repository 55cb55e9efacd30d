package configsync

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// everything is the key of a tally for all servers together.
const everything = ""

// hopeless is the share of errors that is too much even where nothing is known to compare it
// with, such as a host that nobody has asked for before.
const hopeless = 0.5

// sure is by how many standard errors a share has to be higher before that is no chance: with
// hundreds of hosts, two would be wrong every day.
const sure = 3

// evidence is what a wave is judged by.
type evidence struct {
	changed, reference, before tally
	nodes, references          int
}

// judge says why nodes with the change are worse than those without it, or nothing.
func (e *evidence) judge(g gateway.Gates) (*gateway.RolloutFigures, string) {
	figures := e.figures(everything, g)
	if why := e.connects(g, figures); why != "" {
		return figures, why
	}
	for _, server := range slices.SortedFunc(maps.Keys(e.changed), e.worst) {
		c := e.changed[server]
		if c.Requests < uint64(g.MinRequests) || c.Errors == 0 {
			continue
		}
		f := e.figures(server, g)
		if !worse(ratio{c.Errors, c.Requests}, ratio{f.Reference.Errors, f.Reference.Requests}, g.MaxErrorRatioDelta, g.MinRequests) {
			continue
		}
		of := "all hosts"
		if server != everything {
			of = "host " + server
		}
		return f, fmt.Sprintf("The share of 5xx answers for %s is too high: %s. The gate is %s more.", of, compared(f, c.Errors, c.Requests, f.Reference.Errors, f.Reference.Requests, "requests"), percent(g.MaxErrorRatioDelta))
	}
	return figures, ""
}

func (e *evidence) connects(g gateway.Gates, f *gateway.RolloutFigures) string {
	c, r := f.Changed, f.Reference
	if !worse(ratio{c.ConnectErrors, c.Exchanges}, ratio{r.ConnectErrors, r.Exchanges}, g.MaxConnectErrorDelta, g.MinRequests) {
		return ""
	}
	return fmt.Sprintf("Too many attempts to connect to endpoints fail: %s. The gate is %s more.", compared(f, c.ConnectErrors, c.Exchanges, r.ConnectErrors, r.Exchanges, "attempts"), percent(g.MaxConnectErrorDelta))
}

// worst orders servers: the one with the most errors first.
func (e *evidence) worst(a, b string) int {
	return cmp.Or(cmp.Compare(e.changed[b].Errors, e.changed[a].Errors), cmp.Compare(b, a))
}

// figures compare a server on nodes with the change with those without it, or with the same
// nodes before, where those had too few requests.
func (e *evidence) figures(server string, g gateway.Gates) *gateway.RolloutFigures {
	f := &gateway.RolloutFigures{Changed: e.changed[server].public(e.nodes), Reference: e.reference[server].public(e.references)}
	if f.Reference.Requests < uint64(g.MinRequests) && e.before[server].Requests > f.Reference.Requests {
		f.Reference, f.Before = e.before[server].public(e.nodes), true
	}
	return f
}

type ratio struct{ bad, all uint64 }

func (r ratio) share() float64 { return float64(r.bad) / float64(max(r.all, 1)) }

// worse says whether a share is higher than another one by more than delta, and not by chance.
func worse(c, r ratio, delta float64, least int) bool {
	switch {
	case delta >= 1 || c.all < uint64(least):
		return false
	case r.all < uint64(least):
		return c.share() > max(hopeless, r.share()+delta)
	case c.share()-r.share() <= delta:
		return false
	}
	p := float64(c.bad+r.bad) / float64(c.all+r.all)
	return c.share()-r.share() > sure*math.Sqrt(p*(1-p)*(1/float64(c.all)+1/float64(r.all)))
}

// compared puts two shares in words.
func compared(f *gateway.RolloutFigures, bad, all, refBad, refAll uint64, what string) string {
	text := fmt.Sprintf("%s (%d of %d %s) on %s with the change", percent(ratio{bad, all}.share()), bad, all, what, counted(f.Changed.Nodes))
	switch {
	case refAll == 0:
		return text + ", and there were none to compare with"
	case f.Before:
		return text + fmt.Sprintf(", %s (%d of %d) on the same before it", percent(ratio{refBad, refAll}.share()), refBad, refAll)
	}
	return text + fmt.Sprintf(", %s (%d of %d) on %s without it", percent(ratio{refBad, refAll}.share()), refBad, refAll, counted(f.Reference.Nodes))
}

func counted(nodes int) string {
	if nodes == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", nodes)
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }
