package http2

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Whatever a server sends, each answer's head is one that HTTP/1.1's parser either refuses or
// reads to its last byte, as x/net reads it; each exchange ends, and so does the connection.
// plain: the bytes come without SETTINGS before them.
func FuzzClientFrames(f *testing.F) {
	for _, s := range serverSeeds {
		f.Add(s, false)
	}
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, plain bool) {
		if !plain {
			b = slices.Concat(settingsFrame(), b)
		}
		heads := reference(b)
		ours, theirs := pair(t)
		c := NewClient(socket.New(ours), tight)
		var all sync.WaitGroup
		for i := range 3 { // streams 1, 3 and 5
			st, err := c.Open(AppendRequest(nil, []byte("POST"), []byte("http"), []byte("a"), []byte("/")), i == 0, false)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { exchange(t, c, st, i, heads[st.id]) })
		}
		all.Go(func() { _ = c.Run(nil) })
		all.Go(func() {
			skipPreface(theirs)
			theirs.talk(b, whole(b))
		})
		finished(t, &all)
		over(t, c)
	})
}

// exchange sends a body, besides on stream 1, and reads the answer to its end.
func exchange(t *testing.T, c *Conn, st *Stream, i int, heads []*xhttp2.MetaHeadersFrame) {
	var sending sync.WaitGroup
	if i > 0 {
		sending.Go(func() { _ = st.Send(bytes.Repeat([]byte{'x'}, i*40_000), true, stall) })
	}
	defer func() {
		st.InterruptWrite()
		sending.Wait()
		st.Finish()
	}()
	method := http1.MethodPost
	r, read := finalHead(t, st, method, heads)
	if !read {
		return
	}
	body, bound := int64(0), int64(-1)
	if r.Framing == http1.Length {
		bound = r.Length
	}
	for {
		piece, ended, err := st.Take()
		body += int64(len(piece))
		if bound >= 0 && body > bound {
			t.Errorf("stream %d: %d bytes of a body of %d", st.id, body, bound)
		}
		bounded(t, c)
		if err != nil {
			return
		}
		if ended {
			if bound >= 0 && body != bound && !st.Ended { // the head's own end is for the caller to judge
				t.Errorf("stream %d: a body of %d ended after %d bytes", st.id, bound, body)
			}
			return
		}
		if len(piece) == 0 && st.Wait(socket.Now()+stall) != nil {
			return
		}
	}
}

// finalHead reads heads up to the final one.
func finalHead(t *testing.T, st *Stream, method http1.Method, heads []*xhttp2.MetaHeadersFrame) (r http1.Response, read bool) {
	var got []byte
	buf := make([]byte, 64<<10)
	for n := 0; ; {
		done, bad := r.Parse(got, method)
		if bad != nil {
			return r, false
		}
		if done {
			if n < len(heads) {
				answers(t, st.id, got[:r.Size], &r, heads[n])
			}
			n++
			got = got[r.Size:]
			if r.Status >= 200 {
				if len(got) > 0 {
					t.Errorf("stream %d: %q behind the final head", st.id, got)
				}
				return r, true
			}
			r.Reset()
			continue
		}
		size, err := st.ReadHead(buf, socket.Now()+stall)
		if err != nil {
			return r, false
		}
		got = append(got, buf[:size]...)
	}
}

// answers says that the head of an answer is read as x/net reads it.
func answers(t *testing.T, id uint32, b []byte, r *http1.Response, m *xhttp2.MetaHeadersFrame) {
	if m == nil {
		t.Errorf("stream %d: x/net refuses what became %q", id, b)
		return
	}
	if got := string(b[len("HTTP/1.1 "):len("HTTP/1.1 200")]); got != m.PseudoValue("status") {
		t.Errorf("stream %d: status %s of %v", id, got, m)
	}
	var want, got []string
	for _, f := range m.RegularFields() {
		want = append(want, f.Name+": "+strings.Trim(f.Value, " \t"))
	}
	for i := range r.Fields {
		got = append(got, string(r.Fields[i].Name.Of(b))+": "+string(r.Fields[i].Value.Of(b)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("stream %d: fields %q, x/net reads %q", id, got, want)
	}
}
