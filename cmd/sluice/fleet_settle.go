package main

import (
	"errors"
	"fmt"
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
	until, reason         string
	nodes                 []string
	wait                  time.Duration
}

func fleetSettle() *cobra.Command {
	var f settleFlags
	cmd := &cobra.Command{Use: "settle FLEET HUNK...", Short: "Revert, adopt or allow edits by hand", Args: cobra.MinimumNArgs(2),
		Long: "Settle edits by hand, named by the ids that sluice fleet drift shows:\n\n" +
			"  --revert            the nodes take it back; files outside of Sluice's tree become what most\n" +
			"                      nodes have\n" +
			"  --adopt             it becomes an override, an endpoint or a pin, and so reaches all nodes\n" +
			"  --allow-until DATE  it stays until then (2027-01-31, or with a time as in RFC 3339), and goes\n" +
			"                      on into new bundles that do not contradict it",
		Example: "  sluice fleet settle shared 4f1a09d2c3b4 --adopt --reason 'OPS-7 long uploads'",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			request, err := f.request()
			if err != nil {
				return err
			}
			ids := args[1:]
			if also := ids[1:]; request.Action == api.Adopt && len(also) > 0 { // one write: no node gets some of the edits without the others
				request.Also, ids = &also, ids[:1]
			}
			for _, id := range ids {
				if err := f.settle(cmd, c, args[0], id, request); err != nil {
					return fmt.Errorf("hunk %s: %w", id, err)
				}
			}
			return nil
		}}
	flags := cmd.Flags()
	flags.BoolVar(&f.revert, "revert", false, "take the edit back")
	flags.BoolVar(&f.adopt, "adopt", false, "make the edit what all nodes have")
	flags.StringVar(&f.until, "allow-until", "", "let the edit stay until this date")
	flags.StringVar(&f.reason, "reason", "", "why, for the others (needed to adopt and to allow)")
	flags.StringSliceVar(&f.nodes, "node", nil, "revert or allow on this node only; may be repeated (default: all that have it)")
	flags.DurationVar(&f.wait, "wait", time.Minute, "how long to wait for nodes that take an edit back; 0 returns at once")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be written")
	return cmd
}

// request is what the flags ask for; exactly one action has to be named.
func (f settleFlags) request() (api.SettleRequest, error) {
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

func (f settleFlags) settle(cmd *cobra.Command, c *client, fleet, id string, request api.SettleRequest) error {
	p := path("fleets", fleet, "drift", id)
	if f.dryRun {
		p += "?dryRun=true"
	}
	var out api.Settled
	if err := c.call(cmd.Context(), http.MethodPost, p, request, &out); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	for _, o := range out.Objects {
		_, _ = fmt.Fprintf(w, "%s %s\n", o.Object, o.Action)
	}
	named := []string{id}
	if request.Also != nil {
		named = append(named, *request.Also...)
	}
	_, _ = fmt.Fprintf(w, "%s: %s %s\n", strings.Join(named, ", "), map[api.SettleAction]string{api.Revert: "to be taken back on", api.Adopt: "adopted from", api.Allow: "allowed on"}[request.Action], strings.Join(out.Nodes, ", "))
	if request.Action != api.Revert || f.dryRun || f.wait <= 0 {
		return nil
	}
	return f.await(cmd, c, fleet, id, out.Nodes)
}

// await looks until no node has the edit any more.
func (f settleFlags) await(cmd *cobra.Command, c *client, fleet, id string, asked []string) error {
	for deadline := time.Now().Add(f.wait); ; {
		drift, err := groups(cmd, c, fleet)
		if err != nil {
			return err
		}
		left, failed := []string{}, ""
		for _, g := range drift.Groups {
			for _, h := range g.Hunks {
				for _, on := range h.On {
					if h.ID == id && slices.Contains(asked, on.Node) {
						left, failed = append(left, on.Node), failed+whyNot(on)
					}
				}
			}
		}
		switch {
		case len(left) == 0:
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s: gone\n", id)
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("still on %s after %s%s", strings.Join(left, ", "), f.wait, failed)
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func whyNot(on gateway.HunkNode) string {
	if on.Failed == "" {
		return ""
	}
	return "; " + on.Node + ": " + on.Failed
}
