package health

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// heads are answers, and whether they are plain.
var heads = map[string]bool{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":                                true,
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n":                                  true,
	"HTTP/1.0 404 Not Found\r\nServer: x/1.0 (y)\r\nX-9: \r\n\r\nno":                true,
	"HTTP/1.1 503 \r\ncontent-length:0 \r\nConnection: close\r\n\r\n":               true,
	"HTTP/1.1 200 OK\r\n\r\nto the end":                                             true,
	"HTTP/1.1 999 Yes\r\nA: b\r\n\r\n":                                              true,
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok":           false,
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok":           false,
	"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok":                               false,
	"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok":                               false,
	"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok":                              false,
	"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok":                             false,
	"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok":                                  false,
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":     false,
	"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n":                                    false,
	"HTTP/1.1 200 OK\r\nA : b\r\n\r\n":                                              false,
	"HTTP/1.1 200 OK\r\n: b\r\n\r\n":                                                false,
	"HTTP/1.1 200 OK\r\nno colon\r\n\r\n":                                           false,
	"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n":                                           false,
	"HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n":                                         false,
	"HTTP/1.1 200 OK\nA: b\n\n":                                                     false,
	"HTTP/1.1 200 OK\r\nA: b\r\n":                                                   false,
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n":                                     false,
	"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n":                                  false,
	"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n":                                 false,
	"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n":                                 false,
	"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n":                                  false,
	"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n":                                  false,
	"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                                  false,
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":   false,
	"HTTP/1.1 204 No Content\r\n\r\n":                                               false,
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n":                        false,
	"SSH-2.0-OpenSSH_9.2\r\n\r\n":                                                   false,
	"\r\n\r\n":                                                                      false,
	"":                                                                              false,
	"HTTP/1.1 200 " + strings.Repeat("x", 3000) + "\r\nContent-Length: 2\r\n\r\nok": false, // more than fits
}

// What the quick way reads is what net/http reads; of what it does not, it takes nothing.
func samePlainHead(t *testing.T, answer string) (plain bool) {
	t.Helper()
	r := bufio.NewReaderSize(strings.NewReader(answer), 2<<10)
	_, _ = r.Peek(2 << 10)
	status, length, plain := plainHead(r)
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !plain {
		if string(rest) != answer {
			t.Errorf("%q: %q is left of what was not plain", answer, rest)
		}
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), aGet)
	if err != nil {
		t.Fatalf("%q: plain with status %d, and net/http says: %v", answer, status, err)
	}
	if resp.StatusCode != status || resp.ContentLength != length {
		t.Errorf("%q: status %d with %d bytes, net/http: %d with %d", answer, status, length, resp.StatusCode, resp.ContentLength)
	}
	body, _ := io.ReadAll(resp.Body) // it may be cut off
	if length >= 0 {
		rest = rest[:min(int64(len(rest)), length)]
	}
	if string(body) != string(rest) {
		t.Errorf("%q: body %q, net/http: %q", answer, rest, body)
	}
	return true
}

func TestPlainHead(t *testing.T) {
	for answer, want := range heads {
		if got := samePlainHead(t, answer); got != want {
			t.Errorf("%q: plain %v, want %v", answer, got, want)
		}
	}
}

func FuzzPlainHead(f *testing.F) {
	for answer := range heads {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) { samePlainHead(t, answer) })
}
