package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// oddRequests are what a client may send on a fresh connection, and what has to come of
// it. A line feed stands for CRLF, \\n for a bare LF. 0 means: closed without an answer.
// Whatever is refused must not have reached the origin, and the connection is closed.
var oddRequests = []struct {
	name, text string
	status     int
}{
	{"plain", "GET / HTTP/1.1\nHost: x\n\n", 200},
	{"HTTP/1.0", "GET / HTTP/1.0\n\n", 200},
	{"leading empty line", "\nGET / HTTP/1.1\nHost: x\n\n", 200},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\nHost: x\n\n", 200},
	{"absolute form", "GET http://x/a HTTP/1.1\nHost: x\n\n", 200},
	{"absolute form in capitals", "GET HTTP://X/a HTTP/1.1\nHost: x\n\n", 200},
	{"custom method", "PURGE / HTTP/1.1\nHost: x\n\n", 200},
	{"8-bit field value", "GET / HTTP/1.1\nHost: x\nA: \xc3\xa9\n\n", 200},
	{"tab in field value", "GET / HTTP/1.1\nHost: x\nA: b\tc\n\n", 200},
	{"empty field value", "GET / HTTP/1.1\nHost: x\nA:\n\n", 200},
	{"host with port", "GET / HTTP/1.1\nHost: x:80\n\n", 200},
	{"host in capitals", "GET / HTTP/1.1\nHost: X\n\n", 200},
	{"host with final dot", "GET / HTTP/1.1\nHost: x.\n\n", 200},
	{"GET with body", "GET / HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc", 200},
	{"chunk extension", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3;a=b\nabc\n0\n\n", 200},
	{"h2c is ignored", "GET / HTTP/1.1\nHost: x\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n", 200},
	{"early data header", "GET / HTTP/1.1\nHost: x\nEarly-Data: 1\n\n", 200},
	{"fine dots", "GET /a/./b/../c HTTP/1.1\nHost: x\n\n", 200},
	{"many slashes", "GET //a///b HTTP/1.1\nHost: x\n\n", 200},
	{"encoded slash", "GET /a%2fb HTTP/1.1\nHost: x\n\n", 200},
	{"100 fields", "GET / HTTP/1.1\nHost: x\n" + strings.Repeat("A: b\n", 100) + "\n", 200},
	{"large head", "GET / HTTP/1.1\nHost: x\nA: " + strings.Repeat("b", 60_000) + "\n\n", 200},
	{"Expect from HTTP/1.0", "POST / HTTP/1.0\nHost: x\nExpect: 100-continue\nContent-Length: 2\n\nab", 200},
	{"lookalike length", "GET / HTTP/1.1\nHost: x\nContent_Length: 5\n\n", 200},

	{"CL and TE", "POST / HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n", 400},
	{"TE and CL", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n", 400},
	{"CL 0 and TE", "POST / HTTP/1.1\nHost: x\nContent-Length: 0\nTransfer-Encoding: chunked\n\n0\n\n", 400},
	{"two CL, equal", "POST / HTTP/1.1\nHost: x\nContent-Length: 3\nContent-Length: 3\n\nabc", 400},
	{"two CL, different", "POST / HTTP/1.1\nHost: x\nContent-Length: 3\nContent-Length: 4\n\nabc", 400},
	{"CL list", "POST / HTTP/1.1\nHost: x\nContent-Length: 3, 3\n\nabc", 400},
	{"CL plus", "POST / HTTP/1.1\nHost: x\nContent-Length: +3\n\nabc", 400},
	{"CL minus", "POST / HTTP/1.1\nHost: x\nContent-Length: -3\n\nabc", 400},
	{"CL hex", "POST / HTTP/1.1\nHost: x\nContent-Length: 0x3\n\nabc", 400},
	{"CL octal", "POST / HTTP/1.1\nHost: x\nContent-Length: 03\n\nabc", 400},
	{"CL float", "POST / HTTP/1.1\nHost: x\nContent-Length: 3.0\n\nabc", 400},
	{"CL exponent", "POST / HTTP/1.1\nHost: x\nContent-Length: 3e0\n\nabc", 400},
	{"CL empty", "POST / HTTP/1.1\nHost: x\nContent-Length: \n\nabc", 400},
	{"CL overflow", "POST / HTTP/1.1\nHost: x\nContent-Length: 18446744073709551619\n\nabc", 400},
	{"CL quoted", "POST / HTTP/1.1\nHost: x\nContent-Length: \"3\"\n\nabc", 400},
	{"CL inner space", "POST / HTTP/1.1\nHost: x\nContent-Length: 3 3\n\nabc", 400},
	{"CL word", "POST / HTTP/1.1\nHost: x\nContent-Length: abc\n\nabc", 400},
	{"CL vertical tab", "POST / HTTP/1.1\nHost: x\nContent-Length: \v3\n\nabc", 400},
	{"CL space before colon", "POST / HTTP/1.1\nHost: x\nContent-Length : 3\n\nabc", 400},
	{"CL tab before colon", "POST / HTTP/1.1\nHost: x\nContent-Length\t: 3\n\nabc", 400},
	{"TE space before colon", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding : chunked\n\n0\n\n", 400},
	{"TE gzip, chunked", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: gzip, chunked\n\n0\n\n", 400},
	{"TE chunked, gzip", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked, gzip\n\n0\n\n", 400},
	{"TE chunked, chunked", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked, chunked\n\n0\n\n", 400},
	{"TE two fields", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n", 400},
	{"TE two, identity", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: identity\nTransfer-Encoding: chunked\n\n0\n\n", 400},
	{"TE identity", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: identity\n\n", 400},
	{"TE xchunked", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: xchunked\n\n0\n\n", 400},
	{"TE chunkedx", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunkedx\n\n0\n\n", 400},
	{"TE leading comma", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: ,chunked\n\n0\n\n", 400},
	{"TE parameter", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked;q=1\n\n0\n\n", 400},
	{"TE quoted", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: \"chunked\"\n\n0\n\n", 400},
	{"TE vertical tab", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: \vchunked\n\n0\n\n", 400},
	{"TE form feed", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\f\n\n0\n\n", 400},
	{"TE NUL", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\x00\n\n0\n\n", 400},
	{"TE 8 bit", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chun\xffked\n\n0\n\n", 400},
	{"TE folded", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding:\n chunked\n\n0\n\n", 400},
	{"TE on HTTP/1.0", "POST / HTTP/1.0\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n", 400},
	{"TE empty", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding:\n\n0\n\n", 400},
	{"bare LF after request line", "GET / HTTP/1.1\\nHost: x\n\n", 400},
	{"bare LF in fields", "GET / HTTP/1.1\nHost: x\\nA: b\n\n", 400},
	{"bare LF at the end", "GET / HTTP/1.1\nHost: x\n\\n", 400},
	{"bare LF only", "GET / HTTP/1.1\\nHost: x\\n\\n", 400},
	{"bare CR in value", "GET / HTTP/1.1\nHost: x\nA: b\rc\n\n", 400},
	{"bare CR in request line", "GET /\rHTTP/1.1\nHost: x\n\n", 400},
	{"CR CR LF", "GET / HTTP/1.1\nHost: x\r\n\n", 400},
	{"fold", "GET / HTTP/1.1\nHost: x\nA: b\n c\n\n", 400},
	{"fold with tab", "GET / HTTP/1.1\nHost: x\nA: b\n\tc\n\n", 400},
	{"fold in first field", "GET / HTTP/1.1\n A: b\nHost: x\n\n", 400},
	{"NUL in value", "GET / HTTP/1.1\nHost: x\nA: b\x00c\n\n", 400},
	{"NUL in name", "GET / HTTP/1.1\nHost: x\nA\x00: b\n\n", 400},
	{"escape in value", "GET / HTTP/1.1\nHost: x\nA: \x1b[0m\n\n", 400},
	{"DEL in value", "GET / HTTP/1.1\nHost: x\nA: \x7f\n\n", 400},
	{"no colon", "GET / HTTP/1.1\nHost: x\nabc\n\n", 400},
	{"empty name", "GET / HTTP/1.1\nHost: x\n: abc\n\n", 400},
	{"name with space", "GET / HTTP/1.1\nHost: x\nA b: c\n\n", 400},
	{"name in parentheses", "GET / HTTP/1.1\nHost: x\n(a): c\n\n", 400},
	{"name with 8 bit", "GET / HTTP/1.1\nHost: x\n\xe9: c\n\n", 400},
	{"no Host", "GET / HTTP/1.1\n\n", 400},
	{"two Hosts", "GET / HTTP/1.1\nHost: x\nHost: x\n\n", 400},
	{"two Hosts, different", "GET / HTTP/1.1\nHost: x\nHost: y\n\n", 400},
	{"empty Host", "GET / HTTP/1.1\nHost:\n\n", 400},
	{"Host list", "GET / HTTP/1.1\nHost: x, y\n\n", 400},
	{"Host with path", "GET / HTTP/1.1\nHost: x/y\n\n", 400},
	{"Host with user", "GET / HTTP/1.1\nHost: u@x\n\n", 400},
	{"Host with space", "GET / HTTP/1.1\nHost: x y\n\n", 400},
	{"Host with two ports", "GET / HTTP/1.1\nHost: x:80:81\n\n", 400},
	{"Host with word port", "GET / HTTP/1.1\nHost: x:abc\n\n", 400},
	{"Host with open bracket", "GET / HTTP/1.1\nHost: [::1\n\n", 400},
	{"Host with 8 bit", "GET / HTTP/1.1\nHost: \xe9\n\n", 400},
	{"Host with query", "GET / HTTP/1.1\nHost: x?y\n\n", 400},
	{"Host with fragment", "GET / HTTP/1.1\nHost: x#y\n\n", 400},
	{"Host with backslash", "GET / HTTP/1.1\nHost: x\\\\y\n\n", 400},
	{"Host with percent", "GET / HTTP/1.1\nHost: x%00\n\n", 400},
	{"absolute form, other Host", "GET http://y/ HTTP/1.1\nHost: x\n\n", 400},
	{"absolute form, no Host", "GET http://x/ HTTP/1.1\n\n", 400},
	{"absolute form, empty host", "GET http:///a HTTP/1.1\nHost: x\n\n", 400},
	{"absolute form, only port", "GET http://:80/a HTTP/1.1\nHost: x\n\n", 400},
	{"absolute form, user", "GET http://u:p@x/ HTTP/1.1\nHost: x\n\n", 400},
	{"absolute form, file", "GET file:///etc/passwd HTTP/1.1\nHost: x\n\n", 400},
	{"target without slash", "GET abc HTTP/1.1\nHost: x\n\n", 400},
	{"target missing", "GET HTTP/1.1\nHost: x\n\n", 400},
	{"target with space", "GET /a b HTTP/1.1\nHost: x\n\n", 400},
	{"target with tab", "GET /a\tb HTTP/1.1\nHost: x\n\n", 400},
	{"target with NUL", "GET /a\x00b HTTP/1.1\nHost: x\n\n", 400},
	{"target with 8 bit", "GET /\xc3\xa9 HTTP/1.1\nHost: x\n\n", 400},
	{"query with 8 bit", "GET /?\xc3\xa9 HTTP/1.1\nHost: x\n\n", 400},
	{"target with fragment", "GET /a#b HTTP/1.1\nHost: x\n\n", 400},
	{"target with bad percent", "GET /%zz HTTP/1.1\nHost: x\n\n", 400},
	{"target with %00", "GET /a%00 HTTP/1.1\nHost: x\n\n", 400},
	{"target with %0d%0a", "GET /a%0d%0aA:b HTTP/1.1\nHost: x\n\n", 400},
	{"target with backslash", "GET /a\\\\b HTTP/1.1\nHost: x\n\n", 400},
	{"climbs above root", "GET /../a HTTP/1.1\nHost: x\n\n", 400},
	{"climbs, encoded", "GET /%2e%2e/a HTTP/1.1\nHost: x\n\n", 400},
	{"climbs behind %2f", "GET /a/..%2fb HTTP/1.1\nHost: x\n\n", 400},
	{"climbs behind parameter", "GET /a/..;x/b HTTP/1.1\nHost: x\n\n", 400},
	{"climbs over empty segment", "GET /a//../b HTTP/1.1\nHost: x\n\n", 400},
	{"GET *", "GET * HTTP/1.1\nHost: x\n\n", 400},
	{"lower-case method", "get / HTTP/1.1\nHost: x\n\n", 400},
	{"method with colon", "GE:T / HTTP/1.1\nHost: x\n\n", 400},
	{"method missing", " / HTTP/1.1\nHost: x\n\n", 400},
	{"leading space", " GET / HTTP/1.1\nHost: x\n\n", 400},
	{"two leading empty lines", "\n\nGET / HTTP/1.1\nHost: x\n\n", 400},
	{"two spaces", "GET  / HTTP/1.1\nHost: x\n\n", 400},
	{"two spaces before version", "GET /  HTTP/1.1\nHost: x\n\n", 400},
	{"space after version", "GET / HTTP/1.1 \nHost: x\n\n", 400},
	{"HTTP/0.9", "GET /\n", 400},
	{"version in lower case", "GET / http/1.1\nHost: x\n\n", 400},
	{"version HTTP/1", "GET / HTTP/1\nHost: x\n\n", 400},
	{"version HTTP/1.10", "GET / HTTP/1.10\nHost: x\n\n", 400},
	{"version HTTPS/1.1", "GET / HTTPS/1.1\nHost: x\n\n", 400},
	{"version HTTP /1.1", "GET / HTTP /1.1\nHost: x\n\n", 400},
	{"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
	{"PROXY v1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nGET / HTTP/1.1\nHost: x\n\n", 400},
	{"PROXY v2", "\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c", 400},
	{"Connection malformed", "GET / HTTP/1.1\nHost: x\nConnection: a b\n\n", 400},
	{"chunk size with sign", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n+3\nabc\n0\n\n", 400},
	{"chunk size 0x", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0x3\nabc\n0\n\n", 400},
	{"chunk size with space", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3 \nabc\n0\n\n", 400},
	{"chunk size, leading space", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n 3\nabc\n0\n\n", 400},
	{"chunk size overflow", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\nffffffffffffffff3\nabc\n0\n\n", 400},
	{"chunk size empty", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n\nabc\n0\n\n", 400},
	{"chunk bare LF", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\\nabc\n0\n\n", 400},
	{"chunk data bare LF", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabc\\n0\n\n", 400},
	{"chunk data too long", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabcd\n0\n\n", 400},
	{"chunk extension bare LF", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3;a\\nabc\n0\n\n", 400},
	{"chunk extension NUL", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3;\x00\nabc\n0\n\n", 400},
	{"chunk extension open quote", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3;a=\"\nabc\n0\n\n", 400},
	{"last chunk bare LF", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\\n", 400},
	{"trailer Content-Length", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\nContent-Length: 3\n\n", 400},
	{"trailer Transfer-Encoding", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\nTransfer-Encoding: chunked\n\n", 400},
	{"trailer without colon", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\nabc\n\n", 400},

	{"CONNECT", "CONNECT x:443 HTTP/1.1\nHost: x:443\n\n", 405},
	{"TRACE", "TRACE / HTTP/1.1\nHost: x\n\n", 405},
	{"TRACK", "TRACK / HTTP/1.1\nHost: x\n\n", 405},
	{"unknown host", "GET / HTTP/1.1\nHost: y\n\n", 404},
	{"unknown path", "GET / HTTP/1.1\nHost: api.test\n\n", 404},
	{"body too large", "POST / HTTP/1.1\nHost: x\nContent-Length: 100000000\n\n", 413},
	{"long request line", "GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\nHost: x\n\n", 414},
	{"endless request line", "GET /" + strings.Repeat("a", 9<<10), 414},
	{"unknown expectation", "POST / HTTP/1.1\nHost: x\nExpect: 200-maybe\nContent-Length: 1\n\n", 417},
	{"head too large", "GET / HTTP/1.1\nHost: x\nA: " + strings.Repeat("b", 65<<10) + "\n\n", 431},
	{"endless head", "GET / HTTP/1.1\nHost: x\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\n", 80), 431},
	{"too many fields", "GET / HTTP/1.1\nHost: x\n" + strings.Repeat("A: b\n", 129) + "\n", 431},
	{"almost an HTTP/2 preface", "PRI * HTTP/2.0\n\nSN\n\n", 505},
	{"HTTP/1.2", "GET / HTTP/1.2\nHost: x\n\n", 505},
	{"HTTP/3.0", "GET / HTTP/3.0\nHost: x\n\n", 505},
}

// Each odd request is answered as the table says. A refused one, and the GET that is
// smuggled behind it, never reaches the origin.
func TestOddRequests(t *testing.T) {
	if len(oddRequests) < 100 {
		t.Fatalf("only %d cases", len(oddRequests))
	}
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	s := snap([]string{o.addr}, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) { r.MaxBodySize = 1 << 20 })
	r := s.Hosts[0].Rules[0].Route
	s.Hosts = []*gateway.Host{
		{Name: "*.x", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: r}}},
		{Name: "api.test", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/api"}, Route: r}}},
		{Name: "x", Rules: []gateway.Rule{{Path: gateway.PathMatch{Prefix: "/"}, Route: r}}},
	}
	e := start(t, Config{}, Listener{}, s)
	withoutHost := start(t, Config{}, Listener{}, snap([]string{o.addr}, nil))
	for _, c := range oddRequests {
		t.Run(c.name, func(t *testing.T) {
			text := strings.ReplaceAll(crlf(strings.ReplaceAll(c.text, `\n`, "\x01")), "\x01", "\n")
			text = strings.ReplaceAll(text, `\\`, `\`)
			to := e
			if !strings.Contains(text, "Host:") && c.status == 200 {
				to = withoutHost
			}
			earlier := len(o.seen())
			cl := to.dial(t)
			// The proxy may answer and close before it has read everything.
			_, _ = io.WriteString(cl, text+"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			resp, err := http.ReadResponse(cl.br, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, c.status, body)
			}
			if c.status == 200 {
				cl.all() // the request behind it, whose turn must not fall into the next case
				if len(o.seen()) == earlier {
					t.Error("the origin saw nothing")
				}
				return
			}
			checkRefusal(t, cl, resp, string(body), c.status == 404)
			if c.status == 404 {
				cl.all()
			}
			for _, h := range o.seen()[earlier:] {
				if !(c.status == 404 && strings.Contains(h, "/smuggled")) {
					t.Errorf("the origin saw %q", h)
				}
			}
		})
	}
	for _, f := range append(e.observed.failures(), withoutHost.observed.failures()...) {
		t.Errorf("a client's mistake is blamed on the endpoint: %s", f)
	}
}

// checkRefusal looks at an answer of Sluice's own. After a 404 the connection goes on.
func checkRefusal(t *testing.T, cl *client, resp *http.Response, body string, goesOn bool) {
	t.Helper()
	for _, want := range []string{"reason: ", "request id: ", strconv.Itoa(resp.StatusCode)} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer lacks %q: %s", want, body)
		}
	}
	if resp.Header.Get("Date") == "" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", resp.Header)
	}
	if goesOn {
		return
	}
	if resp.Header.Get("Connection") != "close" && !resp.Close {
		t.Errorf("no Connection: close in %v", resp.Header)
	}
	if !cl.closed() {
		t.Error("the connection goes on")
	}
}

// The bytes behind a chunked body that ends properly are a request of their own; those
// behind a broken one are never read as one. Judged by what the origin saw.
func TestSmuggling(t *testing.T) {
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		want []string // request lines that the origin may see
	}{
		"CL.TE":               {"POST /a HTTP/1.1\nHost: x\nContent-Length: 6\nTransfer-Encoding: chunked\n\n0\n\nG", nil},
		"TE.CL":               {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nContent-Length: 4\n\n5c\nGPOST", nil},
		"TE.TE":               {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nTransfer-encoding: cow\n\n0\n\n", nil},
		"CL.0":                {"POST /a HTTP/1.1\nHost: x\nContent-Length: 35\n\n", []string{"POST /a"}},
		"CL.0 with prefix":    {"GET /a HTTP/1.1\nHost: x\nContent-Length: 0\n\n", []string{"GET /a", "GET /smuggled"}},
		"chunk end":           {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n", []string{"POST /a", "GET /smuggled"}},
		"TERM.EXT":            {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n2;\\nxx\n0\n\n", nil},
		"EXT.TERM":            {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n2;a\rb\nxx\n0\n\n", nil},
		"spill":               {"POST /a HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nAAAAAXX2\n45\n0\n\n", nil},
		"bare CR end of head": {"GET /a HTTP/1.1\nHost: x\n\r\r\n", nil},
		"body in HTTP/1.0 TE": {"POST /a HTTP/1.0\nHost: x\nConnection: keep-alive\nTransfer-Encoding: chunked\n\n0\n\n", nil},
		"Expect with CL":      {"GET /a HTTP/1.1\nHost: x\nExpect: y 100-continue\nContent-Length: 5\n\n", nil},
		"Expect, body sent":   {"POST /a HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 2\n\nab", []string{"POST /a", "GET /smuggled"}},
		"h2c":                 {"GET /a HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n\n", []string{"GET /a", "GET /smuggled"}},
		"WebSocket, early":    {"GET /a HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n", []string{"GET /a"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, "hello")
			})
			e := before(t, o)
			cl := e.dial(t)
			text := strings.ReplaceAll(crlf(strings.ReplaceAll(c.text, `\n`, "\x01")), "\x01", "\n")
			_, _ = io.WriteString(cl, text+smuggled)
			for range max(len(c.want), 1) {
				resp, err := http.ReadResponse(cl.br, nil)
				for err == nil && resp.StatusCode == 100 {
					resp, err = http.ReadResponse(cl.br, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if c.want == nil && resp.StatusCode != 400 && resp.StatusCode != 417 {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
			_ = cl.Close()
			if got := o.seen(); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("the origin saw %q, want %q", got, c.want)
			}
		})
	}
}

// Answers that break the protocol become 502, the fault is the endpoint's, and nothing is
// ever read from such a connection again.
func TestNastyAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"noise":                    "hello\n\n",
		"HTTP/0.9":                 "<html>hello</html>",
		"HTTP/2 status line":       "HTTP/2 200\n\n",
		"status of two digits":     "HTTP/1.1 20 OK\n\n",
		"status of four digits":    "HTTP/1.1 2000 OK\n\n",
		"status 000":               "HTTP/1.1 000 OK\n\n",
		"status 999":               "HTTP/1.1 999 OK\n\n",
		"status with sign":         "HTTP/1.1 +200 OK\n\n",
		"status text":              "HTTP/1.1 OK\n\n",
		"NUL in reason":            "HTTP/1.1 200 O\x00K\nContent-Length: 5\n\nhello",
		"bare LF":                  "HTTP/1.1 200 OK\\nContent-Length: 5\\n\\nhello",
		"bare LF in fields":        "HTTP/1.1 200 OK\nA: b\\nContent-Length: 5\n\nhello",
		"bare CR in value":         "HTTP/1.1 200 OK\nA: b\rSet-Cookie: c\nContent-Length: 5\n\nhello",
		"NUL in value":             "HTTP/1.1 200 OK\nA: \x00\nContent-Length: 5\n\nhello",
		"fold":                     "HTTP/1.1 200 OK\nA: b\n c\nContent-Length: 5\n\nhello",
		"space before colon":       "HTTP/1.1 200 OK\nContent-Length : 5\n\nhello",
		"no colon":                 "HTTP/1.1 200 OK\nabc\nContent-Length: 5\n\nhello",
		"empty name":               "HTTP/1.1 200 OK\n: abc\nContent-Length: 5\n\nhello",
		"CL and TE":                "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
		"two CL":                   "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\nhello",
		"two CL, equal":            "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\nhello",
		"CL list":                  "HTTP/1.1 200 OK\nContent-Length: 5, 5\n\nhello",
		"CL minus":                 "HTTP/1.1 200 OK\nContent-Length: -5\n\nhello",
		"CL word":                  "HTTP/1.1 200 OK\nContent-Length: x\n\nhello",
		"TE gzip, chunked":         "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n0\n\n",
		"TE identity":              "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\nhello",
		"TE in HTTP/1.0":           "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n0\n\n",
		"204 with a body":          "HTTP/1.1 204 No Content\nContent-Length: 5\n\nhello",
		"204 chunked":              "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n0\n\n",
		"101 unasked":              "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\n",
		"101 to something else":    "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\n",
		"interim flood":            strings.Repeat("HTTP/1.1 102 Processing\n\n", 100),
		"interim with a body":      "HTTP/1.1 103 Early Hints\nContent-Length: 5\n\nhello",
		"head too large":           "HTTP/1.1 200 OK\nA: " + strings.Repeat("b", 65<<10) + "\n\n",
		"head without end":         "HTTP/1.1 200 OK\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\n", 80),
		"too many fields":          "HTTP/1.1 200 OK\n" + strings.Repeat("A: b\n", 129) + "Content-Length: 5\n\nhello",
		"malformed Connection":     "HTTP/1.1 200 OK\nConnection: a b\nContent-Length: 5\n\nhello",
		"empty line first":         "\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"closed within the head":   "HTTP/1.1 200 OK\nContent-Le",
		"closed within the status": "HTTP/1.",
	} {
		t.Run(name, func(t *testing.T) {
			answer := strings.ReplaceAll(crlf(strings.ReplaceAll(answer, `\n`, "\x01")), "\x01", "\n")
			o := startOrigin(t, func(o *origin, c net.Conn) {
				br := bufio.NewReader(c)
				for {
					if _, err := o.readHead(br); err != nil {
						return
					}
					_, _ = io.WriteString(c, answer)
					if strings.HasPrefix(name, "closed") || strings.HasPrefix(name, "HTTP/0.9") {
						return
					}
				}
			})
			e := before(t, o)
			cl := e.dial(t)
			for i := range 2 {
				cl.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(cl.br, nil)
				for err == nil && resp.StatusCode < 200 && resp.StatusCode != 101 {
					resp, err = http.ReadResponse(cl.br, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != 502 {
					t.Fatalf("status %d: %s", resp.StatusCode, body)
				}
				if o.opened() != i+1 {
					t.Errorf("%d connections after %d requests", o.opened(), i+1)
				}
			}
			want := gateway.FailureMalformed
			if strings.HasPrefix(name, "closed") {
				want = gateway.FailureReset
			}
			if fs := e.observed.failures(); len(fs) != 2 || fs[0] != want {
				t.Errorf("failures %v, want two times %s", fs, want)
			}
		})
	}
}
