package names

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func service(cluster, name string) Service {
	return Service{Cluster: cluster, Namespace: "shop", Service: name, Tenant: "acme", Upstream: name}
}

// at is a record of a service in cluster a.
func at(name string, phase Phase, gone time.Duration) Record {
	r := Record{Host: name + ".shop.svc.example.test", Service: service("a", name), Target: vips("192.0.2.1"), Phase: phase, Since: start}
	if gone > 0 {
		r.Gone = start.Add(-gone)
	}
	return r
}

func known(list ...Record) map[string]Record {
	out := map[string]Record{}
	for _, r := range list {
		out[r.Host] = r
	}
	return out
}

// words are the steps: phase, service and cluster, and whether the grace runs.
func words(steps []Step) string {
	var out []string
	for _, s := range steps {
		w := fmt.Sprintf("%s %s/%s", s.Phase, s.Service.Cluster, s.Service.Service)
		if !s.Gone.IsZero() {
			w += fmt.Sprintf(" gone %v", start.Sub(s.Gone))
		}
		out = append(out, w)
	}
	return strings.Join(out, ", ")
}

func TestPlan(t *testing.T) {
	other := at("api", Announced, 0)
	other.Target = vips("192.0.2.9")
	moved := at("api", Announced, 0)
	moved.Service.Upstream = "api-v2"
	ofB := at("api", Announced, 0)
	ofB.Service.Cluster = "b"
	for _, c := range []struct {
		name       string
		services   []Service
		known      map[string]Record
		incomplete bool
		grace      time.Duration
		want       string
	}{
		{name: "a new service", services: []Service{service("a", "api")}, want: "announcing a/api"},
		{name: "one that is announced", services: []Service{service("a", "api")}, known: known(at("api", Announced, 0))},
		{name: "a call whose end nobody saw", services: []Service{service("a", "api")}, known: known(at("api", Announcing, 0)), want: "announcing a/api"},
		{name: "other addresses", services: []Service{service("a", "api")}, known: known(other), want: "announcing a/api"},
		{name: "another upstream follows it: only the record changes", services: []Service{service("a", "api")}, known: known(moved), want: "announced a/api"},
		{name: "a service that is gone: its grace begins", known: known(at("api", Announced, 0)), grace: time.Minute, want: "announced a/api gone 0s"},
		{name: "its grace runs", known: known(at("api", Announced, 59*time.Second)), grace: time.Minute},
		{name: "its grace is over", known: known(at("api", Announced, time.Minute)), grace: time.Minute, want: "withdrawing a/api gone 1m0s"},
		{name: "no grace", known: known(at("api", Announced, 0)), want: "withdrawing a/api gone 0s"},
		{name: "it came back in time", services: []Service{service("a", "api")}, known: known(at("api", Announced, time.Second)), grace: time.Minute, want: "announced a/api"},
		{name: "it came back while it was withdrawn", services: []Service{service("a", "api")}, known: known(at("api", Withdrawing, time.Hour)), want: "announcing a/api"},
		{name: "the sources are down: nothing goes", known: known(at("api", Announced, 0), at("web", Announced, time.Hour), at("new", Announcing, 0)), incomplete: true},
		{name: "the sources are down: what is there comes", services: []Service{service("a", "api")}, incomplete: true, want: "announcing a/api"},
		{name: "a withdrawal that was begun is ended", known: known(at("api", Withdrawing, time.Hour)), incomplete: true, want: "withdrawing a/api gone 1h0m0s"},
		{name: "gone before it was announced", known: known(at("api", Announcing, 0)), grace: time.Hour, want: "withdrawing a/api"},
		{name: "another service has it: only the record changes", services: []Service{service("a", "api")}, known: known(ofB), want: "announced a/api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			services := map[string]Service{}
			for _, s := range c.services {
				services[s.Service+".shop.svc.example.test"] = s
			}
			steps := Plan(Input{Target: vips("192.0.2.1"), Grace: c.grace, Services: services, Complete: !c.incomplete, Known: c.known, Now: start})
			if got := words(steps); got != c.want {
				t.Errorf("steps %q, want %q", got, c.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for pattern, want := range map[string]string{
		"{{service}}.svc.example.com":                        "use {{service}} and {{namespace}}",
		"{{service}}.{{namespace}}.{{zone}}.example.com":     "{{zone}} is not known",
		"{{service}}_{{namespace}}.example.com":              "does not make host names",
		"{{service}}.{{namespace}}.{{cluster.example.com":    "does not make host names",
		"{{service}}.{{namespace}}..example.com":             "does not make host names",
		"{{service}}-{{namespace}}-{{tenant}}.example.com":   "",
		"{{service}}.{{namespace}}.{{cluster}}.example.com.": "does not make host names",
	} {
		_, err := ParseRule(pattern)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
	r := rule(t, "{{service}}-{{namespace}}.{{tenant}}.{{cluster}}.svc.example.com")
	if host, err := r.Host(service("eu", "api")); err != nil || host != "api-shop.acme.eu.svc.example.com" {
		t.Errorf("%s, %v", host, err)
	}
	for zone, want := range map[string]bool{"example.com": true, "SVC.example.com.": true, "com": true, "ample.com": false, "eu.svc.example.com": false} {
		if r.Within(zone) != want {
			t.Errorf("within %s: %v", zone, !want)
		}
	}
}
