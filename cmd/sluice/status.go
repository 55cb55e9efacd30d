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
	"github.com/sluice-gateway/sluice/gateway"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the node, its digests, sources and problems",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			var out struct {
				api.Status
				ProblemList []gateway.Problem `json:"problemList"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/status", nil, &out.Status); err != nil {
				return err
			}
			var list struct{ Items []gateway.Problem }
			if err := c.call(cmd.Context(), http.MethodGet, "/problems", nil, &list); err != nil {
				return err
			}
			out.ProblemList = list.Items
			return show(cmd, out, func(row func(...any)) { statusTable(row, out.Status, list.Items) })
		},
	}
	outputFlag(cmd)
	return cmd
}

func statusTable(row func(...any), s api.Status, problems []gateway.Problem) {
	row("node", s.Node+", sluice "+s.Version)
	row("since", s.StartedAt)
	row("snapshot", fmt.Sprintf("generation %d, digest %s", s.Generation, short(s.Digest)))
	store := s.Store.Mode + ", up"
	if !s.Store.Up {
		store = s.Store.Mode + ", NOT REACHED: " + s.Store.Message + staleSince(s.Store.StaleSince, true)
	}
	row("store", store)
	for _, l := range s.Listeners {
		row("listener "+l.Name, l.Address)
	}
	for _, src := range s.Sources {
		state := "up"
		if !src.Up {
			state = "DOWN: " + src.Message + staleSince(src.StaleSince, src.Copied)
		}
		row("source "+src.Name, state)
	}
	if n := s.Names; n != nil {
		text := "announced by another process"
		if n.Leading {
			text = fmt.Sprintf("%d announced, %d pending, %d leaving, %d failing", n.Announced, n.Pending, n.Leaving, n.Failing)
		}
		row("names", strings.TrimSpace(text+" "+n.Message))
	}
	if check := s.FleetCheck; check != nil {
		text := "nginx " + check.Version + ", level " + check.Level
		if check.Version == "" {
			text = "not tried yet"
		}
		if check.Warning != "" {
			text = strings.TrimPrefix(text+": "+check.Warning, "not tried yet: ")
		}
		row("fleet check", text)
	}
	states := map[gateway.NodeState]int{}
	for state, n := range s.Counts.Nodes {
		states[gateway.NodeState(state)] = n
	}
	if len(states) > 0 {
		row("nginx nodes", fleetSummary{States: states}.text())
	}
	row("problems", len(problems))
	for _, p := range problems {
		row("  "+p.Object.String(), strings.TrimSpace(p.Field+" "+p.Message))
	}
}

// staleSince says how old what is in use may be.
func staleSince(at *time.Time, copied bool) string {
	switch {
	case at == nil:
		return ""
	case copied:
		return "; the local copy of " + orDash(*at) + " is in use"
	}
	return "; stale since " + orDash(*at)
}

func explainCommand() *cobra.Command {
	var method string
	var headers []string
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Tell where a request goes, and why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			query := url.Values{"url": args, "method": {method}}
			if len(headers) > 0 {
				query["header"] = headers
			}
			var out api.Explanation
			if err := c.call(cmd.Context(), http.MethodGet, "/explain?"+query.Encode(), nil, &out); err != nil {
				return err
			}
			return show(cmd, out, func(row func(...any)) { explainTable(row, out) })
		},
	}
	cmd.Flags().StringVarP(&method, "method", "X", "GET", "method of the request")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "header of the request, 'name: value'; may be repeated")
	outputFlag(cmd)
	return cmd
}

func explainTable(row func(...any), e api.Explanation) {
	row("request", e.Method+" "+e.Host+e.Path)
	row("host", strings.TrimSpace(e.HostEntry+" "+e.HostReason))
	for _, r := range e.Rules {
		mark := "not"
		if r.Chosen {
			mark = "TAKEN"
		}
		row(mark, fmt.Sprintf("route %s, %s%s: %s", r.Route, r.Path, r.Conditions, r.Reason))
	}
	if e.Route != nil {
		for _, o := range e.Route.Origins {
			row("changed by", fmt.Sprintf("%s: %s", o.From, o.Field))
		}
	}
	for _, u := range e.Upstreams {
		row("upstream", fmt.Sprintf("%s, %.0f %% of requests", u.Key, 100*u.Share))
		endpointRows(row, u.Endpoints)
	}
	row("answer", e.Answer.Message)
}

func endpointRows(row func(...any), endpoints []gateway.Endpoint) {
	for _, e := range endpoints {
		in := "in rotation"
		if !e.InRotation {
			in = "OUT of rotation"
		}
		v := e.Verdict
		weight, from := strconv.Itoa(e.Weight), fmt.Sprint(e.Sources)
		if e.OwnWeight != 0 {
			weight += fmt.Sprintf(" (its own %d)", e.OwnWeight)
		}
		if e.Priority != 0 {
			weight += fmt.Sprintf(", priority %d", e.Priority)
		}
		if e.Place != "" {
			from += " at " + e.Place
		}
		text := fmt.Sprintf("%s, weight %s, %s, %s", in, weight, from, v.State)
		if !v.Since.IsZero() {
			text += " since " + v.Since.Local().Format("15:04:05")
		}
		if !v.Until.IsZero() {
			text += " until " + v.Until.Local().Format("15:04:05")
		}
		if v.Reason != "" {
			text += ": " + v.Reason
		}
		row("  "+e.Address, text)
	}
}
