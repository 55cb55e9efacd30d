package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// What we accept net/http accepts, too, and reads in the same way. The other way round
// does not hold: it is the more forgiving one.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\nHost: x\n\n",
		"POST /a?b HTTP/1.1\nHost: x:80\nContent-Length: 3\n\nabc",
		"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n",
		"GET http://x/ HTTP/1.1\nHost: x\nConnection: close, x\n\n",
		"OPTIONS * HTTP/1.0\nConnection: keep-alive\n\n",
		"GET / HTTP/1.1\nHost: [::1]:8080\nA:\n b\n\n",
	} {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		done, err := r.Parse(b, Limits{})
		var slow Request
		for n := 0; n <= len(b); n++ {
			if d, e := slow.Parse(b[:n], Limits{}); d || e != nil {
				if e != err && !early(e) || d && slow.Size != r.Size {
					t.Fatalf("byte by byte: done %v, error %v; at once: done %v, error %v", d, e, done, err)
				}
				break
			}
		}
		if !done {
			return
		}
		head := bytes.TrimPrefix(b, []byte("\r\n"))
		ref, rerr := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if rerr != nil {
			if ourOwn(&r, b) {
				return
			}
			t.Fatalf("net/http refuses %q: %v", b[:r.Size], rerr)
		}
		if ref.Method != string(r.MethodText.Of(b)) || ref.ProtoMinor != int(r.Minor) {
			t.Fatalf("net/http reads %s HTTP/1.%d", ref.Method, ref.ProtoMinor)
		}
		if !strings.EqualFold(ref.Host, string(r.Authority.Of(b))) {
			t.Fatalf("net/http reads host %q", ref.Host)
		}
		if chunked := len(ref.TransferEncoding) == 1; chunked != (r.Framing == ChunkedTE) {
			t.Fatalf("net/http reads transfer encoding %v", ref.TransferEncoding)
		}
		if r.Framing == Length && ref.ContentLength != r.Length || r.Framing == NoBody && ref.ContentLength != 0 {
			t.Fatalf("net/http reads length %d", ref.ContentLength)
		}
	})
}

// early errors are found before the line is complete, so they may come before another one.
func early(e *Error) bool { return e == ErrMethod || e == ErrLineTooLong || e == ErrHeadTooLarge }

// ourOwn says whether the head has something that net/http's URL parser does not take
// though it is no danger: percent signs and brackets where browsers send them.
func ourOwn(r *Request, b []byte) bool {
	return bytes.ContainsAny(r.Target.Of(b), "%[]{}|^`\\:") || bytes.ContainsAny(r.Authority.Of(b), "[]")
}

func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n",
		"HTTP/1.0 404 Not Found\n\n",
		"HTTP/1.1 304 \nContent-Length: 3\n\n",
	} {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Response
		done, err := r.Parse(b, MethodGet)
		if !done || err != nil || r.Status < 200 {
			return
		}
		ref, rerr := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), &http.Request{Method: "GET"})
		if rerr != nil {
			t.Fatalf("net/http refuses %q: %v", b[:r.Size], rerr)
		}
		if ref.StatusCode != r.Status || r.Framing == Length && ref.ContentLength != r.Length ||
			(len(ref.TransferEncoding) == 1) != (r.Framing == ChunkedTE) {
			t.Fatalf("net/http reads %d, length %d, %v", ref.StatusCode, ref.ContentLength, ref.TransferEncoding)
		}
	})
}

func FuzzChunked(f *testing.F) {
	for _, s := range []string{"0\n\n", "5\nhello\n0\n\n", "5;a=\"b\"\nhello\n0\nX: y\n\n", "ffffffffffffffff\n"} {
		f.Add([]byte(crlf(s)), 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(step&0xff, 1)
		data, _, rest, err := walk(string(b), step)
		data2, _, rest2, err2 := walk(string(b), len(b)+1)
		if (err == nil) != (err2 == nil) || err == nil && (data != data2 || rest != rest2) {
			t.Fatalf("by %d: %q %q %v; at once: %q %q %v", step, data, rest, err, data2, rest2, err2)
		}
		if err != nil || rest == "more" {
			return
		}
		body := bytes.NewReader(b)
		ref, rerr := io.ReadAll(httputil.NewChunkedReader(body))
		if rerr != nil || string(ref) != data {
			t.Fatalf("net/http reads %q, %v; we %q", ref, rerr, data)
		}
	})
}
