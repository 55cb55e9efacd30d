package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// refusedPause keeps a closed loop from spinning while nothing can be connected to.
const refusedPause = 5 * time.Millisecond

// client is one connection of the load and what it counted. One goroutine uses it.
type client struct {
	config  Config
	address string
	request *http.Request
	wire    []byte // the request as it is sent
	tally   *tally

	conn   net.Conn // nil when there is none
	reader *bufio.Reader
}

func newClient(c Config, address string) *client {
	r, err := http.NewRequest(http.MethodGet, c.URL, nil)
	if err != nil {
		panic("load: " + err.Error()) // complete has parsed the URL
	}
	if c.Host != "" {
		r.Host = c.Host
	}
	for name, values := range c.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		panic("load: " + err.Error()) // a buffer takes everything, so a header is not valid
	}
	return &client{config: c, address: address, request: r, wire: wire.Bytes(), tally: newTally()}
}

// run sends requests until the schedule or ctx ends, and closes the connection.
func (c *client) run(ctx context.Context, s *schedule) {
	for {
		due, ok := s.wait(ctx)
		if !ok {
			break
		}
		a := c.exchange()
		a.Due, a.End = due, time.Now()
		c.tally.count(a)
		if c.config.Observe != nil {
			c.config.Observe(a)
		}
		if c.conn == nil && a.Failure != "" {
			time.Sleep(refusedPause)
		}
	}
	c.noticeClose()
	c.drop()
}

// exchange sends one request and judges the answer.
func (c *client) exchange() Answer {
	deadline := time.Now().Add(c.config.Timeout)
	c.noticeClose()
	if c.conn == nil {
		if err := c.connect(deadline); err != nil {
			return Answer{Failure: reason("connect", err)}
		}
	}
	_ = c.conn.SetDeadline(deadline)
	if _, err := c.conn.Write(c.wire); err != nil {
		c.closedByServer(err)
		return Answer{Failure: reason("send", err)}
	}
	answer, err := c.readHead()
	if err != nil {
		c.closedByServer(err)
		return Answer{Failure: reason("read the answer's head", err)}
	}
	a := Answer{Status: answer.StatusCode, Header: answer.Header}
	body, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		c.closedByServer(err)
		a.Failure = reason("read the answer's body", err)
		return a
	case answer.StatusCode != c.config.Status:
		a.Failure = fmt.Sprintf("status %d, want %d", answer.StatusCode, c.config.Status)
	case c.config.Body != "" && string(body) != c.config.Body:
		a.Failure = fmt.Sprintf("body %.40q, want %.40q", body, c.config.Body)
	}
	if answer.Close {
		c.tally.closed++
		c.drop()
	}
	return a
}

// readHead reads the head of the final answer, past interim ones (RFC 9110, 15.2).
func (c *client) readHead() (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(c.reader, c.request)
		if err != nil || answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, err
		}
	}
}

func (c *client) connect(deadline time.Time) error {
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", c.address)
	if err != nil {
		return err
	}
	c.tally.opened++
	c.conn, c.reader = conn, bufio.NewReaderSize(conn, 4096)
	return nil
}

// closedByServer drops the connection after err and counts it, unless it was we who had
// waited long enough or could not read the answer.
func (c *client) closedByServer(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		c.tally.closed++
	}
	c.drop()
}

// noticeClose looks whether the server has closed the waiting connection, without waiting
// and without taking bytes out of it. Bytes that nobody asked for count as closed too: the
// connection is of no use any more.
func (c *client) noticeClose() {
	if c.conn == nil {
		return
	}
	_ = c.conn.SetDeadline(time.Time{}) // the last request's must not end this look
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		c.drop()
		return
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
		return true
	})
	if err != nil || !quiet || c.reader.Buffered() > 0 {
		c.tally.closed++
		c.drop()
	}
}

func (c *client) drop() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// reason names a failure in words that are the same for every connection, so that they can
// be counted.
func reason(step string, err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return step + ": time is up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return step + ": refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return step + ": connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return step + ": connection closed"
	}
	return step + ": " + err.Error()
}
