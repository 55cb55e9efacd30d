package hardening

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// victim is another user, whose requests come right after the case and must get their own
// answers.
func (e *edge) victim(v *verdict, c *rawCase) {
	if c.kept == "kept" {
		time.Sleep(20 * time.Millisecond) // a client has its answer a moment before the connection to the origin is back in its pool
	}
	u, err := e.dial(c)
	if err != nil {
		v.add("%v", err)
		return
	}
	defer func() { _ = u.Close() }()
	for i := range 2 {
		path := fmt.Sprintf("/victim/%s/%d", strings.Map(plain, c.name), i)
		_, _ = io.WriteString(u, "GET "+path+" HTTP/1.1\r\nHost: victim.test\r\n\r\n") // reading tells
		m, status, err := readAnswer(u.br, "GET")
		if err != nil {
			v.add("another user got no answer: %v", err)
			return
		}
		if status != 200 || m.body != "GET "+path+" victim.test" {
			v.add("another user who asked for %s got %d %q %q", path, status, m.body, m.fields)
		}
	}
	all, faults, _ := e.o.settled()
	if len(faults) > 0 {
		v.add("after another user's requests: %q", faults)
	}
	if kept := usedAgain(all); c.kept != "" && kept != (c.kept == "kept") {
		v.add("the connection to the origin is used again: %v, want it %s", kept, c.kept)
	}
}

// usedAgain says whether a request behind the case came on a connection that the case used.
func usedAgain(all []seen) bool {
	var used []int
	for _, s := range all {
		switch {
		case s.target != "/next" && !strings.HasPrefix(s.target, "/victim/"):
			used = append(used, s.conn)
		case slices.Contains(used, s.conn):
			return true
		}
	}
	return false
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// An origin that sends a second answer when the first one has arrived never has it read by
// the next user, however soon that one comes: each reuse looks first.
func TestStrayAnswers(t *testing.T) {
	e := startEdge(t)
	e.o.told = make(chan struct{})
	e.o.begin([]step{
		{text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, {do: "told"},
		{text: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}, {do: "tell"},
	}, whole, nil)
	u, err := e.dial(&rawCase{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	ask := func(path, want string) {
		t.Helper()
		if _, err := io.WriteString(u, "GET "+path+" HTTP/1.1\r\nHost: own.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if m, status, err := readAnswer(u.br, "GET"); err != nil || status != 200 || m.body != want {
			t.Fatalf("%s: %d, %+v, %v", path, status, m, err)
		}
	}
	for range 200 {
		ask("/case", "hello")
		e.o.told <- struct{}{}
		<-e.o.told // the stray answer has been sent
		ask("/own", "GET /own own.test")
	}
}
