package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

// What we accept, net/http reads in the same way: method, target, host, fields, body,
// trailers, and where the next message starts. The other way round does not hold: it is the
// more forgiving one.
func FuzzRequestAgainstNetHTTP(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.TrimLeft(b, "\r\n") // one empty line may stand before a request
		var r Request
		if done, _ := r.Parse(b, Limits{}); !done {
			return
		}
		ours, complete := readBody(b[r.Size:], r.Framing, r.Length)
		if !complete {
			return
		}
		br := bufio.NewReader(bytes.NewReader(b))
		ref, err := http.ReadRequest(br)
		if err != nil {
			if ourOwn(&r, b) {
				return
			}
			t.Fatalf("net/http refuses %q: %v", b[:r.Size], err)
		}
		sameRequestLine(t, &r, b, ref)
		sameFields(t, b, r.Fields, ref.Header)
		chunked := len(ref.TransferEncoding) == 1
		if chunked != (r.Framing == ChunkedTE) || !chunked && ref.ContentLength != r.Length {
			t.Fatalf("net/http reads %v, length %d; we %d, %d", ref.TransferEncoding, ref.ContentLength, r.Framing, r.Length)
		}
		sameBody(t, ours, ref.Body, br)
		sameTrailers(t, ours, ref.Trailer)
	})
}

func sameRequestLine(t *testing.T, r *Request, b []byte, ref *http.Request) {
	t.Helper()
	if ref.Method != string(r.MethodText.Of(b)) || ref.ProtoMajor != 1 || ref.ProtoMinor != int(r.Minor) || ref.RequestURI != string(r.Target.Of(b)) {
		t.Fatalf("net/http reads %s %s %s", ref.Method, ref.RequestURI, ref.Proto)
	}
	if !strings.EqualFold(ref.Host, string(r.Authority.Of(b))) {
		t.Fatalf("net/http reads host %q, we %q", ref.Host, r.Authority.Of(b))
	}
	path, err := url.PathUnescape(string(r.Path.Of(b)))
	if err != nil || ref.URL.Path != path || ref.URL.RawQuery != strings.TrimPrefix(string(r.Query.Of(b)), "?") {
		t.Fatalf("net/http reads path %q, query %q; we %q, %q, %v", ref.URL.Path, ref.URL.RawQuery, path, r.Query.Of(b), err)
	}
}

// ourOwn says whether the head has something that net/http's URL parser does not take
// though it is no danger: marks where browsers send them raw, and colons in first segments.
func ourOwn(r *Request, b []byte) bool {
	return bytes.ContainsAny(r.Target.Of(b), "%[]{}|^`\\:") || bytes.ContainsAny(r.Authority.Of(b), "[]")
}

func FuzzResponseAgainstNetHTTP(f *testing.F) {
	for _, s := range responseSeeds {
		f.Add([]byte(crlf(s)), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, head bool) {
		method, name := MethodGet, "GET"
		if head {
			method, name = MethodHead, "HEAD"
		}
		var r Response
		if done, _ := r.Parse(b, method); !done {
			return
		}
		ours, complete := readBody(b[r.Size:], r.Framing, r.Length)
		if !complete {
			return
		}
		br := bufio.NewReader(bytes.NewReader(b))
		ref, err := http.ReadResponse(br, &http.Request{Method: name})
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b[:r.Size], err)
		}
		if ref.StatusCode != r.Status || ref.ProtoMinor != int(r.Minor) {
			t.Fatalf("net/http reads %s %s", ref.Proto, ref.Status)
		}
		sameFields(t, b, r.Fields, ref.Header)
		if r.Framing == Length && ref.ContentLength != r.Length {
			t.Fatalf("net/http reads length %d, we %d", ref.ContentLength, r.Length)
		}
		sameBody(t, ours, ref.Body, br)
		sameTrailers(t, ours, ref.Trailer)
	})
}

// content is a body as we read it.
type content struct {
	data     string
	trailers map[string]string
	rest     string // the next message
}

func readBody(b []byte, f Framing, length int64) (content, bool) {
	switch f {
	case Length:
		if int64(len(b)) < length {
			return content{}, false
		}
		return content{data: string(b[:length]), rest: string(b[length:])}, true
	case ChunkedTE:
		data, trailers, rest, err := walk(string(b), len(b)+1)
		return content{data, trailers, rest}, err == nil && trailers != nil
	case UntilClose:
		return content{data: string(b)}, true
	}
	return content{rest: string(b)}, true
}

func sameBody(t *testing.T, ours content, body io.Reader, br *bufio.Reader) {
	t.Helper()
	data, err := io.ReadAll(body)
	if tooMuch(err) {
		return
	}
	rest, _ := io.ReadAll(br) // from memory
	if err != nil || string(data) != ours.data || string(rest) != ours.rest {
		t.Fatalf("net/http reads body %q, %v, and then %q; we %q and then %q", data, err, rest, ours.data, ours.rest)
	}
}

// sameFields compares the values of each name in order, without those that net/http keeps
// elsewhere or adds.
func sameFields(t *testing.T, b []byte, fields Fields, ref http.Header) {
	t.Helper()
	want := http.Header{}
	for i := range fields {
		switch k := textproto.CanonicalMIMEHeaderKey(string(fields[i].Name.Of(b))); k {
		case "Host", "Transfer-Encoding", "Trailer", "Connection", "Pragma", "Cache-Control":
		default:
			want[k] = append(want[k], string(fields[i].Value.Of(b)))
		}
	}
	for _, k := range []string{"Trailer", "Connection", "Pragma", "Cache-Control"} {
		ref.Del(k)
	}
	if got, want := fmt.Sprintf("%q", ref), fmt.Sprintf("%q", want); got != want {
		t.Fatalf("net/http reads %s, we %s", got, want)
	}
}

func sameTrailers(t *testing.T, ours content, ref http.Header) {
	t.Helper()
	for name := range ours.trailers {
		if _, ok := ref[textproto.CanonicalMIMEHeaderKey(name)]; !ok {
			t.Fatalf("net/http reads trailers %q, we %q", ref, ours.trailers)
		}
	}
}
