package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// echoOf is what the origin answers to a request that has no script.
func echoOf(s *seen) string {
	host, _ := s.value("Host")
	return s.method + " " + s.target + " " + host
}

func echo(c net.Conn, s *seen) error {
	text := echoOf(s)
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(text))
	if s.method == "HEAD" {
		text = ""
	}
	_, err := io.WriteString(c, head+text)
	return err
}

// play performs the script. It reports whether the connection goes on.
func (o *origin) play(c net.Conn, br *bufio.Reader, script []step, cut func(string) []string) bool {
	var text strings.Builder
	flush := func() {
		for piece := range slowly(cut(text.String())) {
			if _, err := io.WriteString(c, piece); err != nil {
				return // the proxy may close as soon as it has seen enough
			}
		}
		text.Reset()
	}
	for _, s := range script {
		switch s.do {
		case "":
			text.WriteString(s.text)
			continue
		}
		flush()
		switch s.do {
		case "told":
			<-o.told
		case "tell":
			o.told <- struct{}{}
		case "pause":
			time.Sleep(30 * time.Millisecond)
		case "close":
			return false
		case "reset":
			_ = c.(*net.TCPConn).SetLinger(0)
			return false
		case "expect":
			b := make([]byte, len(s.text))
			if _, err := io.ReadFull(br, b); err != nil || string(b) != s.text {
				o.fault("the origin read %q, %v; want %q", b, err, s.text)
				return false
			}
		default:
			o.fault("unknown step %q", s.do)
		}
	}
	flush()
	return true
}
