package proxy

import (
	"errors"
	"io"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// tunnel passes on the 101 that the client asked for and then two streams of bytes. A
// snapshot swap does not touch them.
func (x *exchange) tunnel() bool {
	x.status = 101
	x.report("")
	_ = x.front.tunnel(x) // however it ended, it is over
	x.link.close()
	x.letGo()
	x.account(socket.Now())
	return false
}

// end is the client's end of a tunnel.
type end interface {
	// copyTo copies what the client sends until it ends, and tells dst so.
	copyTo(dst *socket.Conn) (int64, error)
	// write sends the client what the endpoint sent, and done that nothing more comes.
	write(p []byte) error
	done() error
	// interrupt ends a wait for the client.
	interrupt()
}

// relayBoth copies both ways until both ends are done or one failed.
func (x *exchange) relayBoth(client end) error {
	uc := x.link.conn
	t := &tunnel{conn: uc, client: client}
	t.frames.pass(x.up.b[x.resp.Size:x.up.n]) // came with the head
	x.ep.drain.add(t)
	defer x.ep.drain.remove(t)
	x.up.release() // a silent tunnel holds no buffer
	uc.SetReadDeadline(0)
	uc.PaceWrites(&x.c.p.takes)
	up := make(chan struct{})
	go func() {
		defer close(up)
		defer func() {
			if x.c.survived(recover()) {
				uc.Interrupt()
			}
		}()
		if _, err := client.copyTo(uc); err != nil {
			uc.Interrupt()
		}
	}()
	n, err := relay(uc, t.write, client.done)
	x.tunnelled = n
	if err != nil {
		client.interrupt()
	}
	<-up
	if t.severed.Load() {
		return errDrained
	}
	return err
}

// socketEnd is the client's end over HTTP/1.1.
type socketEnd struct {
	s     *socket.Conn
	stall int64
}

func (e *socketEnd) interrupt() { e.s.Interrupt() }

func (e *socketEnd) copyTo(dst *socket.Conn) (int64, error) {
	return relay(e.s, func(p []byte) error { return e.send(dst, p) }, dst.CloseWrite)
}

func (e *socketEnd) write(p []byte) error { return e.send(e.s, p) }
func (e *socketEnd) done() error          { return e.s.CloseWrite() }

func (e *socketEnd) send(dst *socket.Conn, p []byte) error {
	dst.SetWriteDeadline(socket.Now() + e.stall)
	_, err := dst.Write(p)
	return err
}

// relay gives what src sends to write until src ends, and then calls done. It borrows a
// buffer only while there is something to copy.
func relay(src *socket.Conn, write func([]byte) error, done func() error) (total int64, err error) {
	var b []byte
	borrow := func() []byte {
		if b == nil {
			b = getBytes(sizeSmall)
		}
		return b
	}
	giveUp := func() {
		if b != nil {
			putBytes(b)
			b = nil
		}
	}
	defer giveUp()
	for {
		n, err := src.ReadInto(borrow, giveUp)
		if err == nil {
			err = write(b[:n])
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, done()
		}
		if err != nil {
			return total, err
		}
	}
}
