package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

func applyCommand() *cobra.Command {
	var files []string
	var dry, prune bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE|DIR|-",
		Short: "Put the objects of files, all or none",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			items, err := manifest.ReadPaths(cmd.InOrStdin(), files...)
			if err != nil {
				return err
			}
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			req := applyRequest{Objects: []clearObject{}}
			var tenants []string
			for _, i := range items {
				req.Objects = append(req.Objects, clearObject{i.Object})
				tenants = append(tenants, tenantOf(i.Object))
			}
			if prune {
				slices.Sort(tenants)
				req.Prune = &api.Prune{Tenants: slices.DeleteFunc(slices.Compact(tenants), func(t string) bool { return t == "" })}
			}
			var out api.WriteResult
			if err := c.call(cmd.Context(), http.MethodPost, fmt.Sprintf("/apply?dryRun=%t", dry), req, &out); err != nil {
				if r := (*refusal)(nil); errors.As(err, &r) {
					r.locate(items)
				}
				return err
			}
			return showWritten(cmd.OutOrStdout(), out, items...)
		},
	}
	cmd.Flags().StringSliceVarP(&files, "file", "f", nil, "file or folder of objects, - for standard input; may be repeated")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and write nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "delete objects of the named tenants that are not in the files")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

// applyRequest is [api.ApplyRequest] with the secrets that are to be stored.
type applyRequest struct {
	Objects []clearObject `json:"objects"`
	Prune   *api.Prune    `json:"prune,omitempty"`
}

// clearObject is sent with its secrets, which JSON leaves out otherwise.
type clearObject struct{ gateway.Object }

// MarshalJSON implements json.Marshaler.
func (o clearObject) MarshalJSON() ([]byte, error) { return gateway.MarshalClear(o.Object) }

func tenantOf(o gateway.Object) string {
	if t, ok := o.(*gateway.Tenant); ok {
		return t.Name
	}
	return o.Head().Tenant
}

// showWritten tells what a write did, and what came of it. Problems of objects among items
// are shown with the file and line that they were written in.
func showWritten(w io.Writer, out api.WriteResult, items ...manifest.Item) error {
	where := map[gateway.Ref]string{}
	for _, i := range items {
		where[i.Object.Head().Ref()] = i.Where() + ": "
	}
	would := ""
	if out.DryRun {
		would = " (dry run: nothing was written)"
	}
	err := writeTable(w, func(row func(...any)) {
		for _, c := range out.Changes {
			row(c.Object, string(c.Action)+would)
		}
		for _, h := range out.Effect.Hosts {
			row("host "+h.Host, h.Change)
		}
		for _, u := range out.Effect.Upstreams {
			row("upstream "+u.Upstream.String(), fmt.Sprintf("%s, endpoints added %v, removed %v", u.Change, u.EndpointsAdded, u.EndpointsRemoved))
		}
	})
	for _, p := range out.Effect.ProblemsAdded {
		_, _ = fmt.Fprintf(w, "problem: %s%s: %s: %s\n", where[p.Object], p.Object, p.Field, p.Message)
	}
	for _, p := range out.Effect.ProblemsFixed {
		_, _ = fmt.Fprintf(w, "settled: %s: %s\n", p.Object, p.Message)
	}
	return err
}
