package hardening

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// victim is another user, whose requests come right after the case and must get their own
// answers.
func (e *edge) victim(v *verdict, c *rawCase) {
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
