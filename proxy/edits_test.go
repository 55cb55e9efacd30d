package proxy

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/gateway"
)

// editHeads changes both heads of the usual route.
func editHeads(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
	r.RequestHeaders = &gateway.HeaderEdit{Set: map[string]string{"x-from": "edge: one; $host", "accept": "a/b"}, Add: map[string]string{"via": "1.1 sluice"}, Remove: []string{"cookie", "x-debug"}}
	r.ResponseHeaders = &gateway.HeaderEdit{Set: map[string]string{"cache-control": "no-cache", "content-type": "x/y", "strict-transport-security": "max-age=1"}, Add: map[string]string{"vary": "b"}, Remove: []string{"etag", "x-powered-by"}}
}

// spoken writes down the fields that tests of edits look at, sorted.
func spoken(h http.Header, names ...string) string {
	var out []string
	for _, name := range names {
		if v, ok := h[name]; ok {
			out = append(out, fmt.Sprintf("%s=%q", name, v))
		}
	}
	return strings.Join(out, " ")
}

// Heads are changed between every pair of codecs: nothing that came stays under a name that is
// set or removed, whatever its case and however often it came.
func TestEditsInPairs(t *testing.T) {
	tell := func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), http.Header{"Etag": {`"a"`}, "X-Powered-By": {"old", "older"}, "Vary": {"a"}, "Cache-Control": {"public", "max-age=9"}, "Content-Type": {"text/plain"}})
		if strings.HasSuffix(r.URL.Path, "hint") {
			w.WriteHeader(103)
		}
		_, _ = fmt.Fprint(w, spoken(r.Header, "Accept", "Cookie", "Via", "X-Debug", "X-From", "X-Forwarded-Host"), " ", r.Host)
	}
	const asked = `Accept=["a/b"] Via=["1.0 client" "1.1 sluice"] X-From=["edge: one; $host"] X-Forwarded-Host=["shop.test"] shop.test`
	const answered = `Cache-Control=["no-cache"] Content-Type=["x/y"] Strict-Transport-Security=["max-age=1"] Vary=["a" "b"]`
	plain := &http.Client{Timeout: patience}
	t.Cleanup(plain.CloseIdleConnections)
	to1 := start(t, Config{}, Listener{}, snap([]string{httpOrigin(t, tell).addr}, editHeads))
	to2 := start(t, Config{}, Listener{}, snap([]string{h2cOrigin(t, tell)}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		speakH2C(u, r)
		editHeads(u, r)
	}))
	for name, c := range map[string]struct {
		client *http.Client
		e      *edge
	}{"1 to 1": {plain, to1}, "2 to 1": {priorKnowledge(t), to1}, "1 to 2": {plain, to2}, "2 to 2": {priorKnowledge(t), to2}} {
		for _, path := range []string{"/", "/hint"} {
			req, err := http.NewRequest("GET", "http://"+c.e.addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "shop.test"
			req.Header = http.Header{"X-FROM": {"client", "client"}, "x-from": {"client"}, "Cookie": {"a=b"}, "x-Debug": {"1"}, "Via": {"1.0 client"}, "Accept": {"*/*"}}
			resp, err := c.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, 1000)
			n, _ := resp.Body.Read(body)
			_ = resp.Body.Close()
			if string(body[:n]) != asked {
				t.Errorf("%s %s: the origin was asked\n%s, want\n%s", name, path, body[:n], asked)
			}
			got := spoken(resp.Header, "Cache-Control", "Content-Type", "Etag", "Strict-Transport-Security", "Vary", "X-Powered-By")
			if got != answered {
				t.Errorf("%s %s: answered %s", name, path, got)
			}
		}
	}
}

// Answers of Sluice's own on a route have its fields, too, and keep the Content-Type of their
// bodies.
func TestEditsOfOwnAnswers(t *testing.T) {
	s := snap(nil, editHeads)
	fixed := *s.Hosts[0].Rules[0].Route
	fixed.Respond, fixed.Targets = &gateway.Respond{Status: 418, Body: "no", Headers: map[string]string{"etag": `"x"`, "x-a": "b", "content-type": "text/html", "vary": "a"}}, nil
	guarded := fixed
	guarded.IPAccess = &gateway.IPAccess{Deny: []string{"127.0.0.0/8"}}
	s.Hosts[0].Rules = append([]gateway.Rule{{Path: gateway.PathMatch{Prefix: "/guarded"}, Route: &guarded}, {Path: gateway.PathMatch{Prefix: "/fixed"}, Route: &fixed}}, s.Hosts[0].Rules...)
	e := start(t, Config{}, Listener{}, s)
	for path, want := range map[string]string{
		"/fixed":   `418 Cache-Control=["no-cache"] Content-Type=["text/html"] Strict-Transport-Security=["max-age=1"] Vary=["a" "b"] X-A=["b"]`,
		"/guarded": `403 Cache-Control=["no-cache"] Content-Type=["text/plain; charset=utf-8"] Strict-Transport-Security=["max-age=1"] Vary=["b"]`,
		"/":        `503 Cache-Control=["no-cache"] Content-Type=["text/plain; charset=utf-8"] Strict-Transport-Security=["max-age=1"] Vary=["b"]`,
	} {
		for proto, client := range map[string]*http.Client{"1": {Timeout: patience}, "2": priorKnowledge(t)} {
			resp, err := client.Get("http://" + e.addr + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			client.CloseIdleConnections()
			got := fmt.Sprint(resp.StatusCode, " ", spoken(resp.Header, "Cache-Control", "Content-Type", "Etag", "Strict-Transport-Security", "Vary", "X-A"))
			if got != want || resp.Header.Get("Date") == "" {
				t.Errorf("%s over %s: %s, want %s", path, proto, got, want)
			}
		}
	}
}

func TestEditsOfAWebSocket(t *testing.T) {
	e := start(t, Config{}, Listener{}, snap([]string{httpOrigin(t, echoSocket).addr}, editHeads))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, "ws://"+e.addr+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if got := spoken(resp.Header, "Strict-Transport-Security", "Vary"); got != `Strict-Transport-Security=["max-age=1"] Vary=["b"]` {
		t.Errorf("the 101 says %s", got)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(ctx); err != nil || string(b) != "hi" {
		t.Errorf("%q, %v", b, err)
	}
}

// Editing heads allocates nothing in the steady state.
func BenchmarkProxiedRequestEdited(b *testing.B) {
	benchmarkRequestTo(b, hello, Config{}, editHeads)
}
