package configsync

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Problems lists what people have to settle, for all fleets: values that nginx can't take,
// and bundles that nodes refused.
func (c *Controller) Problems() []gateway.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []gateway.Problem{}
	for _, f := range c.fleets {
		if !f.exists {
			continue
		}
		for key, r := range f.renderings {
			if key == factsKey(gateway.NodeFacts{}) && len(f.renderings) > 1 {
				continue // no node has these facts
			}
			list = append(list, r.problems...)
		}
		list = append(list, f.rolloutProblems()...)
		for _, n := range f.nodes {
			if n.problem != nil {
				list = append(list, *n.problem)
			}
		}
	}
	list = append(list, c.moveProblems()...)
	list = append(list, c.orphanProblems()...)
	slices.SortFunc(list, gateway.Problem.Compare)
	return slices.Compact(list)
}

// publish hands the problems to Config.Report when they differ from the last time.
func (c *Controller) publish() {
	c.reportMu.Lock()
	defer c.reportMu.Unlock()
	list := c.Problems()
	if c.reported != nil && slices.Equal(list, c.reported) {
		return
	}
	c.reported = list
	c.cfg.Report(list)
}

// failureProblem puts a node's refusal on the object whose text stands on the line that
// nginx names, or on the fleet.
func failureProblem(f *fleetState, n *node) *gateway.Problem {
	fail := n.report.Failed
	if fail == nil {
		return nil
	}
	p := &gateway.Problem{
		Object: gateway.Ref{Kind: gateway.KindFleet, Name: f.name},
		Code:   "nginx_" + strings.ReplaceAll(fail.Step, "-", "_") + "_failed",
		Source: "node " + n.report.Node,
	}
	if tree := f.bundle(n, fail.Digest); tree != nil && fail.File != "" {
		if owner, ok := tree.Owner(fail.File, fail.Line); ok {
			p.Object = owner
		}
	}
	if p.Object.Kind == gateway.KindOverride {
		p.Field = "spec.nginx"
	}
	p.Message = fmt.Sprintf("node %s of fleet %s did not apply bundle %s at step %s: %s. %s",
		n.report.Node, f.name, fail.Digest, fail.Step, fail.Message, advice(fail, p.Object))
	return p
}

// advice says what to do about a failure.
func advice(fail *gateway.ApplyFailure, object gateway.Ref) string {
	switch {
	case fail.Step == "verify-bundle":
		return "The node keeps its previous configuration; see who stands between it and the control plane"
	case fail.Step == "verify" || fail.Step == "reload":
		return "See to nginx on the node; the agent tries again by itself"
	case object.Kind == gateway.KindOverride:
		return "The node keeps its previous configuration; correct or delete the override's nginx text"
	}
	return "The node keeps its previous configuration; correct what nginx names, the agent tries again by itself"
}
