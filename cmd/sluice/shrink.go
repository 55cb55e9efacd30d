package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

func upstreamShrink() *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{Use: "shrink [NAME accept|hold]", Short: "List endpoints that sources have lost all at once, let them go or hold on to them",
		Long: "A source that has lost most of an upstream's endpoints at once is more often wrong than right, so they are kept for a minute while they answer.\n" +
			"Without arguments, those of the server's node are listed. accept lets them go at once, hold keeps them for --for.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) == 2 && (args[1] == "accept" || args[1] == "hold") {
				return nil
			}
			return fmt.Errorf("write nothing to list what is kept, or an upstream and accept or hold")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listShrinks(cmd, c)
			}
			base, err := endpointsPath(cmd, c, args[0])
			if err != nil {
				return err
			}
			body := api.ShrinkRequest{Action: api.ShrinkRequestAction(args[1])}
			if cmd.Flags().Changed("for") {
				until := time.Now().Add(length)
				body.Until = &until
			}
			var out api.ShrinkResult
			if err := c.call(cmd.Context(), http.MethodPost, strings.TrimSuffix(base, "/endpoints")+"/shrink", body, &out); err != nil {
				return err
			}
			text := "let go"
			if body.Action == api.Hold {
				text = "held"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d endpoints %s\n", args[0], out.Endpoints, text)
			return err
		}}
	cmd.Flags().DurationVar(&length, "for", time.Hour, "how long hold keeps them, a day at most")
	outputFlag(cmd)
	return cmd
}

func listShrinks(cmd *cobra.Command, c *client) error {
	tenant, _ := cmd.Flags().GetString("tenant")
	query := ""
	if tenant != "" {
		query = "?tenant=" + url.QueryEscape(tenant)
	}
	var list struct {
		Items []gateway.Shrink `json:"items"`
	}
	if err := c.call(cmd.Context(), http.MethodGet, "/shrinks"+query, nil, &list); err != nil {
		return err
	}
	return show(cmd, list.Items, func(row func(...any)) {
		row("UPSTREAM", "LOST BY", "LOST", "SINCE", "UNTIL", "KEPT")
		for _, s := range list.Items {
			row(s.Upstream, strings.TrimSpace(string(s.Source)+" "+s.Place), fmt.Sprintf("%d of %d", s.Lost, s.Of), s.Since, s.Until, strings.Join(s.Kept, ", "))
		}
	})
}
