package http2

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

func TestServerWithTheReferenceClient(t *testing.T) {
	addr, client := serveOn(t, Config{}, echo), goClient()
	resp, err := client.Get("http://" + addr + "/a/b?c=d")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != "hello" || resp.Header.Get("X-Line") != "GET /a/b?c=d HTTP/1.1" {
		t.Errorf("%q %q %v", b, resp.Header, err)
	}
	var wg sync.WaitGroup
	for i := range 50 { // streams beside each other, each larger than every window
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + i%26)}, 300_000+i)
			req, _ := http.NewRequest("POST", "http://"+addr+"/", io.MultiReader(bytes.NewReader(body))) // no length
			req.Header.Set("Content-Type", fmt.Sprint("x/", i))
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(got, body) || resp.Header.Get("Content-Type") != fmt.Sprint("x/", i) {
				t.Errorf("stream %d: %d bytes of %d, %v", i, len(got), len(body), err)
			}
		})
	}
	wg.Wait()
	req, _ := http.NewRequest("POST", "http://"+addr+"/", io.NopCloser(strings.NewReader("body")))
	req.Trailer = http.Header{"X-Trailer": {"late"}}
	if resp, err = client.Do(req); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil || resp.Trailer.Get("X-Trailer") != "late" {
		t.Errorf("trailers %v, %v", resp.Trailer, err)
	}
}

// A stream is closed once both sides have sent their ends, whether its goroutine has ended or not
// (RFC 9113 section 5.1).
func TestFramesAfterBothEnds(t *testing.T) {
	for name, late := range map[string]func(r *raw) error{
		"HEADERS": func(r *raw) error { return r.open(1, get("/"), true) },
		"DATA":    func(r *raw) error { return r.WriteData(1, true, []byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			judged := make(chan struct{})
			r := dialRaw(t, serveOn(t, Config{}, func(st *Stream) {
				echo(st)
				<-judged
			}))
			defer close(judged)
			if err := r.open(1, get("/"), true); err != nil {
				t.Fatal(err)
			}
			for ended := false; !ended; {
				f, err := r.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				ended = f.Header().StreamID == 1 && f.Header().Flags.Has(xhttp2.FlagDataEndStream)
			}
			if err := late(r); err != nil {
				t.Fatal(err)
			}
			if code, err := r.ending(); code != xhttp2.ErrCodeStreamClosed || err != nil {
				t.Errorf("the connection ended with %v, %v", code, err)
			}
		})
	}
}

