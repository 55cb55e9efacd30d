package http1

import (
	"strings"
	"testing"
)

func TestResponseAccepted(t *testing.T) {
	type want struct {
		status  int
		framing Framing
		length  int64
		keep    bool
	}
	for name, c := range map[string]struct {
		text   string
		method Method
		want   want
	}{
		"length":        {"HTTP/1.1 200 OK\nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, true}},
		"empty":         {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", MethodGet, want{200, NoBody, 0, true}},
		"chunked":       {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", MethodGet, want{200, ChunkedTE, -1, true}},
		"until close":   {"HTTP/1.1 200 OK\n\n", MethodGet, want{200, UntilClose, -1, false}},
		"HEAD":          {"HTTP/1.1 200 OK\nContent-Length: 5\n\n", MethodHead, want{200, NoBody, 5, true}},
		"HEAD, chunked": {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", MethodHead, want{200, NoBody, -1, true}},
		"204":           {"HTTP/1.1 204 No Content\n\n", MethodGet, want{204, NoBody, -1, true}},
		"204, length 0": {"HTTP/1.1 204 No Content\nContent-Length: 0\n\n", MethodGet, want{204, NoBody, -1, true}},
		"304":           {"HTTP/1.1 304 Not Modified\nContent-Length: 9\n\n", MethodGet, want{304, NoBody, 9, true}},
		"103":           {"HTTP/1.1 103 Early Hints\nLink: </a>\n\n", MethodGet, want{103, NoBody, -1, true}},
		"1.0":           {"HTTP/1.0 200 OK\nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, false}},
		"1.0 keep":      {"HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, true}},
		"close":         {"HTTP/1.1 200 OK\nConnection: close\nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, false}},
		"no reason":     {"HTTP/1.1 200 \nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, true}},
		"no space":      {"HTTP/1.1 200\nContent-Length: 5\n\n", MethodGet, want{200, Length, 5, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Response
			done, err := r.Parse([]byte(crlf(c.text)), c.method)
			if got := (want{r.Status, r.Framing, r.Length, r.KeepAlive()}); err != nil || !done || got != c.want {
				t.Errorf("done %v, error %v, got %+v, want %+v", done, err, got, c.want)
			}
		})
	}
}

func TestResponseRefused(t *testing.T) {
	ok := func(fields string) string { return crlf("HTTP/1.1 200 OK\n" + fields + "\n") }
	for name, c := range map[string]struct {
		text string
		want *Error
	}{
		"noise":              {"hello", ErrStatusLine},
		"HTTP/2":             {"HTTP/2 200\r\n\r\n", ErrStatusLine},
		"leading empty line": {"\r\nHTTP/1.1 200 OK\r\n\r\n", ErrStatusLine},
		"status 99":          {crlf("HTTP/1.1 099 X\n\n"), ErrStatusLine},
		"status 600":         {crlf("HTTP/1.1 600 X\n\n"), ErrStatusLine},
		"status 4 digits":    {crlf("HTTP/1.1 2000 X\n\n"), ErrStatusLine},
		"status text":        {crlf("HTTP/1.1 abc X\n\n"), ErrStatusLine},
		"status sign":        {crlf("HTTP/1.1 +20 X\n\n"), ErrStatusLine},
		"two spaces":         {crlf("HTTP/1.1  200 OK\n\n"), ErrStatusLine},
		"control in reason":  {crlf("HTTP/1.1 200 O\x00K\n\n"), ErrStatusLine},
		"bare LF":            {"HTTP/1.1 200 OK\nA: b\n\n", ErrBareLF},
		"fold":               {ok("A: b\n c\n"), ErrFold},
		"space before colon": {ok("A : b\n"), ErrName},
		"NUL":                {ok("A: \x00\n"), ErrControl},
		"CR":                 {ok("A: b\rSet-Cookie: c\n"), ErrControl},
		"CL and TE":          {ok("Content-Length: 1\nTransfer-Encoding: chunked\n"), ErrLengthCoding},
		"CL twice":           {ok("Content-Length: 1\nContent-Length: 2\n"), ErrLengthTwice},
		"CL list":            {ok("Content-Length: 1,1\n"), ErrLength},
		"TE gzip":            {ok("Transfer-Encoding: gzip\n"), ErrCoding},
		"TE 1.0":             {crlf("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n"), ErrCodingOld},
		"204 with body":      {crlf("HTTP/1.1 204 X\nContent-Length: 1\n\n"), ErrBodyForbidden},
		"204 chunked":        {crlf("HTTP/1.1 204 X\nTransfer-Encoding: chunked\n\n"), ErrBodyForbidden},
		"103 with body":      {crlf("HTTP/1.1 103 X\nContent-Length: 1\n\n"), ErrBodyForbidden},
		"large head":         {ok("A: " + strings.Repeat("b", MaxHead) + "\n"), ErrHeadTooLarge},
		"many fields":        {ok(strings.Repeat("A: b\n", MaxFields+1)), ErrTooManyFields},
	} {
		t.Run(name, func(t *testing.T) {
			var r Response
			if done, err := r.Parse([]byte(c.text), MethodGet); err != c.want {
				t.Errorf("done %v, error %v, want %v", done, err, c.want)
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	head := []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 20:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n")
	var r Response
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Parse(head, MethodGet); !done || err != nil {
			b.Fatal(err)
		}
	}
}

func TestKeeps(t *testing.T) {
	for value, want := range map[string]int64{
		"timeout=5": 5, "timeout=5, max=100": 5, "max=100,Timeout=72": 72, "": 0, "timeout": 0, "timeout=": 0, "timeout=-1": 0,
		"timeout=x": 0, "timeouts=5": 0, "timeout=99999999999": 0, "max=5": 0,
	} {
		var r Response
		if done, err := r.Parse([]byte("HTTP/1.1 200 OK\r\nKeep-Alive: "+value+"\r\n\r\n"), MethodGet); !done || err != nil || r.Keeps != want {
			t.Errorf("%q: %d, %v; want %d", value, r.Keeps, err, want)
		}
	}
}
