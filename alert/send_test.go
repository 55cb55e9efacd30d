package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// hook is a webhook on a real socket that keeps the last body.
type hook struct {
	*httptest.Server
	body atomic.Pointer[string]
	head atomic.Pointer[http.Request]
}

func newHook(t *testing.T, answer func(w http.ResponseWriter)) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		text := string(b)
		h.body.Store(&text)
		h.head.Store(r)
		answer(w)
	}))
	t.Cleanup(h.Close)
	return h
}

func ok(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`) }

func send(t *testing.T, r Receiver, alerts ...gateway.Alert) error {
	t.Helper()
	r.Name = "ops"
	r.Check(func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
	s, err := newSender(r, "https://sluice.example.com")
	if err != nil {
		t.Fatal(err)
	}
	defer s.client.CloseIdleConnections()
	return s.post(t.Context(), alerts)
}

func secretFile(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func sampleAlert(change ...func(*gateway.Alert)) gateway.Alert {
	a := gateway.Alert{ID: "endpoint_out/acme/api/10.0.0.4:80", Kind: gateway.AlertEndpointOut, Severity: gateway.SeverityWarning, Tenant: "acme",
		Subject: "upstream acme/api, endpoint 10.0.0.4:80", Summary: "endpoint 10.0.0.4:80 of upstream acme/api was ejected",
		Detail: "5 gateway errors in a row (502).", Since: start, Node: "edge-1"}
	for _, c := range change {
		c(&a)
	}
	return a
}

func resolved(a *gateway.Alert) {
	a.Resolved, a.Ended, a.Detail = true, start.Add(42*time.Second), "3 of 3 trial requests succeeded."
}

// The whole body of every type, so that a change of a template is seen.
func TestTemplates(t *testing.T) {
	for _, c := range []struct{ kind, firing, resolved string }{
		{TypeSlack,
			`{"text":"*Sluice: WARNING endpoint 10.0.0.4:80 of upstream acme/api was ejected*\n:rotating_light: *WARNING* since 2026-11-21 12:00:00 UTC, as edge-1 sees it\n5 gateway errors in a row (502).\n<https://sluice.example.com|Sluice>"}`,
			`{"text":"*Sluice: RESOLVED endpoint 10.0.0.4:80 of upstream acme/api was ejected*\n:white_check_mark: *RESOLVED* over at 2026-11-21 12:00:42 UTC, after 42s, as edge-1 sees it\n3 of 3 trial requests succeeded.\n<https://sluice.example.com|Sluice>"}`},
		{TypeDingTalk,
			`{"markdown":{"text":"**Sluice: WARNING endpoint 10.0.0.4:80 of upstream acme/api was ejected**\n\n- **WARNING** since 2026-11-21 12:00:00 UTC, as edge-1 sees it  \n  5 gateway errors in a row (502).\n\n[Sluice](https://sluice.example.com)","title":"Sluice: WARNING endpoint 10.0.0.4:80 of upstream acme/api was ejected"},"msgtype":"markdown"}`,
			`{"markdown":{"text":"**Sluice: RESOLVED endpoint 10.0.0.4:80 of upstream acme/api was ejected**\n\n- **RESOLVED** over at 2026-11-21 12:00:42 UTC, after 42s, as edge-1 sees it  \n  3 of 3 trial requests succeeded.\n\n[Sluice](https://sluice.example.com)","title":"Sluice: RESOLVED endpoint 10.0.0.4:80 of upstream acme/api was ejected"},"msgtype":"markdown"}`},
		{TypeWeCom,
			`{"markdown":{"content":"**Sluice: WARNING endpoint 10.0.0.4:80 of upstream acme/api was ejected**\n> <font color=\"warning\">WARNING</font> since 2026-11-21 12:00:00 UTC, as edge-1 sees it\n> 5 gateway errors in a row (502).\n[Sluice](https://sluice.example.com)"},"msgtype":"markdown"}`,
			`{"markdown":{"content":"**Sluice: RESOLVED endpoint 10.0.0.4:80 of upstream acme/api was ejected**\n> <font color=\"info\">RESOLVED</font> over at 2026-11-21 12:00:42 UTC, after 42s, as edge-1 sees it\n> 3 of 3 trial requests succeeded.\n[Sluice](https://sluice.example.com)"},"msgtype":"markdown"}`},
		{TypeJSON,
			`{"alerts":[{"id":"endpoint_out/acme/api/10.0.0.4:80","kind":"endpoint_out","severity":"warning","resolved":false,"tenant":"acme","subject":"upstream acme/api, endpoint 10.0.0.4:80","summary":"endpoint 10.0.0.4:80 of upstream acme/api was ejected","detail":"5 gateway errors in a row (502).","since":"2026-11-21T12:00:00Z","node":"edge-1"}],"link":"https://sluice.example.com","sender":"sluice","summary":"Sluice: WARNING endpoint 10.0.0.4:80 of upstream acme/api was ejected","version":1}`,
			`{"alerts":[{"id":"endpoint_out/acme/api/10.0.0.4:80","kind":"endpoint_out","severity":"warning","resolved":true,"tenant":"acme","subject":"upstream acme/api, endpoint 10.0.0.4:80","summary":"endpoint 10.0.0.4:80 of upstream acme/api was ejected","detail":"3 of 3 trial requests succeeded.","since":"2026-11-21T12:00:00Z","ended":"2026-11-21T12:00:42Z","node":"edge-1"}],"link":"https://sluice.example.com","sender":"sluice","summary":"Sluice: RESOLVED endpoint 10.0.0.4:80 of upstream acme/api was ejected","version":1}`},
	} {
		h := newHook(t, ok)
		for _, step := range []struct {
			alert gateway.Alert
			want  string
		}{{sampleAlert(), c.firing}, {sampleAlert(resolved), c.resolved}} {
			if err := send(t, Receiver{Type: c.kind, URL: h.URL}, step.alert); err != nil {
				t.Errorf("%s: %v", c.kind, err)
			}
			var body bytesJSON
			if err := json.Unmarshal([]byte(*h.body.Load()), &body); err != nil {
				t.Errorf("%s: %v", c.kind, err)
			}
			if string(body) != step.want {
				t.Errorf("%s:\n got %s\nwant %s", c.kind, body, step.want)
			}
		}
	}
}

// bytesJSON is JSON without the escapes that encoding/json makes for HTML.
type bytesJSON string

func (b *bytesJSON) UnmarshalJSON(text []byte) error {
	*b = bytesJSON(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text)))
	return nil
}

func TestDigestFitsTheService(t *testing.T) {
	many := make([]gateway.Alert, 300)
	for i := range many {
		many[i] = sampleAlert(func(a *gateway.Alert) {
			a.Summary = fmt.Sprintf("endpoint %d of upstream acme/\u5546\u5e97 was ejected", i)
			if i%3 == 0 {
				resolved(a)
			}
		})
	}
	many[299] = sampleAlert(func(a *gateway.Alert) { a.Severity, a.Summary = gateway.SeverityCritical, "the worst" })
	for kind, limit := range map[string]int{TypeSlack: 40000, TypeDingTalk: 20000, TypeWeCom: 4096} {
		h := newHook(t, ok)
		if err := send(t, Receiver{Type: kind, URL: h.URL}, many...); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		var m struct {
			Text     string
			Markdown struct{ Text, Content string }
		}
		if err := json.Unmarshal([]byte(*h.body.Load()), &m); err != nil {
			t.Fatal(err)
		}
		text := m.Text + m.Markdown.Text + m.Markdown.Content
		if len(text) > limit || len(text) < limit/3 {
			t.Errorf("%s: a digest of %d bytes, want it near and below %d", kind, len(text), limit)
		}
		second := strings.Split(strings.ReplaceAll(text, "\n\n", "\n"), "\n")[1]
		if !strings.Contains(text, "300 alerts at once: 200 began (1 critical), 100 over") || !strings.Contains(text, "more: see sluice alerts ls") || !strings.Contains(second, "the worst") {
			t.Errorf("%s: no counts, rest, or worst first: %s", kind, text[:400])
		}
	}
}

// Text of tenants must not mention everybody, hide a link, or break out of the message.
func TestMarkupIsPlain(t *testing.T) {
	hostile := sampleAlert(func(a *gateway.Alert) {
		a.Summary = "a <!channel> [bank](https://evil.test) @all **x** `y`\n# z\x00 \u202e end"
	})
	for _, kind := range []string{TypeSlack, TypeDingTalk, TypeWeCom} {
		h := newHook(t, ok)
		if err := send(t, Receiver{Type: kind, URL: h.URL}, hostile); err != nil {
			t.Fatal(err)
		}
		var body bytesJSON
		if err := json.Unmarshal([]byte(*h.body.Load()), &body); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"<!channel", "[bank]", "@all", "**x", "`y", "# z", `\u0000`, "\u202e"} {
			if strings.Contains(string(body), bad) {
				t.Errorf("%s: %q is in %s", kind, bad, body)
			}
		}
	}
}

