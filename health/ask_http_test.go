package health

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// answers is an application that says what it is asked to say, in HTTP/1.1 or HTTP/2.
func answers(w http.ResponseWriter, r *http.Request) {
	status := 200
	if s := r.URL.Query().Get("s"); s != "" {
		_, _ = fmt.Sscan(s, &status)
	}
	w.Header().Set("X-Probe", r.Header.Get("X-Probe"))
	if r.URL.Path == "/hints" {
		w.WriteHeader(http.StatusEarlyHints)
	}
	w.WriteHeader(status)
	switch r.URL.Path {
	case "/large":
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20)+"the end")
	case "/who":
		_, _ = fmt.Fprintf(w, "host=%s agent=%s probe=%s proto=%s", r.Host, r.UserAgent(), r.Header.Get("X-Probe"), r.Proto)
	default:
		_, _ = io.WriteString(w, `{"status": "UP"}`)
	}
}

// HTTP/1.1, and HTTP/2 in the clear, are asked and judged alike.
func TestHTTPExpectations(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(answers))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	defer srv.Close()
	address := srv.Listener.Addr().String()
	for _, c := range []struct {
		name   string
		check  gateway.ActiveCheck
		status int
		err    string
	}{
		{"200 by default", gateway.ActiveCheck{}, 200, ""},
		{"404 by default", gateway.ActiveCheck{Path: "/?s=404"}, 404, "status 404, expected 200-399"},
		{"not on the block-list", gateway.ActiveCheck{Path: "/?s=404", ExpectNot: []string{"502", "504"}}, 404, ""},
		{"on the block-list", gateway.ActiveCheck{Path: "/?s=504", ExpectNot: []string{"502", "504"}}, 504, "status 504, expected any but 502, 504"},
		{"both lists, blocked", gateway.ActiveCheck{Path: "/?s=204", Expect: []string{"200-299"}, ExpectNot: []string{"204"}}, 204, "status 204, expected any but 204"},
		{"both lists, unexpected", gateway.ActiveCheck{Path: "/?s=404", Expect: []string{"200-299"}, ExpectNot: []string{"204"}}, 404, "status 404, expected 200-299"},
		{"bad block-list", gateway.ActiveCheck{ExpectNot: []string{"5xx"}}, 0, `cannot read the expected status "5xx": write a status or a range such as 200-399`},
		{"body matches", gateway.ActiveCheck{Body: `"status":\s*"UP"`}, 200, ""},
		{"body does not match", gateway.ActiveCheck{Body: `"DOWN"`}, 200, `the body does not match "\"DOWN\"": "{\"status\": \"UP\"}"`},
		{"status comes before the body", gateway.ActiveCheck{Path: "/?s=500", Body: "UP"}, 500, "status 500, expected 200-399"},
		{"start of a large body", gateway.ActiveCheck{Path: "/large", Body: "^xxx"}, 200, ""},
		{"what is beyond 64 KiB", gateway.ActiveCheck{Path: "/large", Body: "the end"}, 200, `the body does not match "the end": "` + strings.Repeat("x", 100) + `"`},
		{"after 103", gateway.ActiveCheck{Path: "/hints", Body: "UP"}, 200, ""},
		{"bad pattern", gateway.ActiveCheck{Body: "("}, 0, "error parsing regexp: missing closing ): `(`"},
		{"own header", gateway.ActiveCheck{Path: "/who", Headers: map[string]string{"x-probe": "1"}, Body: "probe=1 "}, 200, ""},
		{"own user agent", gateway.ActiveCheck{Path: "/who", Headers: map[string]string{"user-agent": "me"}, Body: "agent=me "}, 200, ""},
		{"our user agent", gateway.ActiveCheck{Path: "/who", Body: "agent=" + UserAgent}, 200, ""},
		{"own host", gateway.ActiveCheck{Path: "/who", Host: "shop.test", Body: "host=shop.test "}, 200, ""},
		{"host by default", gateway.ActiveCheck{Path: "/who", Body: "host=" + address}, 200, ""},
	} {
		for _, protocol := range []string{"http", "h2c"} {
			t.Run(protocol+" "+c.name, func(t *testing.T) {
				r := onceAs(t, Target{Check: &c.check, Protocol: protocol}, address)
				if r.Status != c.status || r.Err != c.err {
					t.Errorf("status %d, error %q; want %d, %q", r.Status, r.Err, c.status, c.err)
				}
			})
		}
	}
	for protocol, proto := range map[string]string{"http": "HTTP/1.1", "h2c": "HTTP/2.0"} {
		if r := onceAs(t, Target{Check: &gateway.ActiveCheck{Path: "/who", Body: "proto=" + proto}, Protocol: protocol}, address); r.Err != "" {
			t.Errorf("%s: %s", protocol, r.Err)
		}
	}
}

// A body that a pattern is looked for in has to come; what has come by the time counts.
func TestBodyThatDoesNotEnd(t *testing.T) {
	for name, c := range map[string]struct{ end, pattern, err string }{
		"silent, found":     {"wait", "ready", ""},
		"silent, not found": {"wait", "done", "no answer within 300ms"},
		"cut, found":        {"", "ready", ""},
		"cut, not found":    {"", "done", "the body ended before it was complete"},
	} {
		address := serveRaw(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready")
			if c.end == "wait" {
				untilClosed(conn)
			}
		})
		check := gateway.ActiveCheck{Body: c.pattern, Timeout: gateway.Duration(300 * time.Millisecond)}
		if r := once(t, check, address); r.Err != c.err || r.Status != 200 {
			t.Errorf("%s: %+v, want %q", name, r, c.err)
		}
	}
}

// Endpoints that speak something else, or break off, are told apart.
func TestHTTP2Failures(t *testing.T) {
	for name, c := range map[string]struct{ says, err string }{
		"HTTP/1.1":          {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "the answer is not HTTP/2"},
		"nothing":           {"", "closed the connection before answering"},
		"GOAWAY":            {"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x0c\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x0b" + "calm", "went away: ENHANCE_YOUR_CALM calm"},
		"RST_STREAM":        {"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x04\x03\x00\x00\x00\x00\x01" + "\x00\x00\x00\x07", "reset the stream: REFUSED_STREAM"},
		"only half a frame": {"\x00\x00\x04\x03\x00", "closed the connection before answering"},
	} {
		address := serveRaw(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, c.says)
		})
		r := onceAs(t, Target{Check: &gateway.ActiveCheck{}, Protocol: "h2c"}, address)
		if r.Err != c.err {
			t.Errorf("%s: %+v, want %q", name, r, c.err)
		}
	}
}
