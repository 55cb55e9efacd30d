package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/gateway"
)

func rolloutCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rollout", Short: "Show and steer how changes reach the nodes of a fleet, wave by wave"}
	cmd.AddCommand(rolloutList(), rolloutStatus(),
		rolloutAction(gateway.RolloutPause, "Keep everything as it is until resume; endpoints still change", ""),
		rolloutAction(gateway.RolloutResume, "Go on after pause, or try a rollout again that failed or was aborted",
			"A change that came meanwhile takes the place of the paused one, and begins with the first wave."),
		rolloutAction(gateway.RolloutAbort, "Give the nodes that have the change what they ran before",
			"The change is not rolled out again by itself: correct it, or resume."),
		rolloutAction(gateway.RolloutPromote, "Cut the bake of the wave under way short", "The gates have to be open all the same."))
	return cmd
}

func rolloutList() *cobra.Command {
	cmd := &cobra.Command{Use: "ls FLEET", Short: "List the rollout under way and the last 50", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var list struct{ Items []gateway.Rollout }
			if err := c.call(cmd.Context(), http.MethodGet, path("fleets", args[0], "rollouts"), nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("REVISION", "FROM", "STATE", "WAVE", "NODES", "STARTED", "ENDED", "BY", "WHY")
				for i := range list.Items {
					r := &list.Items[i]
					row(r.Revision, r.From, stateText(r), fmt.Sprintf("%d/%d", r.Wave, len(r.Waves)), changedNodes(r), r.StartedAt, r.EndedAt, strings.Join(r.Authors, ", "), r.Reason)
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

func rolloutStatus() *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{Use: "status FLEET [REVISION]", Short: "Show the last rollout of a fleet, or that of a revision", Args: cobra.RangeArgs(1, 2),
		Long: "Show the last rollout of a fleet, or that of a revision.\n\nWith --watch a line is printed for everything that changes, until the rollout is over; the exit status is 1 when it was not completed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			which := "current"
			if len(args) == 2 {
				which = args[1]
			}
			if watch {
				return watchRollout(cmd, c, args[0], which, every)
			}
			r, err := rollout(cmd.Context(), c, args[0], which)
			if err != nil {
				return err
			}
			return showRollout(cmd, &r)
		}}
	outputFlag(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "print what changes until the rollout is over")
	cmd.Flags().DurationVar(&every, "every", time.Second, "time between two looks, with --watch")
	return cmd
}

func rolloutAction(action gateway.RolloutAction, short, long string) *cobra.Command {
	cmd := &cobra.Command{Use: string(action) + " FLEET", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var r gateway.Rollout
			if err := c.call(cmd.Context(), http.MethodPost, path("fleets", args[0], "rollouts", "current", string(action)), nil, &r); err != nil {
				return err
			}
			return showRollout(cmd, &r)
		}}
	if long != "" {
		cmd.Long = short + ".\n\n" + long
	}
	outputFlag(cmd)
	return cmd
}

func rollout(ctx context.Context, c *client, fleet, which string) (r gateway.Rollout, err error) {
	return r, c.call(ctx, http.MethodGet, path("fleets", fleet, "rollouts", which), nil, &r)
}

func showRollout(cmd *cobra.Command, r *gateway.Rollout) error {
	return show(cmd, r, func(row func(...any)) {
		row("REVISION", r.Revision)
		row("FROM", r.From)
		row("STATE", stateText(r))
		row("WHY", r.Reason)
		row("CHANGES", objectList(r.Objects))
		row("BY", strings.Join(r.Authors, ", "))
		row("STARTED", r.StartedAt)
		row("BAKES UNTIL", r.BakeUntil)
		row("ENDED", r.EndedAt)
		row("LEFT OUT", strings.Join(r.LeftOut, ", "))
		for i, w := range r.Waves {
			row(fmt.Sprintf("WAVE %d (%s)", i+1, w.Size), waveText(&w))
		}
	})
}

func objectList(refs []gateway.Ref) string {
	var list []string
	for _, ref := range refs {
		list = append(list, ref.String())
	}
	return strings.Join(list, ", ")
}

// waveText sums a wave up.
func waveText(w *gateway.RolloutWave) string {
	if w.StartedAt.IsZero() {
		return "not yet"
	}
	text := strings.Join(w.Nodes, ", ")
	if more := w.Count - len(w.Nodes); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	switch {
	case !w.PassedAt.IsZero():
		text += ": passed"
	case !w.RunningAt.IsZero():
		text += ": running"
	default:
		text += ": told"
	}
	if f := w.Figures; f != nil {
		text += fmt.Sprintf(" (%d of %d requests failed, %d of %d connections)", f.Changed.Errors, f.Changed.Requests, f.Changed.ConnectErrors, f.Changed.Exchanges)
	}
	return text
}

func stateText(r *gateway.Rollout) string {
	if r.Paused {
		return string(r.State) + ", paused"
	}
	return string(r.State)
}

func changedNodes(r *gateway.Rollout) (n int) {
	for _, w := range r.Waves {
		n += w.Count
	}
	return n
}

// watchRollout prints a line for each change until the rollout is over.
func watchRollout(cmd *cobra.Command, c *client, fleet, which string, every time.Duration) error {
	last := ""
	tick := time.NewTicker(max(every, 10*time.Millisecond))
	defer tick.Stop()
	for {
		r, err := rollout(cmd.Context(), c, fleet, which)
		if err != nil {
			return err
		}
		members, err := nodes(cmd, c, fleet)
		if err != nil {
			return err
		}
		which = strconv.FormatUint(r.Revision, 10) // a newer one is another story
		s := summarise(fleet, members)
		line := fmt.Sprintf("revision %d: %s, wave %d of %d, %d of %d nodes have it (%s)", r.Revision, stateText(&r), r.Wave, len(r.Waves), changedNodes(&r), s.Nodes, s.text())
		if r.Reason != "" {
			line += ": " + r.Reason
		}
		if line != last {
			last = line
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), time.Now().Format("15:04:05"), line); err != nil {
				return err
			}
		}
		switch {
		case r.State == gateway.RolloutDone:
			return nil
		case !r.State.Active():
			return fmt.Errorf("the rollout of revision %d to fleet %s is %s", r.Revision, fleet, r.State)
		}
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-tick.C:
		}
	}
}