// Any number of uploads may be refused at once: what their clients were sending harms no other
// stream of the connection.
func TestManyUploadsRefused(t *testing.T) {
	const uploads, pieces = 100, 60
	answer := make(chan struct{})
	r := dialRaw(t, serveOn(t, Config{}, func(st *Stream) {
		<-answer
		_ = st.SendHead(AppendStatus(nil, 413), true, stall)
	}))
	for i := range uint32(uploads) {
		if err := r.open(2*i+1, get("/"), false); err != nil {
			t.Fatal(err)
		}
	}
	close(answer)
	for refused := 0; refused < uploads; {
		f, err := r.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Header().Type == xhttp2.FrameRSTStream {
			refused++
		}
	}
	for range pieces {
		for i := range uint32(uploads) {
			if err := r.WriteData(2*i+1, false, make([]byte, 1024)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := r.mark(); code != 0xff {
		t.Errorf("the connection ended with %v", code)
	}
}

// Who sees an answer while it sends its body ends that itself, or is told to later: an answer that comes
// together with the reset is lost on some. Neither is a flood.
func TestAnswerBeforeBodyEnds(t *testing.T) {
	const uploads = 1000
	r := dialRaw(t, serveOn(t, Config{}, func(st *Stream) { _ = st.SendHead(AppendStatus(nil, 413), true, stall) }))
	for i := range uint32(uploads) {
		id := 2*i + 1
		if err := r.open(id, get("/"), false); err != nil {
			t.Fatal(err)
		}
		for answered := false; !answered; {
			f, err := r.ReadFrame()
			if err != nil {
				t.Fatalf("stream %d: %v", id, err)
			}
			answered = f.Header().Type == xhttp2.FrameHeaders && f.Header().StreamID == id
		}
		_ = r.WriteData(id, false, []byte("x"))
		switch i % 3 {
		case 0:
			_ = r.WriteData(id, true, nil)
		case 1:
			_ = r.WriteRSTStream(id, xhttp2.ErrCodeCancel)
		case 2:
			_ = r.open(id, AppendField(nil, []byte("sum"), []byte("1")), true)
		}
	}
	if err := r.open(2*uploads+1, get("/"), false); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := r.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := f.(*xhttp2.RSTStreamFrame); ok {
			if f.StreamID != 2*uploads+1 || f.ErrCode != xhttp2.ErrCodeNo {
				t.Errorf("stream %d was reset: %v", f.StreamID, f.ErrCode)
			}
			break
		}
	}
}

// Each flood ends its connection with ENHANCE_YOUR_CALM after at most 1,000 frames, and
// another client is served as before.
func TestFloodsEndTheirConnection(t *testing.T) {
	addr := serveOn(t, Config{}, echo)
	other := goClient()
	for name, frame := range map[string]func(r *raw, i int) error{
		"ping":          func(r *raw, i int) error { return r.WritePing(false, [8]byte{1}) },
		"settings":      func(r *raw, i int) error { return r.WriteSettings() },
		"priority":      func(r *raw, i int) error { return r.WritePriority(uint32(2*i+1), xhttp2.PriorityParam{Weight: 1}) },
		"unknown":       func(r *raw, i int) error { return r.WriteRawFrame(0xee, 0, 0, []byte("x")) },
		"window update": func(r *raw, i int) error { return r.WriteWindowUpdate(0, 1) },
		"empty data": func(r *raw, i int) error {
			if i == 0 {
				return r.open(1, get("/"), false)
			}
			return r.WriteData(1, false, nil)
		},
		"rapid reset": func(r *raw, i int) error {
			id := uint32(2*i + 1)
			if err := r.open(id, get("/"), true); err != nil {
				return err
			}
			return r.WriteRSTStream(id, xhttp2.ErrCodeCancel)
		},
		"made you reset": func(r *raw, i int) error { // the server resets, section 5.1
			id := uint32(2*i + 1)
			if err := r.open(id, get("/"), false); err != nil {
				return err
			}
			return r.WriteWindowUpdate(id, 1<<31-1)
		},
		"continuation": func(r *raw, i int) error {
			if i == 0 {
				return r.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: get("/")})
			}
			return r.WriteContinuation(1, false, []byte{0, 1, 'a', 1, 'b'})
		},
		"malformed": func(r *raw, i int) error {
			return r.open(uint32(2*i+1), get("/", "connection", "close"), true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, addr)
			sent, code := 0, xhttp2.ErrCode(0xff)
			for ; sent < 2000 && code == 0xff; sent++ {
				if frame(r, sent) != nil {
					break
				}
				if sent%50 == 49 && name != "continuation" { // until all of that has been read
					code = r.mark()
				}
			}
			if code == 0xff {
				var err error
				if code, err = r.ending(); err != nil {
					t.Errorf("the connection did not end: %v", err)
				}
			}
			if code != xhttp2.ErrCodeEnhanceYourCalm {
				t.Errorf("the connection ended with %v", code)
			}
			if sent > 1000 && name != "continuation" {
				t.Errorf("%d frames were taken", sent)
			}
			resp, err := other.Get("http://" + addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})
	}
}

