package hardening

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestDowngrade sends frames of HTTP/2 to an origin that speaks HTTP/1.1: a message that is
// malformed never reaches it, and none means more there than it did to the client.
func TestDowngrade(t *testing.T) { suiteOf(t, "downgrade", 70, (*edge).runFrames) }

// nextStream is the stream of the request behind the frames of every case.
const nextStream = 1001

// runFrames plays a case over HTTP/2 and returns what is wrong with it.
func (e *edge) runFrames(c *rawCase, cut func(string) []string) []string {
	v := &verdict{}
	e.begin(c, cut)
	u, err := e.dial(c)
	if err != nil {
		return []string{err.Error()}
	}
	l := &listener{streams: map[uint32]*heard{}, got: make(chan int, 2*len(c.answers)+20)}
	ready, sent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		u.playFrames(c, cut, l.got, ready)
	}()
	fr := http2.NewFramer(io.Discard, bufio.NewReader(u))
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	alive := c.ends == nil || slices.Contains(c.ends, "alive")
	if err := l.read(fr, func() bool { return alive && l.complete(c.answers) }); err != nil {
		v.add("the client: %v", err)
	}
	close(ready)
	next := []answer{{stream: nextStream}}
	if err := l.read(fr, func() bool { return l.closed || l.complete(next) }); err != nil {
		v.add("the client: %v", err)
	}
	_ = u.Close()
	<-sent
	all, faults, ok := e.o.settled()
	if !ok {
		v.add("the origin is still busy")
	}
	for _, f := range faults {
		v.add("%s", f)
	}
	c.keep = v.ending(c, l)
	// The origin tells of a request that was cut when its connection has ended, so it may come late.
	slices.SortStableFunc(all, func(a, b seen) int {
		switch {
		case a.cut && !b.cut:
			return -1
		case b.cut && !a.cut:
			return 1
		}
		return 0
	})
	v.streams(c, l, all)
	v.requests(c, all, nil)
	e.victim(v, c)
	v.blame(c, e.blamed.take())
	return v.wrong
}

// playFrames sends what the case says, and when its streams are over the next request.
func (u *user) playFrames(c *rawCase, cut func(string) []string, got <-chan int, ready <-chan struct{}) {
	text := greeting()
	for _, s := range append(slices.Clone(c.sends), step{do: "ready"}) {
		if s.do == "" {
			text += s.text
			continue
		}
		for p := range slowly(cut(text)) {
			if _, err := io.WriteString(u, p); err != nil {
				return // the proxy may have ended the connection
			}
		}
		text = ""
		switch s.do {
		case "wait":
			select {
			case <-got:
			case <-ready: // the connection has ended
			}
		case "settle":
			u.o.settled()
		case "end":
			return
		case "ready":
			<-ready
		}
	}
	_, _ = io.WriteString(u, headers(nextStream, true, usual("GET", "next.test", "/next")).String()) // the reader sees
}

// ending judges the end of the connection and reports whether it goes on.
func (v *verdict) ending(c *rawCase, l *listener) (alive bool) {
	how := "alive"
	if l.closed || l.goaway != "" {
		how = l.goaway
	}
	want := c.ends
	if want == nil {
		want = []string{"alive"}
	}
	if !slices.Contains(want, how) {
		v.add("the connection ended with %q, want %q", how, want)
	}
	if how != "alive" {
		return false
	}
	h := l.of(nextStream)
	delete(l.streams, nextStream)
	if len(h.answers) != 1 || h.answers[0].start != "200" || h.answers[0].body != "GET /next next.test" {
		v.add("the next request on the connection got %+v", h)
	}
	return true
}

// streams judges what came back on each stream. A stream may be missing when the connection
// ended.
func (v *verdict) streams(c *rawCase, l *listener, all []seen) {
	finals := 0
	for i := range c.answers {
		want := &c.answers[i]
		h := l.streams[want.stream]
		if h == nil || len(h.answers) == 0 {
			if !c.keep && (h == nil || h.reset == "") {
				continue
			}
			if h == nil || !slices.Contains(want.resets, h.reset) {
				v.add("stream %d: %+v, want %v %v", want.stream, h, want.statuses, want.resets)
			}
			continue
		}
		m := h.answers[0]
		h.answers = h.answers[1:]
		status, _ := strconv.Atoi(m.start) // x/net's reader takes digits only
		if status >= 200 {
			m.cut = !h.ended
			if h.reset != "" && h.reset != "NO_ERROR" && !want.cut && !slices.Contains(want.resets, h.reset) {
				v.add("stream %d: an answer, and %s", want.stream, h.reset)
			}
			if own := want.body == "" && !want.anyBody && len(c.script) == 0; own && status == 200 && finals < len(all) {
				if s := &all[finals]; s.method != "HEAD" && m.body != echoOf(s) {
					v.add("stream %d: the body %q is not the echo of %s", want.stream, m.body, s.start)
				}
			}
			finals++
		}
		v.content(c, want, m, status)
	}
	for id, h := range l.streams {
		if len(h.answers) > 0 || !slices.ContainsFunc(c.answers, func(a answer) bool { return a.stream == id }) && h.reset != "" {
			v.add("stream %d: %+v is too much", id, h)
		}
	}
}
