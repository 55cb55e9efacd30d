package kubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// kinds are those that [Cluster.Create] knows: the plural, and whether they are in a namespace.
var kinds = map[string]struct {
	plural     string
	namespaced bool
}{
	"ClusterRole":        {"clusterroles", false},
	"ClusterRoleBinding": {"clusterrolebindings", false},
	"EndpointSlice":      {"endpointslices", true},
	"Ingress":            {"ingresses", true},
	"IngressClass":       {"ingressclasses", false},
	"Namespace":          {"namespaces", false},
	"Role":               {"roles", true},
	"RoleBinding":        {"rolebindings", true},
	"Secret":             {"secrets", true},
	"Service":            {"services", true},
	"ServiceAccount":     {"serviceaccounts", true},
}

// Create creates what the documents of a YAML text describe.
func (c *Cluster) Create(text string) {
	c.tb.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var head struct {
			APIVersion, Kind string
			Metadata         struct{ Namespace, Name string }
		}
		body, err := yaml.YAMLToJSON([]byte(doc))
		if err == nil {
			err = json.Unmarshal(body, &head)
		}
		kind, ok := kinds[head.Kind]
		if err != nil || !ok {
			c.tb.Fatalf("create kind %q: unknown, or not readable: %v", head.Kind, err)
		}
		path := "/apis/" + head.APIVersion
		if !strings.Contains(head.APIVersion, "/") {
			path = "/api/" + head.APIVersion
		}
		if kind.namespaced {
			path += "/namespaces/" + head.Metadata.Namespace
		}
		c.must("create "+head.Kind+" "+head.Metadata.Name,
			c.core.Post().AbsPath(path, kind.plural).SetHeader("Content-Type", "application/json").Body(body).Do(c.tb.Context()))
	}
}

// CreateFile creates what a manifest in the repository describes.
func (c *Cluster) CreateFile(path string) {
	c.tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.Create(string(text))
}

// Get reads what is at a path of the API, such as
// "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web".
func (c *Cluster) Get(path string, into any) error {
	raw, err := c.core.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(c.tb.Context()).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// Patch merges a change, in JSON or YAML, into what is at a path of the API.
func (c *Cluster) Patch(path, change string) {
	c.tb.Helper()
	body, err := yaml.YAMLToJSON([]byte(change))
	if err != nil {
		c.tb.Fatal(err)
	}
	c.must("patch "+path, c.core.Patch(types.MergePatchType).AbsPath(path).Body(body).Do(c.tb.Context()))
}

// Delete deletes what is at a path of the API.
func (c *Cluster) Delete(path string) {
	c.tb.Helper()
	c.must("delete "+path, c.core.Delete().AbsPath(path).Do(c.tb.Context()))
}

// Account writes a kubeconfig for a ServiceAccount, which has just the rights that it was
// granted, and returns its path.
func (c *Cluster) Account(namespace, name string) string {
	c.tb.Helper()
	raw, err := c.core.Post().AbsPath("/api/v1/namespaces", namespace, "serviceaccounts", name, "token").
		SetHeader("Content-Type", "application/json").Body([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`)).
		SetHeader("Accept", "application/json").Do(context.Background()).Raw()
	var got struct{ Status struct{ Token string } }
	if err == nil {
		err = json.Unmarshal(raw, &got)
	}
	if err != nil || got.Status.Token == "" {
		c.tb.Fatalf("token of ServiceAccount %s/%s: %v", namespace, name, err)
	}
	config, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		c.tb.Fatal(err)
	}
	path := filepath.Join(c.dir, fmt.Sprintf("kubeconfig-%s-%s", namespace, name))
	text := strings.Replace(string(config), fmt.Sprintf("%q", token), fmt.Sprintf("%q", got.Status.Token), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.tb.Fatal(err)
	}
	return path
}