func TestDingTalkSignature(t *testing.T) {
	const secret = "SECabc"
	h := newHook(t, ok)
	if err := send(t, Receiver{Type: TypeDingTalk, URLFile: secretFile(t, h.URL+"/robot/send?access_token=t0k3n"), SecretFile: secretFile(t, secret)}, sampleAlert()); err != nil {
		t.Fatal(err)
	}
	q := h.head.Load().URL.Query()
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, q.Get("timestamp")+"\n"+secret)
	sign, err := base64.StdEncoding.DecodeString(q.Get("sign"))
	if err != nil || !hmac.Equal(sign, mac.Sum(nil)) || q.Get("access_token") != "t0k3n" {
		t.Errorf("query %q: %v", h.head.Load().URL.RawQuery, err)
	}
	if ms, _ := strconv.ParseInt(q.Get("timestamp"), 10, 64); time.Since(time.UnixMilli(ms)).Abs() > time.Minute {
		t.Errorf("timestamp %s is not now in milliseconds", q.Get("timestamp"))
	}
}

func TestBearerToken(t *testing.T) {
	h := newHook(t, ok)
	if err := send(t, Receiver{Type: TypeJSON, URL: h.URL, TokenFile: secretFile(t, "s3cret")}, sampleAlert()); err != nil {
		t.Fatal(err)
	}
	if got := h.head.Load().Header.Get("Authorization"); got != "Bearer s3cret" {
		t.Errorf("Authorization is %q", got)
	}
}

