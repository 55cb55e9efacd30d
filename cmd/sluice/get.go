package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

// kindOf finds a kind by its name, its plural, or the lower case of both.
func kindOf(word string) (gateway.Kind, error) {
	w := strings.ToLower(word)
	for _, k := range gateway.Kinds {
		one := strings.ToLower(string(k))
		if w == one || w == one+"s" || strings.TrimSuffix(w, "ies") == strings.TrimSuffix(one, "y") && w != one {
			return k, nil
		}
	}
	return "", fmt.Errorf("unknown kind %q: known kinds are %v", word, gateway.Kinds)
}

func getCommand() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show objects as they were written, and those that follow from others",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			found, err := find(cmd, c, args, tenant)
			if err != nil {
				return err
			}
			if form, _ := cmd.Flags().GetString("output"); form == "yaml" {
				return manifest.Write(cmd.OutOrStdout(), found...)
			}
			if kind, err := kindOf(args[0]); err == nil && kind == gateway.KindCertificate {
				return showCertificates(cmd, found)
			}
			return show(cmd, found, func(row func(...any)) {
				row("KIND", "TENANT", "NAME", "REVISION", "UPDATED", "BY", "FROM")
				for _, o := range found {
					m := o.Head()
					row(m.Kind, m.Tenant, m.Name, revision(m), m.UpdatedAt, m.UpdatedBy, derivedFrom(m))
				}
			})
		},
	}
	cmd.Flags().StringVarP(&tenant, "tenant", "t", "", "only this tenant's")
	outputFlag(cmd)
	return cmd
}

// revision of an object; those that nobody wrote have none.
func revision(m *gateway.Meta) any {
	if m.DerivedFrom != nil {
		return ""
	}
	return m.Revision
}

// derivedFrom says what nobody wrote follows from.
func derivedFrom(m *gateway.Meta) string {
	if m.DerivedFrom == nil {
		return ""
	}
	return m.DerivedFrom.String()
}

// showCertificates shows what people ask of certificates. Their keys stay at the server.
func showCertificates(cmd *cobra.Command, found []gateway.Object) error {
	return show(cmd, found, func(row func(...any)) {
		row("TENANT", "NAME", "NAMES", "EXPIRES", "ISSUER", "FINGERPRINT", "REVISION", "FROM")
		for _, o := range found {
			c, ok := o.(*gateway.Certificate)
			if !ok || c.Status == nil {
				continue
			}
			if c.Status.Error != "" {
				row(c.Tenant, c.Name, c.Status.Error, "", "", "", revision(&c.Meta), derivedFrom(&c.Meta))
				continue
			}
			row(c.Tenant, c.Name, strings.Join(c.Status.Names, ","), c.Status.NotAfter, c.Status.Issuer, c.Status.Fingerprint[:16], revision(&c.Meta), derivedFrom(&c.Meta))
		}
	})
}

// find lists the objects that KIND [NAME] means; NAME may be TENANT/NAME.
func find(cmd *cobra.Command, c *client, args []string, tenant string) ([]gateway.Object, error) {
	kind, err := kindOf(args[0])
	if err != nil {
		return nil, err
	}
	name := ""
	if len(args) == 2 {
		name = args[1]
		if t, n, ok := strings.Cut(name, "/"); ok {
			tenant, name = t, n
		}
	}
	query := url.Values{"kind": {string(kind)}}
	if tenant != "" && kind.Owned() {
		query.Set("tenant", tenant)
	}
	var list struct {
		Items []api.AnyObject `json:"items"`
	}
	if err := c.call(cmd.Context(), http.MethodGet, "/objects?"+query.Encode(), nil, &list); err != nil {
		return nil, err
	}
	found := []gateway.Object{}
	for _, i := range list.Items {
		if name == "" || i.Head().Name == name {
			found = append(found, i.Object)
		}
	}
	if name != "" && len(found) == 0 {
		return nil, fmt.Errorf("there is no %s %q", kind, args[1])
	}
	return found, nil
}

func deleteCommand() *cobra.Command {
	var tenant string
	var dry bool
	cmd := &cobra.Command{
		Use:   "delete KIND NAME",
		Short: "Delete an object",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd)
			if err != nil {
				return err
			}
			found, err := find(cmd, c, args, tenant)
			if err != nil {
				return err
			}
			if len(found) > 1 {
				return fmt.Errorf("%q exists in several tenants (%s): say which with -t", args[1], tenants(found))
			}
			var out api.WriteResult
			if err := c.call(cmd.Context(), http.MethodDelete, fmt.Sprintf("%s?dryRun=%t", objectPath(found[0].Head()), dry), nil, &out); err != nil {
				return err
			}
			return showWritten(cmd.OutOrStdout(), out)
		},
	}
	cmd.Flags().StringVarP(&tenant, "tenant", "t", "", "owner of the object")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and delete nothing")
	return cmd
}

func tenants(objects []gateway.Object) string {
	var names []string
	for _, o := range objects {
		names = append(names, o.Head().Tenant)
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

func objectPath(m *gateway.Meta) string {
	plural := strings.ToLower(string(m.Kind)) + "s"
	if m.Kind == gateway.KindPolicy {
		plural = "policies"
	}
	if m.Kind.Owned() {
		return path("tenants", m.Tenant, plural, m.Name)
	}
	return path(plural, m.Name)
}
