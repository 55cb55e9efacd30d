package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
)

func fleetDiff() *cobra.Command {
	var beside bool
	var width int
	cmd := &cobra.Command{Use: "diff FLEET [FROM [TO]]", Short: "Compare nodes, what they should have, and revisions", Args: cobra.RangeArgs(1, 3),
		Long: "Compare all nodes of a fleet with what they should have, or one, or FROM with TO. Both are a\n" +
			"node's name for the files that it has, desired:NODE for those it should have, or\n" +
			"revision:DIGEST for a bundle.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			queries := []url.Values{}
			switch len(args) {
			case 3:
				queries = append(queries, url.Values{"from": {args[1]}, "to": {args[2]}})
			case 2:
				queries = append(queries, url.Values{"node": {args[1]}})
			default:
				list, err := nodes(cmd, c, args[0])
				if err != nil {
					return err
				}
				for _, n := range list {
					if n.Desired == "" && n.ReportedAt.IsZero() {
						_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: left out: not heard since the control plane was started\n", n.Node)
						continue
					}
					queries = append(queries, url.Values{"node": {n.Node}})
				}
			}
			for _, q := range queries {
				if beside {
					q.Set("sideBySide", "true")
				}
				var diff api.TreeDiff
				if err := c.call(cmd.Context(), http.MethodGet, path("fleets", args[0], "diff")+"?"+q.Encode(), nil, &diff); err != nil {
					return err
				}
				printDiff(cmd.OutOrStdout(), diff, beside, width)
			}
			return nil
		}}
	cmd.Flags().BoolVarP(&beside, "side-by-side", "y", false, "show both sides beside each other")
	cmd.Flags().IntVar(&width, "width", 78, "with --side-by-side, characters of each side")
	return cmd
}

func printDiff(w io.Writer, d api.TreeDiff, beside bool, width int) {
	for _, f := range d.Files {
		if !beside || f.Rows == nil {
			_, _ = io.WriteString(w, f.Unified)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s   %s: %s\n", column(d.Left+": "+f.Path, width), d.Right, f.Path)
		for _, r := range *f.Rows {
			mark, ok := map[string]string{"changed": "|", "added": ">", "removed": "<", "gap": "~"}[r.Change]
			if !ok {
				mark = " "
			}
			_, _ = fmt.Fprintf(w, "%s %s %s\n", column(r.Left, width), mark, r.Right)
		}
	}
}

// column is text in exactly that many characters.
func column(text string, width int) string {
	text = strings.ReplaceAll(text, "\t", "    ")
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:max(0, width-1)]) + "~"
	}
	return text + strings.Repeat(" ", width-n)
}

func fleetDownload() *cobra.Command {
	var fleet, out, revision string
	var text, desired bool
	cmd := &cobra.Command{Use: "download [NODE]", Short: "Download the files that a node really has, or a revision", Args: cobra.MaximumNArgs(1),
		Long: "Download the files that a node really has, those it should have (--desired), or a bundle by its\n" +
			"digest (--revision), as tar.gz or as one text like nginx -T. Private keys are never in it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			of, name := "", ""
			switch {
			case revision != "" && len(args) == 0 && fleet != "":
				of, name = "revision:"+revision, revision
			case len(args) == 1 && revision == "":
				of, name = args[0], args[0]
				if fleet == "" {
					if fleet, err = fleetOf(cmd, c, args[0]); err != nil {
						return err
					}
				}
			default:
				return fmt.Errorf("name a node, or a bundle with --fleet FLEET --revision DIGEST and no node")
			}
			if desired {
				of = "desired:" + of
			}
			q := url.Values{"of": {of}}
			suffix := ".tar.gz"
			if text {
				q.Set("format", "text")
				suffix = ".conf"
			}
			p := path("fleets", fleet, "tree") + "?" + q.Encode()
			if out == "-" {
				return c.call(cmd.Context(), http.MethodGet, p, nil, cmd.OutOrStdout())
			}
			if out == "" {
				out = name + suffix
			}
			return download(cmd, c, p, out)
		}}
	cmd.Flags().StringVar(&fleet, "fleet", "", "fleet of the node; may be left out when the name is unique")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write (default NODE.tar.gz or NODE.conf, - for standard output)")
	cmd.Flags().StringVar(&revision, "revision", "", "download the bundle with this digest instead of a node")
	cmd.Flags().BoolVar(&text, "text", false, "one text as nginx -T prints it")
	cmd.Flags().BoolVar(&desired, "desired", false, "what the node should have")
	return cmd
}
