package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

func fleetToken() *cobra.Command {
	var node string
	var expires time.Duration
	cmd := &cobra.Command{Use: "token FLEET", Short: "Make a one-time token by which a node enrols, and print it",
		Long: "Make a one-time token by which a node enrols, and print it. It is shown once; the control\n" +
			"plane keeps a hash. The node's agent takes it as --enrol-token-file or SLUICE_ENROL_TOKEN.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			in := api.NewEnrolmentToken{Fleet: args[0]}
			if node != "" {
				in.Node = &node
			}
			d := gateway.Duration(expires)
			in.Expires = &d
			var out api.IssuedToken
			if err := c.call(cmd.Context(), http.MethodPost, "/enrolment-tokens", in, &out); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), out.Token); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "good for one node until %s. On the node, with the token in a file:\n    sluice agent --server https://%s --fleet %s --enrol-token-file FILE\n",
				out.Info.ExpiresAt.Local().Format(time.DateTime), reachable(c.server, out.Agents), args[0])
			return nil
		}}
	cmd.Flags().StringVar(&node, "node", "", "the only node that may use it; needed for one that has enrolled before")
	cmd.Flags().DurationVar(&expires, "expires", time.Hour, "how long it can be used")
	cmd.AddCommand(fleetTokenList(), fleetTokenRemove())
	return cmd
}

// reachable guesses what nodes dial: the listener's own address, or the host by which this
// command reached the control plane.
func reachable(server, agents string) string {
	host, port, err := net.SplitHostPort(agents)
	if err != nil {
		return agents
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if u, err := url.Parse(server); err == nil {
			host = u.Hostname()
		}
	}
	return net.JoinHostPort(host, port)
}

func fleetTokenList() *cobra.Command {
	cmd := &cobra.Command{Use: "ls", Short: "List one-time tokens, used and expired ones of the last week too", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var list struct{ Items []api.EnrolmentToken }
			if err := c.call(cmd.Context(), http.MethodGet, "/enrolment-tokens", nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("ID", "FLEET", "NODE", "STATE", "EXPIRES", "CREATED", "BY")
				for _, t := range list.Items {
					node := "any"
					if t.Node != nil {
						node = *t.Node
					}
					row(t.Id, t.Fleet, node, tokenState(t, time.Now()), t.ExpiresAt, t.CreatedAt, t.CreatedBy)
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

func tokenState(t api.EnrolmentToken, now time.Time) string {
	switch {
	case t.UsedBy != nil:
		return "used by " + *t.UsedBy
	case now.After(t.ExpiresAt):
		return "expired"
	}
	return "open"
}

func fleetTokenRemove() *cobra.Command {
	return &cobra.Command{Use: "rm ID", Short: "Make a one-time token useless; a node that used it stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			return c.call(cmd.Context(), http.MethodDelete, path("enrolment-tokens", args[0]), nil, nil)
		}}
}

func fleetRevoke() *cobra.Command {
	return nodeVerb("revoke NODE", "Refuse a node's certificates from now on; a new token takes it back", func(cmd *cobra.Command, c *client, fleet, node string) error {
		return c.call(cmd.Context(), http.MethodPost, path("fleets", fleet, "nodes", node, "revoke"), nil, nil)
	})
}

func fleetForget() *cobra.Command {
	return nodeVerb("forget NODE", "Revoke a node that is gone for good, and drop it from the lists", func(cmd *cobra.Command, c *client, fleet, node string) error {
		return c.call(cmd.Context(), http.MethodDelete, path("fleets", fleet, "nodes", node), nil, nil)
	})
}

// nodeVerb does something to a node, whose fleet need not be said when its name is unique.
func nodeVerb(use, short string, do func(cmd *cobra.Command, c *client, fleet, node string) error) *cobra.Command {
	var fleet string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			if fleet == "" {
				if fleet, err = fleetOf(cmd, c, args[0]); err != nil {
					return err
				}
			}
			return do(cmd, c, fleet, args[0])
		}}
	cmd.Flags().StringVar(&fleet, "fleet", "", "fleet of the node; may be left out when the name is unique among the nodes that have reported")
	return cmd
}