// A client that has its answers may open as many streams again at once, though our goroutines are
// still busy with the end of the first; beyond the limit and beyond twice as many goroutines it is
// refused.
func TestStreamsOneAfterAnother(t *testing.T) {
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	addr := serveOn(t, Config{Streams: 4}, func(st *Stream) {
		_ = st.SendHead(AppendStatus(nil, 200), true, stall)
		<-free
	})
	r := dialRaw(t, addr)
	for _, round := range []struct {
		first uint32
		want  string
	}{
		{1, "1 ok 3 ok 5 ok 7 ok "},
		{9, "9 ok 11 ok 13 ok 15 ok "},
		{17, "17 REFUSED_STREAM 19 REFUSED_STREAM 21 REFUSED_STREAM 23 REFUSED_STREAM "},
	} {
		for i := range uint32(4) {
			if err := r.open(round.first+2*i, get("/"), true); err != nil {
				t.Fatal(err)
			}
		}
		ends := map[uint32]string{}
		for len(ends) < 4 {
			f, err := r.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch f := f.(type) {
			case *xhttp2.HeadersFrame:
				ends[f.StreamID] = "ok"
			case *xhttp2.RSTStreamFrame:
				ends[f.StreamID] = f.ErrCode.String()
			}
		}
		got := ""
		for i := range uint32(4) {
			got += fmt.Sprint(round.first+2*i, " ", ends[round.first+2*i], " ")
		}
		if got != round.want {
			t.Errorf("%s, want %s", got, round.want)
		}
	}
}

// Streams that are given up after a second are no flood, however many: an endpoint is slow, and
// deadlines pass.
func TestManyDeadlinesPass(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	r := dialRaw(t, serveOn(t, Config{Glitches: 50}, func(*Stream) { <-over }))
	const streams = 100
	for i := range uint32(streams) {
		if err := r.open(2*i+1, get("/"), true); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Duration(longEnough) + 50*time.Millisecond)
	for i := range uint32(streams) {
		if err := r.WriteRSTStream(2*i+1, xhttp2.ErrCodeCancel); err != nil {
			t.Fatal(err)
		}
	}
	if code := r.mark(); code != 0xff {
		t.Errorf("the connection ended with %v", code)
	}
}

// draining is a client with one request under way on a connection that is told to end.
func draining(t *testing.T, cfg Config, serve func(*Stream)) (r *raw, ended chan error) {
	ours, theirs := net.Pipe()
	_ = theirs.SetDeadline(time.Now().Add(patience))
	c := NewServer(socket.New(ours), cfg, serve)
	r, ended = &raw{theirs, xhttp2.NewFramer(theirs, theirs), t}, make(chan error, 1)
	go func() { ended <- c.Run(nil) }()
	go func() {
		_, _ = io.WriteString(theirs, xhttp2.ClientPreface)
		_ = r.WriteSettings()
		_ = r.open(1, get("/"), true)
		c.Drain()
	}()
	return r, ended
}

// cross reads to the end of the connection, and has send called once the last GOAWAY has come. It returns the
// code of what came last of these, and whether the request was answered.
func (r *raw) cross(send func()) (code xhttp2.ErrCode, answered bool) {
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return code, answered
		}
		switch f := f.(type) {
		case *xhttp2.GoAwayFrame:
			if code = f.ErrCode; f.LastStreamID == 1 && code == xhttp2.ErrCodeNo {
				go send()
			}
		case *xhttp2.HeadersFrame:
			answered = f.StreamID == 1
		}
	}
}

// A request that crosses the last GOAWAY is not served, and does no harm to those that are, whatever
// follows its head.
func TestRequestAcrossLastGoAway(t *testing.T) {
	answer := make(chan struct{})
	r, ended := draining(t, Config{}, func(st *Stream) {
		<-answer
		_ = st.SendHead(AppendStatus(nil, 200), true, stall)
	})
	code, answered := r.cross(func() {
		_ = r.open(3, get("/"), false)
		_ = r.WriteData(3, false, []byte("body"))
		_ = r.WriteWindowUpdate(3, 1000)
		_ = r.WriteData(3, true, nil)
		close(answer)
	})
	if err := <-ended; err != nil || !answered || code != xhttp2.ErrCodeNo {
		t.Errorf("answered %v, ended with %v, %v", answered, code, err)
	}
}

// After the last GOAWAY a client may send what crosses it, and no flood.
func TestFloodAfterLastGoAway(t *testing.T) {
	over := make(chan struct{})
	r, ended := draining(t, Config{Glitches: 50}, func(*Stream) { <-over })
	code, _ := r.cross(func() {
		for i := range uint32(100) {
			if r.open(2*i+3, get("/"), true) != nil {
				return
			}
		}
	})
	if close(over); code != xhttp2.ErrCodeEnhanceYourCalm {
		t.Errorf("the connection ended with %v, %v", code, <-ended)
	}
}
