package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/configsync/nginximport"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

func fleetImport() *cobra.Command {
	var fleet, from, out, report string
	var options nginximport.Options
	cmd := &cobra.Command{Use: "import [NODE]", Short: "Turn the nginx configuration of a node into objects", Args: cobra.MaximumNArgs(1),
		Long: "Read the nginx configuration that people wrote on a node, or the one at --from, and write it as\n" +
			"objects: a Tenant, Upstreams, Routes and Pins. Nothing is applied. The report names each directive\n" +
			"that did not translate, with its place, the reason and what to do. Locations that may refuse\n" +
			"somebody by means that routes do not have answer 503. Private keys are never read.",
		Example: "  sluice fleet import edge-07 --tenant shop --out shop.yaml --report shop.txt\n" +
			"  sluice fleet import --from /etc/nginx --tenant shop > shop.yaml\n  sluice apply -f shop.yaml --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			var files nginximport.Files
			var err error
			switch {
			case from != "" && len(args) == 0:
				files, err = nginximport.Local(from)
			case from == "" && len(args) == 1:
				files, fleet, err = nodeFiles(cmd, fleet, args[0])
			default:
				return errors.New("name a node, or a folder or nginx.conf with --from")
			}
			if err != nil {
				return err
			}
			if err := manifest.CheckHead(&gateway.Meta{Kind: gateway.KindTenant, Name: options.Tenant}); err != nil {
				return fmt.Errorf("--tenant: %w", err)
			}
			if fleet != "" {
				options.Fleets = []string{fleet}
			}
			result, err := nginximport.Import(files, options)
			if err != nil {
				return err
			}
			return writeImport(cmd, result, out, report)
		}}
	cmd.Flags().StringVar(&fleet, "fleet", "", "fleet of the node, and of the tenant; with --from of the tenant only")
	cmd.Flags().StringVar(&from, "from", "", "read this nginx.conf, or the one in this folder, instead of a node's")
	cmd.Flags().StringVar(&options.Tenant, "tenant", "imported", "tenant that owns the objects")
	cmd.Flags().BoolVar(&options.Overrides, "overrides", false, "write what only nginx knows as Overrides, with a Policy that allows it")
	cmd.Flags().StringVar(&out, "out", "", "file to write the objects to (default standard output)")
	cmd.Flags().StringVar(&report, "report", "", "file to write the report to (default standard error)")
	return cmd
}

// nodeFiles fetches what a node's agent has uploaded, with the node's fleet.
func nodeFiles(cmd *cobra.Command, fleet, node string) (files nginximport.Files, of string, err error) {
	c, err := newClient(cmd)
	if err != nil {
		return files, "", err
	}
	if fleet == "" {
		if fleet, err = fleetOf(cmd, c, node); err != nil {
			return files, "", err
		}
	}
	var n gateway.Node
	if err := c.call(cmd.Context(), http.MethodGet, path("fleets", fleet, "nodes", node), nil, &n); err != nil {
		return files, "", err
	}
	if n.Facts.ConfPath == "" {
		return files, "", fmt.Errorf("node %s has not told its files yet: wait for its agent's first report, or import with --from on the node", node)
	}
	var archive bytes.Buffer
	if err := c.call(cmd.Context(), http.MethodGet, path("fleets", fleet, "tree")+"?"+url.Values{"of": {node}}.Encode(), nil, &archive); err != nil {
		return files, "", err
	}
	files, err = nginximport.Archive(&archive, n.Facts.ConfPath, n.Facts.TreePath)
	return files, fleet, err
}

// writeImport writes the objects and the report. The report goes last, with what to do next.
func writeImport(cmd *cobra.Command, result *nginximport.Result, out, report string) error {
	var objects, notes bytes.Buffer
	if err := manifest.Write(&objects, result.Objects...); err != nil {
		return err
	}
	if err := result.Report.Write(&notes); err != nil {
		return err
	}
	from := out
	if from == "" {
		from = "FILE"
	}
	fmt.Fprintf(&notes, "Next: sluice apply -f %s --dry-run, and then without --dry-run.\n", from)
	if err := writeTo(cmd.OutOrStdout(), out, objects.Bytes()); err != nil {
		return err
	}
	if report != "" {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), result.Report.Summary())
	}
	return writeTo(cmd.ErrOrStderr(), report, notes.Bytes())
}

// writeTo writes to a file as a whole or not at all, or to w when no file is named.
func writeTo(w io.Writer, name string, data []byte) error {
	if name == "" {
		_, err := w.Write(data)
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".sluice-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
