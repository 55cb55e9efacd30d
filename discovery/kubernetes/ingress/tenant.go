package ingress

import (
	"errors"
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// LabelTenant is the label by which a Namespace names its tenant.
const LabelTenant = "sluice.io/tenant"

// TenantRule gives namespaces to a tenant.
type TenantRule struct {
	// Namespace is a pattern for the whole name, as of a shell: "shop", "team-*". Default:
	// every namespace.
	Namespace string
	// Selector chooses by the namespace's labels, as kubectl -l takes it. Default: any.
	Selector string
	// Tenant is the name of the tenant.
	Tenant string
}

// Check says what is wrong with the rule, as "KEY: what".
func (r TenantRule) Check() error {
	if _, err := path.Match(r.Namespace, ""); err != nil {
		return fmt.Errorf("namespace: %q is not a pattern: write a name, with * for any letters", r.Namespace)
	}
	if _, err := labels.Parse(r.Selector); err != nil {
		return fmt.Errorf("selector: %q is not a label selector (%w): write it as for kubectl -l, such as tier=gold", r.Selector, err)
	}
	if r.Tenant == "" {
		return errors.New("tenant: name the tenant that the namespaces belong to")
	}
	if len(validation.IsDNS1123Subdomain(r.Tenant)) > 0 {
		return fmt.Errorf("tenant: %q is no tenant's name: write lower-case letters, digits, '-' and '.'", r.Tenant)
	}
	return nil
}

// fits says whether a namespace falls under the rule. A rule that can't be read fits none.
func (r TenantRule) fits(name string, set labels.Set) bool {
	ok, err := path.Match(r.Namespace, name)
	if err != nil || r.Namespace != "" && !ok {
		return false
	}
	selector, err := labels.Parse(r.Selector)
	return err == nil && selector.Matches(set)
}

// tenantsOf says which tenant each namespace belongs to. A namespace that is not there may
// still fit a rule by its name.
func tenantsOf(cfg Config, namespaces []*corev1.Namespace) func(namespace string) string {
	byName := make(map[string]labels.Set, len(namespaces))
	for _, n := range namespaces {
		byName[n.Name] = n.Labels
	}
	known := map[string]string{}
	return func(namespace string) string {
		if t, ok := known[namespace]; ok {
			return t
		}
		tenant := byName[namespace][LabelTenant]
		for _, r := range cfg.Tenants {
			if r.fits(namespace, byName[namespace]) {
				tenant = r.Tenant
				break
			}
		}
		known[namespace] = tenant
		return tenant
	}
}
