package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

func outputFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("output", "o", "table", "table, json or yaml")
}

// show prints v in the form that -o asks for; table writes the rows for people.
func show(cmd *cobra.Command, v any, table func(row func(cells ...any))) error {
	w := cmd.OutOrStdout()
	switch form, _ := cmd.Flags().GetString("output"); form {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case "yaml":
		b, err := yaml.MarshalWithOptions(v, yaml.UseJSONMarshaler())
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	case "table":
		return writeTable(w, table)
	default:
		return fmt.Errorf("-o %s: write table, json or yaml", form)
	}
}

func writeTable(w io.Writer, table func(row func(cells ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	table(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(tw, "\t") // a tabwriter fails in Flush only
			}
			_, _ = fmt.Fprint(tw, orDash(c))
		}
		_, _ = fmt.Fprintln(tw)
	})
	return tw.Flush()
}

// orDash keeps columns apart where there is nothing to say.
func orDash(c any) string {
	if t, ok := c.(time.Time); ok {
		if t.IsZero() {
			return "-"
		}
		return t.Local().Format("2006-01-02 15:04:05")
	}
	if s := fmt.Sprint(c); strings.TrimSpace(s) != "" {
		return s
	}
	return "-"
}

// short is enough of a digest to tell two apart.
func short(digest string) string { return digest[:min(12, len(digest))] }
