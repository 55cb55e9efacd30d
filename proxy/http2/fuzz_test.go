package http2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// tight makes limits that a few hundred bytes reach.
var tight = Config{Streams: 8, Window: 4096, HeadBytes: 4096, Glitches: 30, Idle: patience, Frame: patience, Stall: patience}

// bounded reports memory beyond what the limits allow.
func bounded(t *testing.T, c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most := int(c.cfg.Streams); len(c.streams) > most || c.running > 2*most {
		t.Errorf("%d streams, %d at work", len(c.streams), c.running)
	}
	if len(c.out) > maxOut+1<<17 {
		t.Errorf("%d bytes wait to be sent", len(c.out))
	}
	for id, st := range c.streams {
		if len(st.recv) > int(c.cfg.Window) || len(st.head) > 5*c.cfg.HeadBytes || len(st.trailers) > 2*c.cfg.HeadBytes {
			t.Errorf("stream %d holds %d bytes of body, %d of heads, %d of trailers", id, len(st.recv), len(st.head), len(st.trailers))
		}
	}
}

// over wants nothing of a connection to be left, the goroutines of its streams included, once
// all have had their turn.
func over(t *testing.T, c *Conn) {
	left := func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.streams) == 0 && c.running == 0 && len(c.out) == 0 && !c.writing && c.blocked == 0 && c.rd == nil {
			return ""
		}
		return fmt.Sprintf("%d streams, %d at work, %d bytes to be sent, writing %v, %d blocked, reading %v",
			len(c.streams), c.running, len(c.out), c.writing, c.blocked, c.rd != nil)
	}
	for by := time.Now().Add(patience); left() != ""; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(by) {
			t.Fatalf("left behind: %s", left())
		}
	}
}

// finished waits for a connection to end, and for all who work on it.
func finished(t *testing.T, all *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		panic("the connection does not end") // with the stacks of all goroutines
	}
}

// Whatever a client sends, each request that is handed out is one that HTTP/1.1's parser
// either refuses or reads to its last byte, as x/net reads it; each ends, and so does the
// connection. plain: the bytes come without the preface and SETTINGS before them.
func FuzzServerFrames(f *testing.F) {
	for _, s := range clientSeeds {
		f.Add(s, false)
	}
	f.Add(slices.Concat([]byte(xhttp2.ClientPreface), settingsFrame()), true)
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, plain bool) {
		if !plain {
			b = slices.Concat([]byte(xhttp2.ClientPreface), settingsFrame(), b)
		}
		heads := reference(b)
		ours, theirs := pair(t)
		var all sync.WaitGroup
		var c *Conn
		c = NewServer(socket.New(ours), tight, func(st *Stream) {
			bounded(t, c)
			if sound(t, st, heads[st.id]) {
				echo(st)
			} else if st.SendHead(AppendStatus(nil, 400), false, stall) == nil {
				_ = st.Send([]byte("no"), true, stall)
			}
			bounded(t, c)
		})
		all.Go(func() { _ = c.Run(nil) })
		all.Go(func() { theirs.talk(b, whole(b) && bytes.HasPrefix(b, []byte(xhttp2.ClientPreface))) })
		finished(t, &all)
		over(t, c)
	})
}

// sound says whether a request is one for the parser of HTTP/1.1.
func sound(t *testing.T, st *Stream, heads []*xhttp2.MetaHeadersFrame) bool {
	if st.TooLarge {
		return false
	}
	var r http1.Request
	b := st.Head()
	done, bad := r.Parse(b, http1.Limits{})
	if bad != nil {
		return false
	}
	if !done || r.Size != len(b) {
		t.Errorf("stream %d: %d bytes are a request, of %q", st.id, r.Size, b)
		return false
	}
	if len(heads) == 0 { // x/net ended the connection before
		return true
	}
	m := heads[0]
	if m == nil {
		t.Errorf("stream %d: x/net refuses what became %q", st.id, b)
		return true
	}
	if st.Tunnel {
		if !strings.HasPrefix(string(b), "GET "+m.PseudoValue("path")+" HTTP/1.1\r\n") || m.PseudoValue("method") != "CONNECT" {
			t.Errorf("stream %d: %q of %v", st.id, b, m)
		}
		return true
	}
	target := m.PseudoValue("path")
	if m.PseudoValue("method") == "CONNECT" {
		target = m.PseudoValue("authority")
	}
	if string(r.MethodText.Of(b)) != m.PseudoValue("method") || string(r.Target.Of(b)) != target {
		t.Errorf("stream %d: %q of %v", st.id, b, m)
	}
	hosts := []string{m.PseudoValue("authority")}
	for _, f := range m.RegularFields() {
		if f.Name == "host" {
			hosts = append(hosts, f.Value)
		}
	}
	for _, h := range hosts { // all that name the host agree
		if h != "" && string(r.Authority.Of(b)) != h {
			t.Errorf("stream %d: authority %q of %q", st.id, r.Authority.Of(b), hosts)
		}
	}
	same(t, st.id, b, r.Fields, m.RegularFields())
	return true
}

// same says that the fields are those that x/net reads. Crumbs of cookies are joined, and
// Host stands for :authority.
func same(t *testing.T, id uint32, b []byte, ours http1.Fields, theirs []hpack.HeaderField) {
	var want, got []string
	var crumbs []string
	for _, f := range theirs {
		switch f.Name {
		case "cookie":
			if f.Value != "" { // says nothing
				crumbs = append(crumbs, f.Value)
			}
		case "host":
		default:
			want = append(want, f.Name+": "+f.Value)
		}
	}
	if joined := strings.Join(crumbs, "; "); joined != "" {
		want = append(want, "cookie: "+joined)
	}
	for i := range ours {
		name, value := string(ours[i].Name.Of(b)), string(ours[i].Value.Of(b))
		if name != "host" && (name != "cookie" || value != "") {
			got = append(got, name+": "+value)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("stream %d: fields %q, x/net reads %q", id, got, want)
	}
}
