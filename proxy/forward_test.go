package proxy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// fieldsOf lists the fields of a head in order.
func fieldsOf(head string) []string {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	return lines[1:]
}

func TestForwardedFields(t *testing.T) {
	spoof := "X-Forwarded-For: 6.6.6.6\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 1\nX-Forwarded-Prefix: /x\n" +
		"Forwarded: for=6.6.6.6\nX-Real-IP: 6.6.6.6\nProxy: http://evil\nX-Original-URL: /admin\nX-Rewrite-URL: /admin\n" +
		"X_Forwarded_For: 6.6.6.6\nX_REAL_IP: 6.6.6.6\n"
	hop := "Keep-Alive: timeout=5\nProxy-Connection: keep-alive\nProxy-Authorization: Basic x\nTE: gzip\nUpgrade: h2c\nHTTP2-Settings: x\n"
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct {
		request string
		trusted []netip.Prefix
		want    []string
	}{
		"plain": {"GET /p?q HTTP/1.1\nHost: Shop.test\nA: b\n\n", nil, []string{
			"Host: Shop.test", "A: b", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			"Forwarded: for=127.0.0.1;proto=http;host=Shop.test", "X-Forwarded-Host: Shop.test",
		}},
		"port is quoted": {"GET / HTTP/1.1\nHost: x:8080\n\n", nil, []string{
			"Host: x:8080", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			`Forwarded: for=127.0.0.1;proto=http;host="x:8080"`, "X-Forwarded-Host: x:8080",
		}},
		"spoofed": {"GET / HTTP/1.1\nHost: x\n" + spoof + "A: b\n\n", nil, []string{
			"Host: x", "A: b", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			"Forwarded: for=127.0.0.1;proto=http;host=x", "X-Forwarded-Host: x",
		}},
		"hop by hop": {"GET / HTTP/1.1\nHost: x\nConnection: keep-alive, X-One, x-two\n" + hop + "X-One: 1\nX-TWO: 2\nX-Three: 3\n\n", nil, []string{
			"Host: x", "X-Three: 3", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			"Forwarded: for=127.0.0.1;proto=http;host=x", "X-Forwarded-Host: x",
		}},
		"named away": {"GET / HTTP/1.1\nHost: x\nConnection: close, Host, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, Content-Length\nContent-Length: 0\n\n", nil, []string{
			"Host: x", "Content-Length: 0", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			"Forwarded: for=127.0.0.1;proto=http;host=x", "X-Forwarded-Host: x",
		}},
		"trailers": {"GET / HTTP/1.1\nHost: x\nConnection: TE\nTE: trailers\n\n", nil, []string{
			"Host: x", "Connection: TE", "TE: trailers", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
			"Forwarded: for=127.0.0.1;proto=http;host=x", "X-Forwarded-Host: x",
		}},
		"trusted, nothing said": {"GET / HTTP/1.1\nHost: x\n\n", trusted, []string{
			"Host: x", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: x",
			"Forwarded: for=127.0.0.1;proto=http;host=x",
		}},
		"trusted": {"GET / HTTP/1.1\nHost: x\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-For: 2.2.2.2\nX-Forwarded-Proto: https\nX-Forwarded-Host: y\n" +
			"X-Real-IP: 1.1.1.1\nForwarded: for=1.1.1.1\nProxy: evil\nX_Forwarded_For: 6\n\n", trusted, []string{
			"Host: x", "X-Real-IP: 1.1.1.1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 127.0.0.1", "X-Forwarded-Proto: https",
			"X-Forwarded-Host: y", "Forwarded: for=1.1.1.1, for=127.0.0.1;proto=http;host=x",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := rawOrigin(t, hello, false)
			e := start(t, Config{}, Listener{TrustedProxies: c.trusted}, snap([]string{o.addr}, nil))
			cl := e.dial(t)
			cl.send(crlf(c.request))
			cl.answer("GET")
			if got := fieldsOf(o.seen()[0]); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestResponseFields(t *testing.T) {
	o := rawOrigin(t, crlf("HTTP/1.1 200 Fine\nServer: o\nConnection: keep-alive, X-One\nKeep-Alive: timeout=5\nProxy-Authenticate: x\n"+
		"Upgrade: h2c\nX-One: 1\nX-Two: 2\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 5\n\nhello"), false)
	c := before(t, o).dial(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	head, body, _ := strings.Cut(c.all(), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Date: ") })
	want := []string{"HTTP/1.1 200 Fine", "Server: o", "X-Two: 2", "Set-Cookie: a", "Set-Cookie: b", "Content-Length: 5", "Connection: close"}
	if !slices.Equal(lines, want) || body != "hello" || !strings.Contains(head, "\r\nDate: ") {
		t.Errorf("got %q, %q", head, body)
	}
}

// What was matched is what the origin gets.
func TestForwardedPath(t *testing.T) {
	o := rawOrigin(t, hello, false)
	c := before(t, o).dial(t)
	for path, want := range map[string]string{
		"/a/../b?x=/../y": "/b?x=/../y",
		"/%61/%2e/b":      "/a/b",
		"//a/b%2fc;d":     "//a/b%2fc;d",
		"http://x":        "/",
		"http://x?y":      "/?y",
	} {
		c.get(path)
		seen := o.seen()
		if got := strings.Fields(seen[len(seen)-1])[1]; got != want {
			t.Errorf("%s is forwarded as %s", path, got)
		}
	}
}