// What the answer means: nil, refused for good, later, or again.
func TestAnswers(t *testing.T) {
	code := func(status int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	says := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	for _, c := range []struct {
		name, kind string
		answer     func(http.ResponseWriter)
		want       string
	}{
		{"200", TypeSlack, code(200), "ok"},
		{"204", TypeJSON, code(204), "ok"},
		{"500", TypeSlack, code(500), "again"},
		{"502", TypeJSON, code(502), "again"},
		{"408", TypeJSON, code(408), "again"},
		{"429", TypeSlack, code(429, "Retry-After", "7"), "later 7s"},
		{"503", TypeSlack, code(503), "later 0s"},
		{"404", TypeSlack, code(404), "refused"},
		{"302", TypeSlack, code(302, "Location", "http://127.0.0.1:1/"), "refused"},
		{"dingtalk 0", TypeDingTalk, says(`{"errcode":0,"errmsg":"ok"}`), "ok"},
		{"dingtalk sign", TypeDingTalk, says(`{"errcode":310000,"errmsg":"sign not match"}`), "refused"},
		{"dingtalk fast", TypeDingTalk, says(`{"errcode":130101,"errmsg":"send too fast"}`), "later 1m0s"},
		{"wecom busy", TypeWeCom, says(`{"errcode":-1,"errmsg":"system busy"}`), "again"},
		{"wecom fast", TypeWeCom, says(`{"errcode":45009,"errmsg":"api freq out of limit"}`), "later 1m0s"},
		{"wecom key", TypeWeCom, says(`{"errcode":93000,"errmsg":"invalid webhook url"}`), "refused"},
		{"wecom is a proxy's page", TypeWeCom, says(`<html>login</html>`), "refused"},
	} {
		h := newHook(t, c.answer)
		err := send(t, Receiver{Type: c.kind, URL: h.URL + "/T0KEN"}, sampleAlert())
		if got := meaning(err); got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%s: the error shows the address: %v", c.name, err)
		}
	}
}

func meaning(err error) string {
	refused, later := (*RefusedError)(nil), (*laterError)(nil)
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return "refused"
	case errors.As(err, &later):
		return "later " + later.after.String()
	}
	return "again"
}

func TestGoneSlowAndCutOff(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	_ = gone.Close()
	release := make(chan struct{})
	slow := newHook(t, func(http.ResponseWriter) { <-release })
	t.Cleanup(func() { close(release) }) // runs before the server is closed
	cut := newHook(t, func(w http.ResponseWriter) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = c.Close()
		}
	})
	for name, r := range map[string]Receiver{
		"gone": {URL: "http://" + address + "/T0KEN"},
		"slow": {URL: slow.URL + "/T0KEN", Timeout: 50 * time.Millisecond},
		"cut":  {URL: cut.URL + "/T0KEN"},
	} {
		r.Type = TypeSlack
		if err := send(t, r, sampleAlert()); meaning(err) != "again" || strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateAuthority(t *testing.T) {
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { ok(w) }))
	t.Cleanup(h.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}))
	if err := send(t, Receiver{Type: TypeJSON, URL: h.URL}, sampleAlert()); meaning(err) != "again" {
		t.Errorf("without the authority: %v", err)
	}
	if err := send(t, Receiver{Type: TypeJSON, URL: h.URL, CAFile: secretFile(t, ca)}, sampleAlert()); err != nil {
		t.Errorf("with the authority: %v", err)
	}
}

