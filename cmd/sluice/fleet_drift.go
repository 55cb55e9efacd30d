package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/gateway"
)

func groups(cmd *cobra.Command, c *client, fleet string) (gateway.FleetDrift, error) {
	var out gateway.FleetDrift
	return out, c.call(cmd.Context(), http.MethodGet, path("fleets", fleet, "groups"), nil, &out)
}

func fleetDrift() *cobra.Command {
	var all bool
	cmd := &cobra.Command{Use: "drift FLEET", Short: "Show which nodes are alike, and what was changed by hand on the others", Args: cobra.ExactArgs(1),
		Long: "Show which nodes are alike in everything that their nginx loads, and what was changed by hand on\n" +
			"the others, with the id of every hunk and who may have done it.\n\n" +
			"Settle a hunk with sluice fleet settle. Differences that are rendered so, since the nodes have\n" +
			"another nginx or a rollout is under way, are counted only; --all shows them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			drift, err := groups(cmd, c, args[0])
			if err != nil {
				return err
			}
			if form, _ := cmd.Flags().GetString("output"); form != "table" {
				return show(cmd, drift, nil)
			}
			list, err := nodes(cmd, c, args[0])
			if err != nil {
				return err
			}
			printDrift(cmd.OutOrStdout(), drift, list, all)
			return nil
		}}
	cmd.Flags().BoolVar(&all, "all", false, "also what is rendered so")
	outputFlag(cmd)
	return cmd
}

// printDrift writes the report for people. Nothing that it writes to fails but the terminal.
func printDrift(w io.Writer, d gateway.FleetDrift, list []gateway.Node, all bool) {
	_, _ = fmt.Fprintln(w, d.Summary)
	for _, n := range list {
		if text := mismatchText(n.Mismatch); text != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", n.Node, text)
		}
		for _, f := range n.Drift {
			_, _ = fmt.Fprintf(w, "%s: %s %s by hand%s\n", n.Node, f.Path, f.Change, ownerText(f.Owner))
			if len(f.Hunks) == 0 || len(f.Hunks) == 1 && f.Hunks[0].Change == gateway.HunkText {
				_, _ = io.WriteString(w, f.Diff)
			}
		}
		for _, f := range n.Overwritten {
			_, _ = fmt.Fprintf(w, "%s: %s %s by hand, and replaced by a later bundle since\n", n.Node, f.Path, f.Change)
		}
	}
	for _, g := range d.Groups {
		rendered := 0
		for _, h := range g.Hunks {
			if h.Kind == gateway.HunkRendered && !all {
				rendered++
				continue
			}
			printHunk(w, h)
		}
		if rendered > 0 {
			_, _ = fmt.Fprintf(w, "\n%s: %d differences are rendered so, for another nginx or by a rollout; --all shows them\n", some(g.Nodes), rendered)
		}
	}
	for _, n := range d.Unknown {
		_, _ = fmt.Fprintf(w, "%s: its files have not arrived yet\n", n)
	}
}

// some names the first nodes of many.
func some(nodes []string) string {
	const most = 5
	if more := len(nodes) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(nodes[:most], ", "), more)
	}
	return strings.Join(nodes, ", ")
}

func printHunk(w io.Writer, h gateway.NodeHunk) {
	place := h.Path
	if line := cmp.Or(h.NewLine, h.OldLine); line > 0 {
		place += fmt.Sprintf(":%d", line)
	}
	if len(h.Where) > 0 {
		place += " (" + strings.Join(h.Where, " > ") + ")"
	}
	kind := map[gateway.HunkKind]string{gateway.HunkByHand: "by hand", gateway.HunkOutside: "unlike most nodes", gateway.HunkRendered: "rendered for other facts, or by a rollout"}[h.Kind]
	_, _ = fmt.Fprintf(w, "\nhunk %s: %s, %s, %s\n", h.ID, place, h.Change, kind)
	for _, side := range []struct{ mark, text string }{{"-", h.Old}, {"+", h.New}} {
		if side.text == "" {
			continue
		}
		for line := range strings.Lines(side.text) {
			_, _ = fmt.Fprintf(w, "  %s %s\n", side.mark, strings.TrimRight(line, "\r\n"))
		}
	}
	for _, on := range h.On {
		text := "on " + on.Node + ownerText(on.Owner)
		if a := on.Allowed; a != nil {
			text += fmt.Sprintf("; allowed until %s by %s: %s", a.Until.Format(time.RFC3339), orDash(a.By), orDash(a.Reason))
		}
		if on.Asked {
			text += "; asked to take it back"
		}
		if on.Failed != "" {
			text += "; not taken back: " + on.Failed
		}
		_, _ = fmt.Fprintln(w, "  "+text)
	}
}

// ownerText says who may have changed a file.
func ownerText(o *gateway.FileOwner) string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf(", file of %s (uid %d) written %s, logs: %s", cmp.Or(o.User, "nobody known"), o.UID, o.Modified.Format(time.RFC3339), o.Hint)
}

func mismatchText(m gateway.Mismatch) string {
	switch m {
	case gateway.MismatchDiskRunning:
		return "on disk != running: edited, not loaded"
	case gateway.MismatchRunningDesired:
		return "running != desired: edited and loaded"
	}
	return string(m)
}
