package hardening

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// verdict collects what is wrong with one run of a case.
type verdict struct{ wrong []string }

func (v *verdict) add(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// run plays a case and returns what is wrong with it.
func (e *edge) run(c *rawCase, cut func(string) []string) []string {
	v := &verdict{}
	e.begin(c, cut)
	u, err := e.dial(c)
	if err != nil {
		return []string{err.Error()}
	}
	got, sent := make(chan int, len(c.answers)+1), make(chan struct{})
	go func() {
		defer close(sent)
		u.play(c, cut, got)
	}()
	bodies := v.answers(c, u, got)
	_ = u.Close()
	<-sent
	all, faults, ok := e.o.settled()
	if !ok {
		v.add("the origin is still busy")
	}
	for _, f := range faults {
		v.add("%s", f)
	}
	v.requests(c, all, bodies)
	e.victim(v, c)
	v.blame(c, e.blamed.take())
	return v.wrong
}

// blame says that a fault is the origin's where the client gets 502 or a broken body, and
// nobody's else: a client that could have an origin ejected would have a weapon.
func (v *verdict) blame(c *rawCase, failures []gateway.Failure) {
	theirs := false
	for _, a := range c.answers {
		theirs = theirs || a.cut || slices.Contains(a.statuses, 502)
	}
	theirs = theirs && c.blame != "nobody"
	if theirs != (len(failures) > 0) {
		v.add("held against the origin: %q", failures)
	}
}

// answers reads what the client may get. It returns the bodies of the final answers.
func (v *verdict) answers(c *rawCase, u *user, got chan<- int) (bodies []string) {
	finals := 0
	for i := range c.answers {
		want := &c.answers[i]
		if len(want.statuses) == 0 {
			break // nothing may come
		}
		method := "GET"
		if finals < len(c.seen) {
			method = c.seen[finals].method
		}
		m, status, err := readAnswer(u.br, method)
		if err != nil {
			if !want.cut { // a reset may take the head with it
				v.add("answer %d: %v", i+1, err)
			}
			return bodies
		}
		got <- status
		if status >= 200 {
			finals++
			bodies = append(bodies, m.body)
		}
		v.answer(c, want, m, status, i == len(c.answers)-1)
	}
	if c.raw != "" {
		b := make([]byte, len(c.raw))
		if _, err := io.ReadFull(u.br, b); err != nil || string(b) != c.raw {
			v.add("the client read %q, %v; want %q", b, err, c.raw)
		}
	}
	if c.keep {
		m, status, err := readAnswer(u.br, "GET")
		if err != nil || status != 200 || m.body != "GET /next next.test" {
			v.add("the next request on the connection got %d, %v, %v", status, m, err)
		}
	} else if rest, ok := u.closed(); !ok {
		v.add("the connection goes on, with %q", rest)
	}
	return bodies
}

// answer judges one answer.
func (v *verdict) answer(c *rawCase, want *answer, m *message, status int, last bool) {
	v.content(c, want, m, status)
	closes := m.has("Connection: close")
	if status >= 200 && (closes && (c.keep || !last) || !closes && !c.keep && last && !want.cut) {
		v.add("the client sees %q, and the connection goes on: %v", m.fields, c.keep || !last)
	}
}

// content judges what an answer says, over either protocol.
func (v *verdict) content(c *rawCase, want *answer, m *message, status int) {
	if !slices.Contains(want.statuses, status) {
		v.add("status %d, want %v: %q", status, want.statuses, m.body)
	}
	if m.cut != want.cut {
		v.add("the body is cut: %v, want %v", m.cut, want.cut)
	}
	if want.body != "" && m.body != want.body && (!want.cut || !strings.HasPrefix(want.body, m.body)) {
		v.add("body %.200q, want %.200q", m.body, want.body)
	}
	for _, h := range want.has {
		if !m.has(h) && !slices.Contains(m.trailers, h) {
			v.add("the client does not see %q in %q", h, m.fields)
		}
	}
	for _, h := range want.lack {
		if _, n := m.value(h); n > 0 {
			v.add("the client sees %s in %q", h, m.fields)
		}
	}
	for _, h := range hopByHop {
		if _, n := m.value(h); n > 0 && status != 101 {
			v.add("the client sees %s", h)
		}
	}
	if status < 200 {
		return
	}
	if status >= 400 && len(c.script) == 0 || status == 502 { // an answer of Sluice's own
		for _, want := range []string{fmt.Sprintf("%d ", status), "\nreason: ", "\nrequest id: "} {
			if !strings.Contains(m.body, want) {
				v.add("the answer lacks %q: %q", want, m.body)
			}
		}
	}
	if _, n := m.value("Date"); n != 1 {
		v.add("%d Date fields", n)
	}
}

// requests judges what the origin saw.
func (v *verdict) requests(c *rawCase, all []seen, bodies []string) {
	want := slices.Clone(c.seen)
	if c.keep {
		want = append(want, sight{method: "GET", target: "/next", framing: "none", at: "main"})
	}
	for i := range want {
		w := &want[i]
		if w.maybe { // it may also come behind the next request, which did not wait for it
			at := slices.IndexFunc(all, func(s seen) bool { return s.target == w.target })
			if at < 0 {
				continue
			}
			all = slices.Concat(all[at:at+1], all[:at], all[at+1:])
		}
		if len(all) == 0 {
			if !w.cut {
				v.add("the origin did not see %s %s", w.method, w.target)
			}
			continue
		}
		s := &all[0]
		if w.cut && !s.cut { // it may be missing
			continue
		}
		v.request(w, s)
		if !s.cut && len(c.script) == 0 && i < len(bodies) && c.answers[i].body == "" && !c.answers[i].anyBody &&
			s.method != "HEAD" && len(c.answers) == len(bodies) && bodies[i] != echoOf(s) {
			v.add("request %d got the answer %q", i+1, bodies[i])
		}
		all = all[1:]
	}
	for _, s := range all {
		v.add("the origin saw %s %q, %d bytes of body, cut: %v, on connection %d", s.start, s.fields, len(s.body), s.cut, s.conn)
	}
}

func (v *verdict) request(w *sight, s *seen) {
	if (w.cut || w.maybe) && s.method == "" || w.maybe && s.cut && s.target == w.target {
		return // it does not get further than that
	}
	if s.method != w.method || s.target != w.target || s.at != w.at || s.cut != w.cut {
		v.add("%s saw %s %s, cut: %v; want %s to see %s %s, cut: %v", s.at, s.method, s.target, s.cut, w.at, w.method, w.target, w.cut)
		return
	}
	if s.framing != w.framing || !w.cut && s.body != w.body {
		v.add("the origin saw a body by %s, %.200q; want %s, %.200q", s.framing, s.body, w.framing, w.body)
	}
	for _, h := range w.has {
		if !s.has(h) && !slices.Contains(s.trailers, h) {
			v.add("the origin does not see %q in %q %q", h, s.fields, s.trailers)
		}
	}
	for _, h := range w.once {
		if _, n := s.value(h); n != 1 {
			v.add("the origin sees %d %s in %q", n, h, s.fields)
		}
	}
	for _, h := range w.lack {
		if _, n := s.value(h); n > 0 {
			v.add("the origin sees %s in %q", h, s.fields)
		}
		for _, t := range s.trailers {
			if strings.HasPrefix(strings.ToLower(t), strings.ToLower(h)+":") {
				v.add("the origin sees the trailer %q", t)
			}
		}
	}
}

// A request that the origin sees or not may come behind the next one.
func TestRequestBehindTheNext(t *testing.T) {
	c := &rawCase{keep: true, seen: []sight{{method: "POST", target: "/case", framing: "none", at: "main", maybe: true}}}
	next := seen{message: message{framing: "none"}, method: "GET", target: "/next", at: "main"}
	post := seen{message: message{framing: "none"}, method: "POST", target: "/case", at: "main"}
	for _, all := range [][]seen{{next}, {post, next}, {next, post}} {
		v := &verdict{}
		v.requests(c, all, nil)
		if len(v.wrong) > 0 {
			t.Error(v.wrong)
		}
	}
	v := &verdict{}
	if v.requests(c, []seen{post, next, post}, nil); len(v.wrong) != 1 {
		t.Errorf("a request that comes twice: %q", v.wrong)
	}
}
