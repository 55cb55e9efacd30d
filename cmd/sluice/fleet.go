package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/gateway"
)

func fleetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "fleet", Short: "Show nginx fleets: what nodes should run, hold and run, and what differs"}
	cmd.AddCommand(fleetList(), fleetNodes(), fleetDrift(), fleetSettle(), fleetAdopt(), fleetRevert(), fleetDiff(), fleetDownload())
	cmd.AddCommand(fleetToken(), fleetRevoke(), fleetForget(), rolloutCommand(), fleetImport())
	return cmd
}

func nodes(cmd *cobra.Command, c *client, fleet string) ([]gateway.Node, error) {
	var list struct{ Items []gateway.Node }
	return list.Items, c.call(cmd.Context(), http.MethodGet, path("fleets", fleet, "nodes"), nil, &list)
}

func fleetList() *cobra.Command {
	cmd := &cobra.Command{Use: "ls", Short: "List fleets with the states of their nodes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			fleets, err := find(cmd, c, []string{"fleet"}, "")
			if err != nil {
				return err
			}
			list := []fleetSummary{}
			for _, f := range fleets {
				members, err := nodes(cmd, c, f.Head().Name)
				if err != nil {
					return err
				}
				list = append(list, summarise(f.Head().Name, members))
			}
			return show(cmd, list, func(row func(...any)) {
				row("FLEET", "NODES", "STATES")
				for _, f := range list {
					row(f.Fleet, f.Nodes, f.text())
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

// fleetSummary counts the nodes of a fleet by state.
type fleetSummary struct {
	Fleet  string                    `json:"fleet"`
	Nodes  int                       `json:"nodes"`
	States map[gateway.NodeState]int `json:"states"`
}

func summarise(fleet string, members []gateway.Node) fleetSummary {
	s := fleetSummary{Fleet: fleet, Nodes: len(members), States: map[gateway.NodeState]int{}}
	for _, n := range members {
		s.States[n.State]++
	}
	return s
}

// text names the states, the worst first.
func (s fleetSummary) text() string {
	var parts []string
	for _, state := range []gateway.NodeState{gateway.NodeSilent, gateway.NodeFailed, gateway.NodeDrifted, gateway.NodeRolling, gateway.NodeInSync} {
		if n := s.States[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

func fleetNodes() *cobra.Command {
	cmd := &cobra.Command{Use: "nodes FLEET", Short: "List the nodes of a fleet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			list, err := nodes(cmd, c, args[0])
			if err != nil {
				return err
			}
			if form, _ := cmd.Flags().GetString("output"); len(list) == 0 && form == "table" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "fleet %s has no nodes: make a token with `sluice fleet token %s` and start `sluice agent` beside an nginx\n", args[0], args[0])
				return err
			}
			return show(cmd, list, func(row func(...any)) {
				row("NODE", "STATE", "DESIRED", "ON DISK", "RUNNING", "ENDPOINTS", "NGINX", "REPORTED", "NOTE")
				for _, n := range list {
					endpoints, _, _ := strings.Cut(n.Endpoints, ":") // the reason is in the JSON
					row(n.Node, n.State, short(n.Desired), short(n.OnDisk), short(n.Running), endpoints, n.Facts.NginxVersion, n.ReportedAt, nodeNote(n, time.Now()))
				}
			})
		}}
	outputFlag(cmd)
	return cmd
}

// fleetOf finds the fleet that has a node of this name.
func fleetOf(cmd *cobra.Command, c *client, node string) (string, error) {
	fleets, err := find(cmd, c, []string{"fleet"}, "")
	if err != nil {
		return "", err
	}
	var owners []string
	for _, f := range fleets {
		list, err := nodes(cmd, c, f.Head().Name)
		if err != nil {
			return "", err
		}
		for _, n := range list {
			if n.Node == node {
				owners = append(owners, f.Head().Name)
			}
		}
	}
	if len(owners) == 0 {
		return "", fmt.Errorf("no fleet has a node %q: `sluice fleet nodes FLEET` lists them; or say its fleet with --fleet", node)
	}
	if len(owners) > 1 {
		return "", fmt.Errorf("%d fleets have a node %q (%s): say which with --fleet", len(owners), node, strings.Join(owners, ", "))
	}
	return owners[0], nil
}

// download writes to a temporary file first, so that a broken transfer leaves no half file.
func download(cmd *cobra.Command, c *client, p, out string) error {
	tmp, err := os.CreateTemp(filepath.Dir(out), ".sluice-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	err = c.call(cmd.Context(), http.MethodGet, p, nil, tmp)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), out); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), out)
	return err
}
