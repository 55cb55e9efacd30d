package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
)

func historyCommand() *cobra.Command {
	var tenant string
	var limit int
	cmd := &cobra.Command{
		Use:   "history KIND NAME",
		Short: "Show the versions of an object: who wrote each, and when",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			kind, err := kindOf(args[0])
			if err != nil {
				return err
			}
			query := url.Values{"kind": {string(kind)}, "name": {args[1]}, "limit": {strconv.Itoa(limit)}}
			if t, n, ok := strings.Cut(args[1], "/"); ok {
				tenant = t
				query.Set("name", n)
			}
			if tenant != "" && kind.Owned() {
				query.Set("tenant", tenant)
			}
			var list struct {
				Items []api.Version `json:"items"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/history?"+query.Encode(), nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) { historyTable(row, list.Items) })
		},
	}
	cmd.Flags().StringVarP(&tenant, "tenant", "t", "", "owner of the object; or write the name as TENANT/NAME")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many, the newest")
	outputFlag(cmd)
	return cmd
}

func historyTable(row func(...any), versions []api.Version) {
	row("REVISION", "TIME", "BY", "ACTION", "REASON")
	for _, v := range versions {
		row(v.Revision, v.At, v.By, v.Action, v.Reason)
	}
}

func auditCommand() *cobra.Command {
	var since, who string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if who != "" {
				query.Set("who", who)
			}
			if since != "" {
				at, err := sinceTime(since, time.Now())
				if err != nil {
					return err
				}
				query.Set("since", at.Format(time.RFC3339))
			}
			var list struct {
				Items []api.Record `json:"items"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/audit?"+query.Encode(), nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) { auditTable(row, list.Items) })
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only changes since then: a span such as 2h, or a time such as 2026-11-21T04:00:00Z")
	cmd.Flags().StringVar(&who, "who", "", "only changes by this person or token")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many, the newest")
	outputFlag(cmd)
	return cmd
}

// auditTable has one row for each object, so that grep finds all writes of one.
func auditTable(row func(...any), records []api.Record) {
	row("REVISION", "TIME", "BY", "ACTION", "OBJECT", "REASON")
	for _, r := range records {
		for _, c := range r.Changes {
			row(r.Revision, r.At, r.By, c.Action, c.Object, r.Reason)
		}
	}
}

// sinceTime reads a span that ends now, or a time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return now.Add(-span).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("--since %q: write a span such as 30m or 2h, or a time such as 2026-11-21T04:00:00Z", text)
	}
	return at.UTC(), nil
}
