package http1

import (
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// A request head is read in the same way however it is cut, and every span lies within it.
func FuzzRequestHead(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		done, err := r.Parse(b, Limits{})
		var slow Request
		for n := 0; n <= len(b); n++ {
			d, e := slow.Parse(b[:n], Limits{})
			if !d && e == nil {
				continue
			}
			if e != err && !early(e) || d && slow.Size != r.Size {
				t.Fatalf("byte by byte: done %v, error %v; at once: done %v, error %v", d, e, done, err)
			}
			break
		}
		if !done {
			return
		}
		for name, s := range map[string]Span{"method": r.MethodText, "target": r.Target, "path": r.Path, "query": r.Query, "authority": r.Authority, "host": r.Host} {
			if int(s.End) > r.Size || s.Start > s.End {
				t.Fatalf("%s is %v of %d bytes", name, s, r.Size)
			}
		}
		checkFields(t, b[:r.Size], r.Fields)
		if path := r.PathText(b); len(path) == 0 || path[0] != '/' {
			t.Fatalf("path %q", path)
		}
	})
}

var requestSeeds = []string{
	"GET / HTTP/1.1\nHost: x\n\n",
	"POST /a?b HTTP/1.1\nHost: x:80\nContent-Length: 3\n\nabc",
	"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5;a=b\nhello\n0\nX-Sum: y\n\nGET",
	"GET http://x/ HTTP/1.1\nHost: x\nConnection: close, x\n\n",
	"OPTIONS * HTTP/1.0\nConnection: keep-alive\n\n",
	"GET / HTTP/1.1\nHost: [::1]:8080\nA:\n b\n\n",
}

// checkFields says that what is passed on can not be read in another way.
func checkFields(t *testing.T, head []byte, fields Fields) {
	t.Helper()
	for i := range fields {
		line := head[fields[i].Name.Start:fields[i].End]
		if !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsAny(line[:len(line)-2], "\r\n\x00") {
			t.Fatalf("field line %q", line)
		}
		if name := fields[i].Name.Of(head); len(name) == 0 || line[len(name)] != ':' {
			t.Fatalf("name %q of %q", name, line)
		}
	}
}

// early errors are found before the line is complete, so they may come before another one.
func early(e *Error) bool { return e == ErrMethod || e == ErrLineTooLong || e == ErrHeadTooLarge }

// A response head is read in the same way however it is cut.
func FuzzResponseHead(f *testing.F) {
	for _, s := range responseSeeds {
		f.Add([]byte(crlf(s)), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, head bool) {
		method := MethodGet
		if head {
			method = MethodHead
		}
		var r, slow Response
		done, err := r.Parse(b, method)
		for n := 0; n <= len(b); n++ {
			d, e := slow.Parse(b[:n], method)
			if !d && e == nil {
				continue
			}
			if e != err && e != ErrStatusLine && e != ErrHeadTooLarge || d && slow.Size != r.Size {
				t.Fatalf("byte by byte: done %v, error %v; at once: done %v, error %v", d, e, done, err)
			}
			break
		}
		if !done {
			return
		}
		checkFields(t, b[:r.Size], r.Fields)
		if bodiless := r.Status < 200 || r.Status == 204 || r.Status == 304 || head; bodiless && r.Framing != NoBody {
			t.Fatalf("status %d has a body by %d", r.Status, r.Framing)
		}
	})
}

var responseSeeds = []string{
	"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
	"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n",
	"HTTP/1.0 404 Not Found\n\n",
	"HTTP/1.1 304 \nContent-Length: 3\n\n",
	"HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200\n\n",
}

// A chunked body is read in the same way however it is cut, and as net/http reads it.
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
		if tooMuch(rerr) {
			return
		}
		if rerr != nil || string(ref) != data {
			t.Fatalf("net/http reads %q, %v; we %q", ref, rerr, data)
		}
	})
}

// tooMuch: net/http bounds what is no data more tightly.
func tooMuch(err error) bool { return err != nil && strings.Contains(err.Error(), "too much non-data") }
