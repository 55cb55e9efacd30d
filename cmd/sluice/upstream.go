package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

func upstreamCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "upstream", Short: "Show upstreams and change their endpoints by hand"}
	cmd.PersistentFlags().StringP("tenant", "t", "", "tenant of the upstream; may be left out when the name is unique, or be written as TENANT/NAME")
	cmd.AddCommand(upstreamList(), upstreamShow(), upstreamShrink(),
		upstreamWrite("add NAME ADDR", "Add an endpoint by hand", 2, func(c call, base string, args []string) (method, path string, body any) {
			e := gateway.ManualEndpoint{Address: args[0]}
			if c.Flags().Changed("weight") {
				w, _ := c.Flags().GetInt("weight")
				e.Weight = &w
			}
			return http.MethodPost, base, e
		}),
		upstreamWrite("rm NAME ADDR", "Remove an endpoint given by hand", 2, func(_ call, base string, args []string) (method, path string, body any) {
			return http.MethodDelete, base + "/" + url.PathEscape(args[0]), nil
		}),
		upstreamWrite("sync NAME ADDR...", "Make this the whole list of endpoints given by hand", -2, func(_ call, base string, args []string) (method, path string, body any) {
			list := api.SyncEndpointsRequest{Endpoints: []gateway.ManualEndpoint{}}
			for _, a := range args {
				list.Endpoints = append(list.Endpoints, gateway.ManualEndpoint{Address: a})
			}
			return http.MethodPut, base, list
		}))
	cmd.AddCommand(pinCommands()...)
	return cmd
}

type call = *cobra.Command

type upstreamItems struct {
	Items []api.UpstreamView `json:"items"`
}

func upstreamList() *cobra.Command {
	cmd := &cobra.Command{Use: "ls", Short: "List upstreams with their endpoints in rotation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			list, err := upstreams(cmd, c)
			if err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("UPSTREAM", "ENDPOINTS", "IN ROTATION", "NOTE")
				for _, u := range list.Items {
					in, note := 0, ""
					for _, e := range u.Upstream.Endpoints {
						if e.InRotation {
							in++
						}
					}
					if u.Upstream.Panic {
						note = "PANIC: too few healthy, ejections are ignored"
					}
					if u.DerivedFrom != nil {
						note = strings.TrimSpace(note + " from " + u.DerivedFrom.String())
					}
					row(u.Upstream.Key, len(u.Upstream.Endpoints), in, note)
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

func upstreams(cmd *cobra.Command, c *client) (list upstreamItems, err error) {
	tenant, _ := cmd.Flags().GetString("tenant")
	query := ""
	if tenant != "" {
		query = "?tenant=" + url.QueryEscape(tenant)
	}
	return list, c.call(cmd.Context(), http.MethodGet, "/upstreams"+query, nil, &list)
}

func upstreamShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show endpoints, verdicts and why", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			base, err := endpointsPath(cmd, c, args[0])
			if err != nil {
				return err
			}
			var u api.UpstreamView
			if err := c.call(cmd.Context(), http.MethodGet, base, nil, &u); err != nil {
				return err
			}
			return show(cmd, u, func(row func(...any)) {
				row("upstream", u.Upstream.Key)
				if u.DerivedFrom != nil {
					row("from", u.DerivedFrom)
				}
				endpointRows(row, u.Upstream.Endpoints)
			})
		}}
	outputFlag(cmd)
	return cmd
}

// upstreamWrite makes a verb that changes endpoints. A negative count is the least number
// of arguments.
func upstreamWrite(use, short string, count int, request func(cmd call, base string, args []string) (method, path string, body any)) *cobra.Command {
	args := cobra.ExactArgs(count)
	if count < 0 {
		args = cobra.MinimumNArgs(-count)
	}
	cmd := &cobra.Command{Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			base, err := endpointsPath(cmd, c, args[0])
			if err != nil {
				return err
			}
			dry, _ := cmd.Flags().GetBool("dry-run")
			method, p, body := request(cmd, base, args[1:])
			var out api.WriteResult
			if err := c.call(cmd.Context(), method, fmt.Sprintf("%s?dryRun=%t", p, dry), body, &out); err != nil {
				return err
			}
			return showWritten(cmd.OutOrStdout(), out)
		}}
	cmd.Flags().Bool("dry-run", false, "show what would change, and write nothing")
	if strings.HasPrefix(use, "add") {
		cmd.Flags().Int("weight", 1, "share of requests, 0 to 1000")
	}
	return cmd
}

// endpointsPath finds the tenant of an upstream when it is not given.
func endpointsPath(cmd *cobra.Command, c *client, name string) (string, error) {
	tenant, _ := cmd.Flags().GetString("tenant")
	if t, n, ok := strings.Cut(name, "/"); ok {
		tenant, name = t, n
	}
	if tenant == "" {
		list, err := upstreams(cmd, c)
		if err != nil {
			return "", err
		}
		var owners []string
		for _, u := range list.Items {
			if u.Upstream.Key.Name == name {
				owners = append(owners, u.Upstream.Key.Tenant)
			}
		}
		switch len(owners) {
		case 0:
			return "", fmt.Errorf("no tenant has an upstream %q: sluice upstream ls lists them", name)
		case 1:
			tenant = owners[0]
		default:
			return "", fmt.Errorf("several tenants have an upstream %q (%s): say which with -t", name, strings.Join(owners, ", "))
		}
	}
	return path("tenants", tenant, "upstreams", name, "endpoints"), nil
}