// The whole: health says something, real receivers hear of it, one of them after failing.
func TestAlertsReachReceivers(t *testing.T) {
	var tries atomic.Int32
	heardBy := make(chan string, 100)
	listener := func(name string, status func() int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var m struct{ Alerts []gateway.Alert }
			if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
				t.Error(err)
			}
			code := status()
			if code == 200 {
				for _, a := range m.Alerts {
					heardBy <- name + " " + heard([]gateway.Alert{a})[:len(a.ID)] + fmt.Sprint(" ", a.Resolved)
				}
			}
			w.WriteHeader(code)
		}))
		t.Cleanup(s.Close)
		return s
	}
	fine := func() int { return 200 }
	flaky := func() int {
		if tries.Add(1) == 1 {
			return 500
		}
		return 200
	}
	events := make(chan gateway.HealthEvent, 10)
	var receivers []Receiver
	for name, r := range map[string]Receiver{
		"ops":      {URL: listener("ops", flaky).URL},
		"platform": {URL: listener("platform", fine).URL, Scope: ScopePlatform},
		"acme":     {URL: listener("acme", fine).URL, Scope: ScopeTenants},
		"other":    {URL: listener("other", fine).URL, Scope: ScopeTenants},
		"critical": {URL: listener("critical", fine).URL, Critical: true},
	} {
		r.Name, r.Type = name, TypeJSON
		r.Check(func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
		receivers = append(receivers, r)
	}
	var drifted atomic.Bool
	drifted.Store(true)
	a, err := New(Config{Node: "edge-1", Receivers: receivers, Events: events,
		Facts: func() (f Facts) {
			if drifted.Load() {
				n := gateway.Node{}
				n.Fleet, n.Node, n.Drift = "shared", "n1", []gateway.FileDrift{{Path: "x"}}
				f.Nodes = append(f.Nodes, n)
			}
			return f
		},
		Health: func() []gateway.UpstreamHealth {
			return []gateway.UpstreamHealth{{Upstream: api, Verdicts: []gateway.Verdict{*verdict(gateway.StateEjected, "error_ratio")}}}
		},
		ReceiversOf: func(tenant string) []string { return map[string][]string{"acme": {"acme"}}[tenant] }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	events <- *event(0, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio"))
	const out = "endpoint_out/acme/api/10.0.0.4:80"
	want := map[string]bool{"ops " + out + " false": true, "acme " + out + " false": true, "ops drift/shared/n1 false": true, "platform drift/shared/n1 false": true}
	collect(t, heardBy, want)
	if n := len(a.Active()); n != 2 {
		t.Errorf("%d active, want 2", n)
	}
	events <- *event(42*time.Second, gateway.EventReturned, verdict(gateway.StateHealthy, "active_rise"))
	drifted.Store(false)
	collect(t, heardBy, map[string]bool{"ops " + out + " true": true, "acme " + out + " true": true, "ops drift/shared/n1 true": true, "platform drift/shared/n1 true": true})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(a.Active()) != 0 {
		t.Errorf("still active: %s", heard(a.Active()))
	}
	if tries.Load() < 3 {
		t.Errorf("ops was asked %d times, the first failed", tries.Load())
	}
	if err := a.Test(t.Context(), "nobody", "admin"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("test of a receiver that is not there: %v", err)
	}
	if err := a.Test(t.Context(), "acme", "admin"); err != nil {
		t.Error(err)
	}
	collect(t, heardBy, map[string]bool{"acme sample/edge-1 false": true})
	for _, s := range a.senders {
		s.client.CloseIdleConnections()
	}
}

// collect waits until exactly these were heard.
func collect(t *testing.T, heardBy chan string, want map[string]bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for len(want) > 0 {
		select {
		case line := <-heardBy:
			if !want[line] {
				t.Errorf("heard %q, still waiting for %v", line, want)
			}
			delete(want, line)
		case <-deadline:
			t.Fatalf("never heard %v", want)
		}
	}
}
