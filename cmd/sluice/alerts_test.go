package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// ruleSelector is what test/promrules says about an expression.
type ruleSelector struct {
	Alert, Metric string
	Labels        []string
}

// readRules has Prometheus' own parsers check a rule file. Prometheus is in a module of its own.
func readRules(t *testing.T, file string) (out []ruleSelector, problem string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "promrules")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../test/promrules"
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build test/promrules: %v\n%s", err, text)
	}
	cmd := exec.Command(program)
	cmd.Stdin = strings.NewReader(file)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, stderr.String()
	}
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var s ruleSelector
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return out, ""
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
}

var describes = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{(.*)\}\}$`)

// exported lists the metrics of a whole App with their labels, whether or not they have a
// value now.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	cfg, err := configOf(t, "dataDir: "+dir+"\nlisteners: [{name: http, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\nops: {address: \"127.0.0.1:0\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewApp(t.Context(), cfg, newLogger(LogConfig{Level: "error", Format: "text"}, os.Stderr), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	descs := make(chan *prometheus.Desc)
	go func() { a.metrics.Describe(descs); close(descs) }()
	out := map[string][]string{}
	for d := range descs {
		m := describes.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("what is %s?", d)
		}
		out[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	return out
}

// Every rule is one for Prometheus, and reads metrics and labels that there are.
func TestRulesReadWhatIsExported(t *testing.T) {
	file := rulesOf([]gateway.Tenant{
		{Meta: gateway.Meta{Name: "acme"}},
		{Meta: gateway.Meta{Name: "dot.ted"}, Spec: gateway.TenantSpec{Alerts: &gateway.TenantAlerts{MaxErrorRatio: 0.01, MaxLatency: gateway.Duration(800 * time.Millisecond)}}},
		{Meta: gateway.Meta{Name: "a\"b\\c\nd"}},
	}, true)
	selectors, problem := readRules(t, file)
	if problem != "" {
		t.Fatalf("%s\n%s", problem, file)
	}
	if len(selectors) < 40 {
		t.Errorf("only %d selectors in\n%s", len(selectors), file)
	}
	metrics := exported(t)
	for _, s := range selectors {
		name := s.Metric
		if base, ok := strings.CutSuffix(name, "_bucket"); ok {
			name = base
			s.Labels = slices.DeleteFunc(s.Labels, func(l string) bool { return l == "le" })
		}
		has, ok := metrics[name]
		if !ok {
			t.Errorf("%s reads %s, which is not exported", s.Alert, s.Metric)
		}
		for _, l := range s.Labels {
			if !slices.Contains(has, l) {
				t.Errorf("%s reads label %s of %s, which has %v", s.Alert, l, s.Metric, has)
			}
		}
	}
	for _, want := range []string{`sluice_requests_total{tenant=\"acme\"}[5m])) > 0.1`, `> 0.05 and`, `> 0.01 and`, `tenant=\"dot.ted\"}[5m]))) > 0.8`, `upstream=~\"dot\\\\.ted/.+\"`} {
		if !strings.Contains(file, want) {
			t.Errorf("%q is not in\n%s", want, file)
		}
	}
}

// The checker finds what promtool does: otherwise the test above could not fail.
func TestRuleCheckerRefuses(t *testing.T) {
	for name, file := range map[string]string{
		"expression": "groups:\n- name: x\n  rules:\n  - alert: A\n    expr: sum(\n",
		"template":   "groups:\n- name: x\n  rules:\n  - alert: A\n    expr: up == 0\n    annotations: {summary: '{{ $nosuch }}'}\n",
		"key":        "groups:\n- name: x\n  rules:\n  - alert: A\n    expr: up == 0\n    fro: 5m\n",
		"twice":      "groups:\n- name: x\n- name: x\n",
	} {
		if _, problem := readRules(t, file); problem == "" {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAlertsConfig(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("https://hooks.example.com/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ yaml, want string }{
		{`{name: ops, type: slack, urlFile: ` + secret + `}`, ""},
		{`{name: ops, type: dingtalk, url: "https://x.test/a", secretFile: ` + secret + `, scope: tenants, kinds: [panic], severity: critical, perMinute: 20, timeout: 5s}`, ""},
		{`{name: ops, type: json, url: "https://x.test/a", tokenFile: ` + secret + `}`, ""},
		{`{type: slack, url: "https://x.test/a"}`, "alerts.receivers[0].name: \"\" is empty or used twice"},
		{`{name: a, type: mail, url: "https://x.test/a"}`, "alerts.receivers[0].type: \"mail\" is not a type of receiver: write slack, dingtalk, wecom, json"},
		{`{name: a, type: slack}`, "alerts.receivers[0].url: give the webhook's url, or a urlFile"},
		{`{name: a, type: slack, url: "hooks.example.com/SECRET"}`, "alerts.receivers[0].url: the webhook's address is not a URL"},
		{`{name: a, type: slack, urlFile: /nosuch/file}`, "alerts.receivers[0].urlFile: open /nosuch/file"},
		{`{name: a, type: slack, url: "https://x.test/a", secretFile: ` + secret + `}`, "alerts.receivers[0].secretFile: only messages to dingtalk are signed"},
		{`{name: a, type: slack, url: "https://x.test/a", scope: mine}`, "alerts.receivers[0].scope: \"mine\" is not a scope"},
		{`{name: a, type: slack, url: "https://x.test/a", kinds: [panik]}`, "alerts.receivers[0].kinds[0]: \"panik\" is not a kind of alert"},
		{`{name: a, type: slack, url: "https://x.test/a", severity: high}`, "alerts.receivers[0].severity: \"high\" is not warning or critical"},
		{`{name: a, type: slack, url: "https://x.test/a", perMinute: 1000}`, "alerts.receivers[0].perMinute: 1000 is not between"},
	} {
		_, err := configOf(t, "alerts:\n  receivers:\n    - "+c.yaml+"\n")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.yaml, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET")):
			t.Errorf("%s: %v, want %q", c.yaml, err, c.want)
		}
	}
}
