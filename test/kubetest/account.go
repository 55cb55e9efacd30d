package kubetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Server is the URL of the API server, and CAFile what its certificate is checked with.
func (c *Cluster) Server() string { return fmt.Sprintf("https://127.0.0.1:%d", c.apiPort) }

// CAFile holds the certificate that signs the API server's.
func (c *Cluster) CAFile() string { return filepath.Join(c.dir, "tls.crt") }

// ApplyFile creates what a manifest file holds. Its kinds have plurals that end in s.
func (c *Cluster) ApplyFile(path string) {
	c.tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		c.tb.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct{ Namespace string }
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			c.tb.Fatalf("%s: %v", path, err)
		}
		url := "/api/" + head.APIVersion
		if strings.Contains(head.APIVersion, "/") {
			url = "/apis/" + head.APIVersion
		}
		if head.Metadata.Namespace != "" {
			url += "/namespaces/" + head.Metadata.Namespace
		}
		url += "/" + strings.ToLower(head.Kind) + "s"
		c.must("create "+head.Kind, c.core.Post().AbsPath(url).SetHeader("Content-Type", "application/yaml").Body([]byte(doc)).Do(c.tb.Context()))
	}
}

// CreateAccount creates a service account without rights and returns its name.
func (c *Cluster) CreateAccount(namespace, name string) string {
	c.tb.Helper()
	c.must("create ServiceAccount "+name, c.core.Post().Namespace(namespace).Resource("serviceaccounts").
		Body(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}).Do(c.tb.Context()))
	return name
}

// AccountToken returns a token of a service account.
func (c *Cluster) AccountToken(namespace, name string) string {
	c.tb.Helper()
	raw, err := c.core.Post().AbsPath("/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token").
		SetHeader("Content-Type", "application/yaml").SetHeader("Accept", "application/yaml").
		Body([]byte("apiVersion: authentication.k8s.io/v1\nkind: TokenRequest\nspec: {}\n")).Do(c.tb.Context()).Raw()
	if err != nil {
		c.tb.Fatalf("token of %s/%s: %v", namespace, name, err)
	}
	var answer struct{ Status struct{ Token string } }
	if err := yaml.Unmarshal(raw, &answer); err != nil || answer.Status.Token == "" {
		c.tb.Fatalf("token of %s/%s: %v in %.200s", namespace, name, err, raw)
	}
	return answer.Status.Token
}
