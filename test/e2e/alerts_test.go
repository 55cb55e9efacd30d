package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
)

// webhook is a receiver of alerts that keeps what it was told.
type webhook struct {
	*httptest.Server
	mu     sync.Mutex
	alerts []gateway.Alert // guarded by mu
	failed int             // guarded by mu; how many times it still answers 500
}

func newWebhook(t *testing.T, failures int) *webhook {
	h := &webhook{failed: failures}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ Alerts []gateway.Alert }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Errorf("a message that is no JSON: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.failed > 0 {
			h.failed--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.alerts = append(h.alerts, m.Alerts...)
	}))
	t.Cleanup(h.Close)
	return h
}

// told are the alerts of a kind, those that are over if over is set.
func (h *webhook) told(kind gateway.AlertKind, over bool) (out []gateway.Alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.alerts {
		if a.Kind == kind && a.Resolved == over {
			out = append(out, a)
		}
	}
	return out
}

// The way of an alert through the real binary: endpoints fail and heal, a certificate is about
// to expire, and receivers hear of what is theirs, although one of them fails at first.
func TestAlerts(t *testing.T) {
	addresses := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	ops, acme, other := newWebhook(t, 2), newWebhook(t, 0), newWebhook(t, 0)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SECabc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		mac := hmac.New(sha256.New, []byte("SECabc"))
		_, _ = io.WriteString(mac, q.Get("timestamp")+"\nSECabc")
		if q.Get("sign") == base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
			return
		}
		_, _ = io.WriteString(w, `{"errcode":310000,"errmsg":"sign not match"}`)
	}))
	t.Cleanup(ding.Close)
	objects := strings.Replace(shopOf(addresses...), "spec: {hosts: [shop.example.com]}", "spec: {hosts: [shop.example.com], alerts: {receivers: [acme, nosuch], maxLatency: 2s}}", 1)
	s := configure(t, "objects: ["+objectFile(t, objects)+"]\n"+fmt.Sprintf(`
alerts:
  receivers:
    - {name: ops, type: json, url: %q}
    - {name: acme, type: json, url: %q, scope: tenants}
    - {name: other, type: json, url: %q, scope: tenants}
    - {name: signed, type: dingtalk, url: "%s/robot/send?access_token=T0KEN", secretFile: %q, kinds: [panic]}
    - {name: unsigned, type: dingtalk, url: "%s/robot/send?access_token=T0KEN", kinds: [panic]}
`, ops.URL, acme.URL, other.URL, ding.URL, secret, ding.URL))
	s.start()
	order := func(query string, addresses ...string) {
		t.Helper()
		for _, a := range addresses {
			resp, err := http.Post("http://"+a+"/_control?"+query, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}
	hears := func(h *webhook, kind gateway.AlertKind, over bool) gateway.Alert {
		t.Helper()
		until(t, time.Minute, fmt.Sprintf("%s over %v", kind, over), func() error {
			for range 20 {
				s.answeredBy("shop.example.com")
			}
			if len(h.told(kind, over)) == 0 {
				return fmt.Errorf("not heard; %s", s.log)
			}
			return nil
		})
		return h.told(kind, over)[0]
	}

	order("status=502", addresses[0])
	began := hears(acme, gateway.AlertEndpointOut, false)
	if began.Tenant != "acme" || began.Node != "e2e" || !strings.Contains(began.Summary, addresses[0]) || began.ID != "endpoint_out/acme/api/"+addresses[0] {
		t.Errorf("told %+v", began)
	}
	hears(ops, gateway.AlertEndpointOut, false) // after two failures
	if out, err := s.sluice("alerts", "ls", "--tenant", "acme"); err != nil || !strings.Contains(out, "endpoint "+addresses[0]+" of upstream acme/api") {
		t.Errorf("alerts ls: %v %s", err, out)
	}
	order("heal=1", addresses[0])
	ended := hears(acme, gateway.AlertEndpointOut, true)
	if ended.ID != began.ID || ended.Ended.Before(began.Since) {
		t.Errorf("told %+v after %+v", ended, began)
	}

	order("status=502", addresses...)
	hears(acme, gateway.AlertServiceBad, false)
	order("heal=1", addresses...)
	hears(acme, gateway.AlertServiceBad, true)

	now := time.Now()
	pair := certtest.NewCA(t, "ca", now).IssueFor(t, now.Add(-80*24*time.Hour), now.Add(5*24*time.Hour), "shop.example.com")
	if err := s.api(http.MethodPut, "/tenants/acme/certificates/shop", certificate("shop", pair, ""), nil); err != nil {
		t.Fatal(err)
	}
	if a := hears(acme, gateway.AlertCertificate, false); !strings.Contains(a.Detail, "expires on") {
		t.Errorf("told %+v", a)
	}

	s.receiversAreTried()
	s.rulesAreRead()
	var list struct{ Items []gateway.Problem }
	if err := s.api(http.MethodGet, "/problems", nil, &list); err != nil || !strings.Contains(fmt.Sprint(list), `Receiver "nosuch" is not configured`) {
		t.Errorf("%v; no problem of the receiver that is not there: %v", err, list)
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if len(other.alerts) > 0 {
		t.Errorf("a receiver that nobody named was told %v", other.alerts)
	}
	if strings.Contains(s.log.String(), "T0KEN") {
		t.Error("the log shows a receiver's address")
	}
}

// receiversAreTried sends samples.
func (s *instance) receiversAreTried() {
	for receiver, want := range map[string]string{"ops": "took the sample", "signed": "took the sample", "unsigned": "errcode 310000: sign not match", "nobody": "not in alerts.receivers"} {
		out, err := s.sluice("alerts", "test", receiver)
		if all := fmt.Sprint(out, err); !strings.Contains(all, want) || strings.Contains(all, "T0KEN") || (err == nil) != strings.HasPrefix(want, "took") {
			s.t.Errorf("alerts test %s: %s, want %s", receiver, all, want)
		}
	}
	if out, err := s.sluice("alerts", "receivers"); err != nil || !strings.Contains(out, "signed") || strings.Contains(out, "T0KEN") {
		s.t.Errorf("alerts receivers: %v %s", err, out)
	}
}

// rulesAreRead has Prometheus' parsers read the rules, and looks for what they read in
// /metrics. That all metrics are there is tested in cmd/sluice: some have no value here.
func (s *instance) rulesAreRead() {
	rules, err := s.sluice("alerts", "rules")
	if err != nil {
		s.t.Fatalf("%v %s", err, rules)
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = "../promrules"
	cmd.Stdin = strings.NewReader(rules)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v %s\n%s", err, out, rules)
	}
	resp, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"sluice_source_up", "sluice_store_up", "sluice_store_alarms", "sluice_snapshot_info", "sluice_alerts_sent_total", "sluice_alerts_dropped_total",
		"sluice_requests_total", "sluice_request_seconds_bucket", "sluice_endpoint_verdict", "sluice_ejections_total", "sluice_certificate_not_after_seconds"} {
		if !strings.Contains(string(out), `"Metric":"`+name+`"`) || !strings.Contains(string(metrics), "\n"+name+"{") && !strings.Contains(string(metrics), "\n"+name+" ") {
			s.t.Errorf("%s is not in both the rules and /metrics", name)
		}
	}
	if !strings.Contains(string(metrics), `sluice_alerts_sent_total{outcome="failed",receiver="ops"} 2`) {
		s.t.Errorf("two failures of ops are not counted:\n%s", metrics)
	}
	if one, err := s.sluice("alerts", "rules", "--tenant", "acme"); err != nil || strings.Contains(one, "SluiceSourceDown") || !strings.Contains(one, "SluiceSlow") {
		s.t.Errorf("the rules of a tenant: %v %s", err, one)
	}
}
