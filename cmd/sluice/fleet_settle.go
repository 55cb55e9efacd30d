package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// settleFlags are how edits by hand are settled.
type settleFlags struct {
	revert, adopt, dryRun bool
	all                   bool
	until, reason         string
	nodes                 []string
	wait                  time.Duration
}

func fleetSettle() *cobra.Command {
	var f settleFlags
	cmd := &cobra.Command{Use: "settle FLEET HUNK...", Short: "Revert, adopt or allow edits by hand", Args: cobra.MinimumNArgs(1),
		Long: "Settle edits by hand, named by the ids that sluice fleet drift shows:\n\n" +
			"  --revert            the nodes take it back; files outside of Sluice's tree become what most\n" +
			"                      nodes have\n" +
			"  --adopt             it becomes an override, an endpoint or a pin, and so reaches all nodes\n" +
			"  --allow-until DATE  it stays until then (2027-01-31, or with a time as in RFC 3339), and goes\n" +
			"                      on into new bundles that do not contradict it",
		Example: "  sluice fleet settle shared 4f1a09d2c3b4 --adopt --reason 'OPS-7 long uploads'\n" +
			"  sluice fleet settle shared --all --node edge-07 --revert",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1:]) }}
	flags := cmd.Flags()
	flags.BoolVar(&f.revert, "revert", false, "take the edit back")
	flags.BoolVar(&f.adopt, "adopt", false, "make the edit what all nodes have")
	f.shared(cmd)
	return cmd
}

// fleetRevert and fleetAdopt are settle with the action as the verb.
func fleetRevert() *cobra.Command {
	f := settleFlags{revert: true}
	cmd := &cobra.Command{Use: "revert FLEET HUNK...", Short: "Have nodes take edits by hand back: settle --revert", Args: cobra.MinimumNArgs(1),
		Example: "  sluice fleet revert shared 4f1a09d2c3b4\n  sluice fleet revert shared --all --node edge-07",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1:]) }}
	f.shared(cmd)
	return cmd
}

func fleetAdopt() *cobra.Command {
	f := settleFlags{adopt: true}
	cmd := &cobra.Command{Use: "adopt FLEET HUNK...", Short: "Make edits by hand what all nodes have: settle --adopt", Args: cobra.MinimumNArgs(2),
		Example: "  sluice fleet adopt shared 4f1a09d2c3b4 --reason 'OPS-7 long uploads'",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1:]) }}
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the others")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be written")
	return cmd
}

// shared are the flags of settle that revert has too.
func (f *settleFlags) shared(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "instead of HUNK...: all edits of rendered files on the nodes of --node")
	flags.StringSliceVar(&f.nodes, "node", nil, "on this node only; may be repeated (default: all that have it)")
	flags.DurationVar(&f.wait, "wait", time.Minute, "how long to wait for nodes that take an edit back; 0 returns at once")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be written")
	if !f.revert {
		flags.StringVar(&f.until, "allow-until", "", "let the edit stay until this date")
		flags.StringVar(&f.reason, "reason", "", "why, for the others (needed to adopt and to allow)")
	}
}

// run settles each of the hunks: one that can't be settled does not keep the others.
func (f *settleFlags) run(cmd *cobra.Command, fleet string, ids []string) error {
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	request, err := f.request()
	if err != nil {
		return err
	}
	switch {
	case f.all && (len(ids) > 0 || len(f.nodes) == 0 || f.adopt):
		return errors.New("--all stands for the hunks of the nodes that --node names: give no HUNK, and --revert or --allow-until")
	case len(ids) == 0 && !f.all:
		return errors.New("name the hunks that `sluice fleet drift` shows, or --all --node NODE")
	}
	on := map[string][]string{}
	if f.all {
		if on, err = f.handMade(cmd, c, fleet); err != nil {
			return err
		}
		ids = slices.Sorted(maps.Keys(on))
	}
	if f.adopt {
		if err := f.warnOfOthers(cmd, c, fleet, ids); err != nil {
			return err
		}
		if also := ids[1:]; len(also) > 0 { // one write: no node gets some of the edits without the others
			request.Also, ids = &also, ids[:1]
		}
	}
	var failed []error
	asked := map[string][]string{}
	for _, id := range ids {
		if nodes := on[id]; nodes != nil {
			request.Nodes = &nodes
		}
		nodes, err := f.settle(cmd, c, fleet, id, request)
		if err != nil {
			if !strings.Contains(err.Error(), id) {
				err = fmt.Errorf("hunk %s: %w", id, err)
			}
			failed = append(failed, err)
			continue
		}
		asked[id] = nodes
	}
	if f.revert && !f.dryRun && f.wait > 0 && len(asked) > 0 {
		failed = append(failed, f.await(cmd, c, fleet, asked))
	}
	return errors.Join(failed...)
}

// eachEdit goes through the edits of a fleet, node by node.
func eachEdit(drift gateway.FleetDrift, do func(h gateway.NodeHunk, on gateway.HunkNode)) {
	for _, g := range drift.Groups {
		for _, h := range g.Hunks {
			for _, on := range h.On {
				do(h, on)
			}
		}
	}
}

