package ingress

import (
	"fmt"
	"testing"

	"golang.org/x/tools/txtar"
)

// A large cluster: 5,000 Services, 2,000 Ingresses of 3 paths each, 500 Secrets.
func BenchmarkTranslate(b *testing.B) {
	c := readCase(b, txtar.Parse([]byte(shop)))
	service, secret, web := c.resources.Services[0], c.resources.Secrets[0], c.resources.Ingresses[0]
	for i := range 5000 {
		s := service.DeepCopy()
		s.Name = fmt.Sprintf("web-%d", i)
		c.resources.Services = append(c.resources.Services, s)
	}
	for i := range 500 {
		s := secret.DeepCopy()
		s.Name = fmt.Sprintf("cert-%d", i)
		c.resources.Secrets = append(c.resources.Secrets, s)
	}
	for i := range 2000 {
		o := web.DeepCopy()
		o.Name = fmt.Sprintf("web-%d", i)
		o.Spec.TLS[0].SecretName, o.Spec.TLS[0].Hosts = fmt.Sprintf("cert-%d", i%500), []string{fmt.Sprintf("h%d.example.com", i)}
		rule := &o.Spec.Rules[0]
		rule.Host = o.Spec.TLS[0].Hosts[0]
		rule.HTTP.Paths = append(rule.HTTP.Paths, rule.HTTP.Paths[0])
		for k := range rule.HTTP.Paths {
			p := &rule.HTTP.Paths[k]
			p.Path = fmt.Sprintf("/p%d", k)
			p.Backend.Service = p.Backend.Service.DeepCopy()
			p.Backend.Service.Name, p.Backend.Service.Port.Name, p.Backend.Service.Port.Number = fmt.Sprintf("web-%d", (i*3+k)%5000), "http", 0
		}
		c.resources.Ingresses = append(c.resources.Ingresses, o)
	}
	for b.Loop() {
		if r := Translate(c.resources, c.config); len(r.Objects) < 10000 {
			b.Fatal(len(r.Objects))
		}
	}
}
