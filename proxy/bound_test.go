package proxy

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// signOnOrigin answers with who is behind the connection, as IIS knows it after NTLM's three
// messages, and with the number of the connection.
func signOnOrigin(t testing.TB) *origin {
	return startOrigin(t, func(o *origin, c net.Conn) {
		br, user, asked, nr := bufio.NewReader(c), "nobody", false, o.opened()
		for {
			head, err := o.readHead(br)
			if err != nil {
				return
			}
			status, more := "200 OK", ""
			switch {
			case strings.Contains(head, "\r\nAuthorization: NTLM one\r\n"):
				status, more, asked = "401 Unauthorized", "WWW-Authenticate: NTLM two\r\n", true
			case strings.Contains(head, "\r\nAuthorization: NTLM three\r\n") && asked,
				strings.Contains(head, "\r\nauthorization: Negotiate\tticket\r\n"):
				user = "alice"
			}
			text := fmt.Sprintf("%s %d", user, nr)
			_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, more, len(text), text)
		}
	})
}

// TestSignedOnConnection: what a client signs on to over a connection of an endpoint is that client's
// alone, and stays with it.
func TestSignedOnConnection(t *testing.T) {
	origins := []*origin{signOnOrigin(t), signOnOrigin(t), signOnOrigin(t)}
	e := before(t, origins...)
	alice, bob := e.dial(t), e.dial(t)
	ask := func(c *client, fields string) string {
		t.Helper()
		c.send("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")
		_, text := c.answer("GET")
		return strings.Fields(text)[0]
	}
	for range 3 { // kept connections to all of them
		ask(bob, "")
	}
	ask(alice, "Authorization: NTLM one\r\n")
	if got := ask(alice, "Authorization: NTLM three\r\n"); got != "alice" {
		t.Errorf("signed on as %s", got)
	}
	for range 4 {
		if got := ask(alice, ""); got != "alice" {
			t.Errorf("later alice is %s", got)
		}
		if got := ask(bob, ""); got != "nobody" {
			t.Errorf("bob is %s", got)
		}
	}
	_ = alice.Close()
	eventually(t, "her connection is closed with her own", func() bool {
		e.conns.mu.Lock()
		defer e.conns.mu.Unlock()
		return len(e.conns.open) == 1
	})
	for range 6 {
		if got := ask(bob, ""); got != "nobody" {
			t.Errorf("after alice left, bob is %s", got)
		}
	}
}

// TestSignedOnAtOnce: Kerberos needs one message. An endpoint that has left the upstream is asked no more.
func TestSignedOnAtOnce(t *testing.T) {
	o, other := signOnOrigin(t), signOnOrigin(t)
	e := before(t, o)
	alice := e.dial(t)
	alice.send("GET / HTTP/1.1\r\nHost: x\r\nauthorization: Negotiate\tticket\r\n\r\n")
	if _, text := alice.answer("GET"); text != "alice 1" {
		t.Fatalf("signed on: %s", text)
	}
	if _, text := alice.get("/"); text != "alice 1" {
		t.Errorf("later: %s", text)
	}
	if _, text := e.dial(t).get("/"); text != "nobody 2" {
		t.Errorf("somebody else: %s", text)
	}
	e.Apply(snap([]string{other.addr}, nil))
	if _, text := alice.get("/"); text != "nobody 1" {
		t.Errorf("at another endpoint: %s", text)
	}
}
