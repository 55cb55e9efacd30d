package ingress

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// What people may write freely (hosts, paths, annotations) breaks nothing: names of objects
// are always good, and every host of a route was asked for.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{"shop.example.com", "*.example.com", "*", "", "a/b", "//", "/a/../b", "ns/name", "5s", "-1", "1g", "[a", "*,x", "h2c", "\x00", "é", ",,"} {
		f.Add(s, s, s)
		f.Add("shop.example.com", "/x", s)
	}
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, host, path, value string) {
		c := readCase(t, txtar.Parse([]byte(shop)))
		i, s := c.resources.Ingresses[0], c.resources.Services[0]
		i.Spec.Rules[0].Host, i.Spec.Rules[0].HTTP.Paths[0].Path, i.Spec.TLS[0].Hosts = host, path, []string{host}
		i.Annotations, s.Annotations = map[string]string{}, map[string]string{}
		for _, a := range ingressAnnotations {
			i.Annotations[a] = value
		}
		for _, a := range serviceAnnotations {
			s.Annotations[a] = value
		}
		s.Annotations[annotationHost] = host
		r := Translate(c.resources, c.config)
		for _, o := range r.Objects {
			if ref := o.Head().Ref(); !name.MatchString(ref.Name) || len(ref.Name) > longestName || ref.Tenant != "acme" {
				t.Errorf("object %s", ref)
			}
		}
		for _, p := range r.Problems {
			if p.Message == "" || p.Reason == "" || strings.Contains(p.Message, "%!") {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
