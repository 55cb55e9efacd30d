package proxy

import (
	"github.com/sluice-gateway/sluice/proxy/http2"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// link is the way to an endpoint: a connection of HTTP/1.1, or a stream of HTTP/2. The zero
// value leads nowhere.
type link struct {
	conn   *socket.Conn
	stream *http2.Stream
}

// open says whether the link leads somewhere.
func (l *link) open() bool { return l.conn != nil || l.stream != nil }

// Interrupt ends a wait for the endpoint's answer, and every later one.
func (l *link) Interrupt() {
	if l.stream != nil {
		l.stream.Interrupt()
	} else if l.conn != nil {
		l.conn.Interrupt()
	}
}

// interruptWrite ends a wait for the endpoint to take something.
func (l *link) interruptWrite() {
	if l.stream != nil {
		l.stream.InterruptWrite()
	} else {
		l.conn.InterruptWrite()
	}
}

// readHead reads bytes of the answer's head until the deadline.
func (l *link) readHead(p []byte, by int64) (int, error) {
	if l.stream != nil {
		return l.stream.ReadHead(p, by)
	}
	l.conn.SetReadDeadline(by)
	return l.conn.Read(p)
}

// close ends a link that can not be used again.
func (l *link) close() {
	if l.stream != nil {
		l.stream.Finish()
	} else if l.conn != nil {
		_ = l.conn.Close() // the endpoint may be gone already
	}
	*l = link{}
}
