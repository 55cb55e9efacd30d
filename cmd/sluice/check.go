package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/discovery/manual"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE|DIR...",
		Short: "Check object files, or a sluice.yaml with its objects, without a server",
		Long: "Check object files and folders, or a process configuration together with the objects\n" +
			"that it names. Prints every problem with file and line; ends with status 1 when there is one.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, err := objectPaths(args)
			if err != nil {
				return err
			}
			items, err := manifest.ReadPaths(cmd.InOrStdin(), paths...)
			if err != nil {
				return err
			}
			problems := checkObjects(items)
			for _, p := range problems {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			if len(problems) > 0 {
				return fmt.Errorf("%d problems in %d objects", len(problems), len(items))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d objects, no problems\n", len(items))
			return err
		},
	}
}

// objectPaths replaces a process configuration by the object files that it names. A file
// is one when its top level has no kind.
func objectPaths(args []string) ([]string, error) {
	var out []string
	for _, p := range args {
		text, err := os.ReadFile(p)
		if err != nil || hasKind(string(text)) {
			out = append(out, p) // objects, a folder or stdin; a missing file is reported by manifest
			continue
		}
		cfg, err := readConfig(p, func(string) string { return "" })
		if err != nil {
			return nil, err
		}
		out = append(out, cfg.Objects...)
	}
	if len(out) == 0 && len(args) == 0 {
		return nil, errors.New("nothing to check")
	}
	return out, nil
}

func hasKind(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "kind:") || strings.HasPrefix(strings.TrimSpace(line), `"kind"`) || strings.HasPrefix(line, "{") {
			return true
		}
	}
	return false
}

// checkObjects builds what the objects would give alone, and puts file and line before each
// problem.
func checkObjects(items []manifest.Item) []string {
	var in gateway.Inputs
	where := map[gateway.Ref]string{}
	for _, i := range items {
		where[i.Object.Head().Ref()] = i.Where()
		switch o := i.Object.(type) {
		case *gateway.Tenant:
			in.Tenants = append(in.Tenants, o)
		case *gateway.Upstream:
			in.Upstreams = append(in.Upstreams, o)
		case *gateway.Route:
			in.Routes = append(in.Routes, o)
		case *gateway.Override:
			in.Overrides = append(in.Overrides, o)
		case *gateway.Stream:
			in.Streams = append(in.Streams, o)
		case *gateway.Pin:
			in.Pins = append(in.Pins, o)
		case *gateway.Allowance:
			in.Allowances = append(in.Allowances, o)
		case *gateway.Policy:
			in.Policies = append(in.Policies, o)
		case *gateway.Fleet:
			in.Fleets = append(in.Fleets, o)
		case *gateway.Certificate:
			in.Certificates = append(in.Certificates, o)
		}
	}
	in.Sets = manual.Sets(in.Upstreams)
	in.Now = time.Now()
	var out []string
	for _, p := range gateway.Build(in, 1).Problems {
		out = append(out, fmt.Sprintf("%s: %s: %s: %s", where[p.Object], p.Object, p.Field, p.Message))
	}
	return out
}