// warnOfOthers names the edits of the same files that are not adopted with ids: the bundle that has
// the adopted ones overwrites them.
func (f *settleFlags) warnOfOthers(cmd *cobra.Command, c *client, fleet string, ids []string) error {
	drift, err := groups(cmd, c, fleet)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	eachEdit(drift, func(h gateway.NodeHunk, on gateway.HunkNode) {
		if slices.Contains(ids, h.ID) {
			files[on.Node+" "+h.Path] = true
		}
	})
	eachEdit(drift, func(h gateway.NodeHunk, on gateway.HunkNode) {
		if files[on.Node+" "+h.Path] && !slices.Contains(ids, h.ID) && h.Kind == gateway.HunkByHand && on.Allowed == nil {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "note: hunk %s of %s on %s is not adopted with the others, and the new bundle overwrites it (the file stays in its old tree)\n", h.ID, h.Path, on.Node)
		}
	})
	return nil
}

// handMade are the hunks of rendered files that were edited on the nodes that the flags name,
// each with those of them that have it.
func (f *settleFlags) handMade(cmd *cobra.Command, c *client, fleet string) (map[string][]string, error) {
	drift, err := groups(cmd, c, fleet)
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	eachEdit(drift, func(h gateway.NodeHunk, on gateway.HunkNode) {
		if h.Kind == gateway.HunkByHand && slices.Contains(f.nodes, on.Node) && on.Allowed == nil {
			found[h.ID] = append(found[h.ID], on.Node)
		}
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("no rendered file was edited by hand on %s: see `sluice fleet drift %s`", strings.Join(f.nodes, ", "), fleet)
	}
	return found, nil
}

// request is what the flags ask for; exactly one action has to be named.
func (f *settleFlags) request() (api.SettleRequest, error) {
	var r api.SettleRequest
	actions := 0
	for _, a := range []struct {
		set    bool
		action api.SettleAction
	}{{f.revert, api.Revert}, {f.adopt, api.Adopt}, {f.until != "", api.Allow}} {
		if a.set {
			r.Action = a.action
			actions++
		}
	}
	if actions != 1 {
		return r, errors.New("say one of --revert, --adopt and --allow-until DATE")
	}
	if f.reason != "" {
		r.Reason = &f.reason
	}
	if len(f.nodes) > 0 {
		r.Nodes = &f.nodes
	}
	if f.until == "" {
		return r, nil
	}
	until, err := time.Parse(time.RFC3339, f.until)
	if err != nil {
		if until, err = time.ParseInLocation(time.DateOnly, f.until, time.Local); err != nil {
			return r, fmt.Errorf("--allow-until %q: write a date such as 2027-01-31 or 2027-01-31T12:00:00Z", f.until)
		}
		until = until.AddDate(0, 0, 1) // the day itself belongs to it
	}
	r.Until = &until
	return r, nil
}

// settle settles one hunk, and returns the nodes that it is about.
func (f *settleFlags) settle(cmd *cobra.Command, c *client, fleet, id string, request api.SettleRequest) ([]string, error) {
	p := path("fleets", fleet, "drift", id)
	if f.dryRun {
		p += "?dryRun=true"
	}
	var out api.Settled
	if err := c.call(cmd.Context(), http.MethodPost, p, request, &out); err != nil {
		return nil, err
	}
	w := cmd.OutOrStdout()
	dry, done := "", map[api.SettleAction]string{api.Revert: "to be taken back on", api.Adopt: "adopted from", api.Allow: "allowed on"}
	if f.dryRun {
		dry, done = " (dry run: nothing was written)", map[api.SettleAction]string{api.Revert: "would be taken back on", api.Adopt: "would be adopted from", api.Allow: "would be allowed on"}
	}
	for _, o := range out.Objects {
		_, _ = fmt.Fprintf(w, "%s %s%s\n", o.Object, o.Action, dry)
	}
	named := []string{id}
	if request.Also != nil {
		named = append(named, *request.Also...)
	}
	_, _ = fmt.Fprintf(w, "%s: %s %s\n", strings.Join(named, ", "), done[request.Action], strings.Join(out.Nodes, ", "))
	return out.Nodes, nil
}

// await looks until no node that was asked has the edits any more, and tells of each hunk once.
func (f *settleFlags) await(cmd *cobra.Command, c *client, fleet string, asked map[string][]string) error {
	for deadline := time.Now().Add(f.wait); ; {
		drift, err := groups(cmd, c, fleet)
		if err != nil {
			return err
		}
		left := stillThere(drift, asked)
		for _, id := range slices.Sorted(maps.Keys(asked)) {
			if left[id] == nil {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s: gone\n", id)
				delete(asked, id)
			}
		}
		switch {
		case len(asked) == 0:
			return nil
		case time.Now().After(deadline):
			var failed []error
			for _, id := range slices.Sorted(maps.Keys(left)) {
				failed = append(failed, fmt.Errorf("hunk %s is still on %s after %s; a node that is away is asked when it comes back within a day", id, strings.Join(left[id], "; "), f.wait))
			}
			return errors.Join(failed...)
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// stillThere are the nodes that still have the hunks they were asked to take back, by hunk, with
// what went wrong.
func stillThere(drift gateway.FleetDrift, asked map[string][]string) map[string][]string {
	left := map[string][]string{}
	eachEdit(drift, func(h gateway.NodeHunk, on gateway.HunkNode) {
		if slices.Contains(asked[h.ID], on.Node) {
			left[h.ID] = append(left[h.ID], on.Node+whyNot(on))
		}
	})
	return left
}

func whyNot(on gateway.HunkNode) string {
	if on.Failed == "" {
		return ""
	}
	return " (" + on.Failed + ")"
}
