package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/alert"
	"github.com/sluice-gateway/sluice/gateway"
)

// alertList is what GET /alerts answers.
type alertList struct {
	Items     []gateway.Alert         `json:"items"`
	Receivers []gateway.AlertReceiver `json:"receivers"`
}

func alertsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "alerts", Short: "Show what is wrong now and who was told, try receivers, write Prometheus rules"}
	cmd.AddCommand(alertsList(), alertsReceivers(), alertsTest(), alertsRules())
	return cmd
}

func readAlerts(cmd *cobra.Command, tenant string) (list alertList, err error) {
	c, err := newClient(cmd)
	if err != nil {
		return list, err
	}
	return list, c.call(cmd.Context(), http.MethodGet, "/alerts?tenant="+url.QueryEscape(tenant), nil, &list)
}

func alertsList() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{Use: "ls", Short: "List what is wrong now, the worst first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := readAlerts(cmd, tenant)
			if err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("SEVERITY", "SINCE", "TENANT", "WHAT", "WHY", "NODE")
				for i := range list.Items {
					a := &list.Items[i]
					row(a.Severity, a.Since, a.Tenant, a.Summary, a.Detail, a.Node)
				}
			})
		}}
	cmd.Flags().StringVarP(&tenant, "tenant", "t", "", "only this tenant's")
	outputFlag(cmd)
	return cmd
}

func alertsReceivers() *cobra.Command {
	cmd := &cobra.Command{Use: "receivers", Short: "List the receivers of sluice.yaml and how they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := readAlerts(cmd, "")
			if err != nil {
				return err
			}
			return show(cmd, list.Receivers, func(row func(...any)) {
				row("RECEIVER", "TYPE", "SCOPE", "SENT", "WAITING", "DROPPED", "NEXT ATTEMPT", "ERROR")
				for _, r := range list.Receivers {
					row(r.Name, r.Type, r.Scope, r.Sent, r.Waiting, r.Dropped, r.RetryAt, r.Error)
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

func alertsTest() *cobra.Command {
	return &cobra.Command{Use: "test RECEIVER", Short: "Have the server send a sample to a receiver", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var out struct {
				Sent  bool   `json:"sent"`
				Error string `json:"error"`
			}
			if err := c.call(cmd.Context(), http.MethodPost, "/alerts/receivers/"+url.PathEscape(args[0])+"/test", nil, &out); err != nil {
				return err
			}
			if !out.Sent {
				return fmt.Errorf("receiver %s did not get the sample: %s", args[0], out.Error)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "receiver %s took the sample\n", args[0])
			return err
		}}
}

func alertsRules() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{Use: "rules", Short: "Print a Prometheus rule file for the platform and every tenant", Args: cobra.NoArgs,
		Long: "Print alerting rules for Prometheus: a group for the platform and one for each tenant, with the thresholds of the\n" +
			"tenant's spec.alerts (maxErrorRatio, default 0.05; maxLatency, default none). With --tenant, that tenant's group alone.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var tenants []gateway.Tenant
			if tenant != "" {
				tenants = make([]gateway.Tenant, 1)
				err = c.call(cmd.Context(), http.MethodGet, "/tenants/"+url.PathEscape(tenant), nil, &tenants[0])
			} else {
				var list struct {
					Items []gateway.Tenant `json:"items"`
				}
				err = c.call(cmd.Context(), http.MethodGet, "/tenants", nil, &list)
				tenants = list.Items
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), rulesOf(tenants, tenant == ""))
			return err
		}}
	cmd.Flags().StringVarP(&tenant, "tenant", "t", "", "only this tenant's group")
	return cmd
}

func rulesOf(tenants []gateway.Tenant, platform bool) string {
	var groups []string
	if platform {
		groups = append(groups, alert.PlatformRules())
	}
	for i := range tenants {
		t := alert.TenantRules{Tenant: tenants[i].Name}
		if a := tenants[i].Spec.Alerts; a != nil {
			t.MaxErrorRatio, t.MaxLatency = a.MaxErrorRatio, a.MaxLatency.Std()
		}
		groups = append(groups, alert.Rules(t))
	}
	return alert.RulesFile(groups...)
}
