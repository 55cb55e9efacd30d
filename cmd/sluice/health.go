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

func healthCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "health", Short: "Show verdicts, the evidence for them, and how many endpoints may be ejected"}
	cmd.PersistentFlags().StringP("tenant", "t", "", "only this tenant's; an upstream may also be written as TENANT/NAME")
	cmd.AddCommand(healthList(), healthLog())
	return cmd
}

func healthList() *cobra.Command {
	cmd := &cobra.Command{Use: "ls", Short: "List upstreams with what this node says about them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var list struct {
				Items []gateway.UpstreamHealth `json:"items"`
			}
			tenant, _ := cmd.Flags().GetString("tenant")
			if err := c.call(cmd.Context(), http.MethodGet, "/health/upstreams?tenant="+url.QueryEscape(tenant), nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("UPSTREAM", "EJECTED", "LIMIT", "NOTE")
				for _, u := range list.Items {
					row(u.Upstream, u.Ejected, u.Arithmetic, healthNote(u))
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

// healthNote is the most urgent thing about an upstream.
func healthNote(u gateway.UpstreamHealth) string {
	var notes []string
	if u.Service.Bad {
		notes = append(notes, "SERVICE BAD: "+u.Service.Reason)
	}
	notes = append(notes, standingNotes(u)...)
	if u.Panic {
		notes = append(notes, "PANIC: ejections are ignored")
	}
	if u.Shadow {
		notes = append(notes, "shadow mode")
	}
	if len(u.WouldBeEjected) > 0 {
		notes = append(notes, "would have ejected "+strings.Join(u.WouldBeEjected, ", "))
	}
	return strings.Join(notes, "; ")
}

func healthLog() *cobra.Command {
	var endpoint string
	var since, until span
	var limit int
	cmd := &cobra.Command{Use: "log [UPSTREAM]", Short: "Show what was decided, and by which evidence", Args: cobra.MaximumNArgs(1),
		Long: "Show the transitions of the last 24 hours, newest first, from the memory of the node that is asked.\n" +
			"-o json or yaml shows the evidence whole: counts, windows and samples with the ids of requests.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			q := url.Values{"limit": {fmt.Sprint(limit)}}
			set := func(key, value string) {
				if value != "" {
					q.Set(key, value)
				}
			}
			tenant, _ := cmd.Flags().GetString("tenant")
			if len(args) == 1 {
				name := args[0]
				if t, n, ok := strings.Cut(name, "/"); ok {
					tenant, name = t, n
				}
				set("upstream", name)
			}
			set("tenant", tenant)
			set("endpoint", endpoint)
			now := time.Now().UTC()
			if since > 0 {
				set("since", now.Add(-time.Duration(since)).Format(time.RFC3339Nano))
			}
			if until > 0 {
				set("until", now.Add(-time.Duration(until)).Format(time.RFC3339Nano))
			}
			var list struct {
				Items []gateway.HealthEvent `json:"items"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/health/events?"+q.Encode(), nil, &list); err != nil {
				return err
			}
			return show(cmd, list.Items, func(row func(...any)) {
				row("TIME", "UPSTREAM", "ENDPOINT", "WHAT", "UNTIL", "WHY", "EVIDENCE")
				for i := range list.Items {
					e := &list.Items[i]
					var end time.Time
					if e.Verdict != nil {
						end = e.Verdict.Until
					}
					row(e.At, e.Upstream, e.Address, eventWord(e), end, e.Reason+" ["+e.Rule+"]", evidenceText(e.Verdict))
				}
			})
		}}
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "only of this IP:port")
	cmd.Flags().Var(&since, "since", "only what is younger, such as 30m")
	cmd.Flags().Var(&until, "until", "only what is older, such as 10m")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, 1 to 1000")
	outputFlag(cmd)
	return cmd
}

func eventWord(e *gateway.HealthEvent) string {
	word := strings.ReplaceAll(string(e.Kind), "_", " ")
	if e.Shadow {
		return "would have been " + word
	}
	return word
}

// evidenceText sums up what a verdict rests on.
func evidenceText(v *gateway.Verdict) string {
	if v == nil {
		return ""
	}
	var parts []string
	if c := v.Evidence.Counts; c != nil {
		text := fmt.Sprintf("%d of %d requests in %s", c.Errors, c.Requests, c.Window)
		if c.Siblings > 0 { // else none has had enough requests to be compared with
			text += fmt.Sprintf(", %d siblings at %.0f %%", c.Siblings, 100*c.SiblingsMedian)
		}
		parts = append(parts, text)
	}
	if n := len(v.Evidence.Samples); n > 0 {
		last := v.Evidence.Samples[n-1]
		text := fmt.Sprintf("last %s %d %s", last.Kind, last.Status, last.Error)
		if last.Request != 0 {
			id, _ := last.Request.MarshalText() // it never fails
			text += " id " + string(id)
		}
		parts = append(parts, strings.Join(strings.Fields(text), " "))
	}
	return strings.Join(parts, "; ")
}

// pinCommands are the words of people on single endpoints, as verbs of upstream.
func pinCommands() []*cobra.Command {
	var out []*cobra.Command
	for _, v := range []struct {
		use, short string
		state      gateway.PinState
	}{
		{"drain NAME ADDR", "Let an endpoint finish what it has, and send it nothing new", gateway.PinDrained},
		{"up NAME ADDR", "Keep an endpoint in rotation whatever health says", gateway.PinUp},
		{"down NAME ADDR", "Take an endpoint out of rotation at once", gateway.PinDown},
	} {
		cmd := upstreamWrite(v.use, v.short, 2, func(c call, base string, args []string) (method, path string, body any) {
			r := api.PinRequest{State: v.state}
			if reason, _ := c.Flags().GetString("reason"); reason != "" {
				r.Reason = &reason
			}
			if d, _ := c.Flags().GetDuration("for"); d > 0 {
				length := gateway.Duration(d)
				r.For = &length
			}
			return http.MethodPut, base + "/" + url.PathEscape(args[0]) + "/pin", r
		})
		cmd.Flags().String("reason", "", "why, for those who wonder later")
		cmd.Flags().Var(new(span), "for", "for so long, such as 2h. Default: until undrain")
		out = append(out, cmd)
	}
	undrain := upstreamWrite("undrain NAME ADDR", "Leave an endpoint to health again, after drain, up or down", 2, func(_ call, base string, args []string) (method, path string, body any) {
		return http.MethodDelete, base + "/" + url.PathEscape(args[0]) + "/pin", nil
	})
	undrain.Aliases = []string{"unpin"}
	return append(out, undrain)
}
