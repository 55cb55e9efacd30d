package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway"
)

// withRespond puts routes with fixed answers beside the one to the origins.
func withRespond(addrs []string, answers map[string]gateway.Respond) *gateway.Snapshot {
	s := snap(addrs, nil)
	for path, a := range answers {
		r := &gateway.EffectiveRoute{Tenant: "acme", Name: strings.Trim(path, "/"), Respond: &a}
		s.Hosts[0].Rules = append([]gateway.Rule{{Path: gateway.PathMatch{Prefix: path}, Route: r}}, s.Hosts[0].Rules...)
	}
	return s
}

func TestRespond(t *testing.T) {
	o := rawOrigin(t, hello, false)
	var log syncBuffer
	e := start(t, Config{AccessLog: &log}, Listener{}, withRespond([]string{o.addr}, map[string]gateway.Respond{
		"/deny": {Status: 403, Body: "no\r\n", Headers: map[string]string{"x-why": "because", "content-type": "text/html"}},
		"/bad":  {Status: 400, Body: "plain"},
		"/none": {Status: 204},
		"/same": {Status: 304, Headers: map[string]string{"etag": `"a"`}},
		"/tea":  {Status: 418},
	}))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	c := e.dial(t) // one connection for all: each answer leaves it open
	for range 2 {
		for _, w := range []struct {
			request, status, body, kind string
			length                      int64
		}{
			{"GET /deny HTTP/1.1\nHost: x\n\n", "403 Forbidden", "no\r\n", "text/html", 4},
			{"GET /deny/%2e/x HTTP/1.1\nHost: x\n\n", "403 Forbidden", "no\r\n", "text/html", 4},
			{"HEAD /deny HTTP/1.1\nHost: x\n\n", "403 Forbidden", "", "text/html", 4},
			{"POST /deny HTTP/1.1\nHost: x\nContent-Length: 5\n\nhello", "403 Forbidden", "no\r\n", "text/html", 4},
			{"POST /deny HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", "403 Forbidden", "no\r\n", "text/html", 4},
			{"GET /bad HTTP/1.1\nHost: x\n\n", "400 Bad Request", "plain", "text/plain; charset=utf-8", 5},
			{"GET /none HTTP/1.1\nHost: x\n\n", "204 No Content", "", "", 0},
			{"GET /same HTTP/1.1\nHost: x\n\n", "304 Not Modified", "", "", 0},
			{"GET /tea HTTP/1.1\nHost: x\n\n", "418 I'm a teapot", "", "", 0},
			{"GET /denied HTTP/1.1\nHost: x\n\n", "200 OK", "hello", "", 5}, // another path
		} {
			c.send(crlf(w.request))
			resp, body := c.answer(strings.Fields(w.request)[0])
			if resp.Status != w.status || body != w.body || resp.Header.Get("Content-Type") != w.kind || resp.ContentLength != max(w.length, 0) || resp.Close {
				t.Errorf("%q: %s, %q, %q, length %d, close %v", w.request, resp.Status, body, resp.Header.Get("Content-Type"), resp.ContentLength, resp.Close)
			}
			if w.length == 4 && resp.Header.Get("X-Why") != "because" || resp.Header.Get("Date") == "" && w.kind != "" {
				t.Errorf("%q: header %v", w.request, resp.Header)
			}
		}
	}
	if len(o.seen()) != 2 {
		t.Errorf("the origin saw %q", o.seen())
	}
	const counted = "sluice_requests_total code=403 listener=test route=deny tenant=acme upstream="
	if n := gather(t, reg)[counted]; n != 10 {
		t.Errorf("%v requests are counted", n)
	}
	e.Apply(e.snap) // the counters stay
	if n := gather(t, reg)[counted]; n != 10 {
		t.Errorf("%v requests are counted after a swap", n)
	}
	eventually(t, "a line of the access log", func() bool { return strings.Contains(log.String(), `"route":"deny"`) })
	line, _, _ := bytes.Cut([]byte(log.String()), []byte("\n"))
	var got map[string]any
	if err := json.Unmarshal(line, &got); err != nil || got["status"] != 403.0 || got["reason"] != "respond" || got["upstream"] != nil {
		t.Errorf("%s, %v", line, err)
	}
}

// What the client is still sending is not taken for its next request.
func TestRespondBeforeALargeBody(t *testing.T) {
	e := start(t, Config{BodyTimeout: 300 * time.Millisecond}, Listener{}, withRespond(nil, map[string]gateway.Respond{"/deny": {Status: 403, Body: "no"}}))
	for name, head := range map[string]string{
		"length":   "Content-Length: 100000\r\n\r\n",
		"chunks":   "Transfer-Encoding: chunked\r\n\r\n186a0\r\n",
		"continue": "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial(t)
			c.send("POST /deny HTTP/1.1\r\nHost: x\r\n" + head)
			if name != "continue" {
				c.send(strings.Repeat("GET /smuggled HTTP/1.1\r\n", 2000))
			}
			resp, err := http.ReadResponse(c.br, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != 403 || string(body) != "no" || err != nil || !resp.Close {
				t.Errorf("%d, %q, %v, close %v", resp.StatusCode, body, err, resp.Close)
			}
			if rest := c.all(); rest != "" {
				t.Errorf("more comes: %q", rest)
			}
		})
	}
	t.Run("a small one that does not come", func(t *testing.T) {
		c := e.dial(t)
		c.send("POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
		if resp, _ := c.answer("POST"); resp.StatusCode != 408 || !resp.Close {
			t.Errorf("%d, close %v", resp.StatusCode, resp.Close)
		}
	})
}
