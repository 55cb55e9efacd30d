package socket

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// SpliceMin is the number of bytes from which moving them inside the kernel is worth its
// set-up.
const SpliceMin = 128 << 10

// pipeSize is how much a pipe holds: fewer wake-ups for large bodies.
const pipeSize = 256 << 10

const (
	spliceMove     = 1
	spliceNonblock = 2
	setPipeSize    = 1031 // F_SETPIPE_SZ
)

// pipe is a kernel buffer between two sockets.
type pipe struct {
	r, w  int
	holds int
}

// pipes keeps a few empty pipes: making one costs three system calls.
var pipes struct {
	mu   sync.Mutex
	free []*pipe
}

func getPipe() (*pipe, error) {
	pipes.mu.Lock()
	if n := len(pipes.free); n > 0 {
		p := pipes.free[n-1]
		pipes.free = pipes.free[:n-1]
		pipes.mu.Unlock()
		return p, nil
	}
	pipes.mu.Unlock()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	// Refused beyond the user's quota: the default size works, too.
	_, _, _ = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fds[0]), setPipeSize, pipeSize)
	return &pipe{r: fds[0], w: fds[1]}, nil
}

func putPipe(p *pipe) {
	pipes.mu.Lock()
	if p.holds == 0 && len(pipes.free) < 16 {
		pipes.free = append(pipes.free, p)
		pipes.mu.Unlock()
		return
	}
	pipes.mu.Unlock()
	_ = syscall.Close(p.r)
	_ = syscall.Close(p.w)
}

// CanSplice says whether bytes may be moved from c to dst inside the kernel.
func (c *Conn) CanSplice(dst *Conn) bool {
	return c.raw != nil && dst.raw != nil && c.low == nil && dst.low == nil
}

// Splice moves n bytes from c to dst inside the kernel. After each step it calls
// progress with the number of bytes that have been taken from c, so that the deadlines can
// be moved. It returns how many bytes reached dst; readErr is
// c's failure (io.EOF when it ended early) and writeErr is dst's.
func (c *Conn) Splice(dst *Conn, n int64, progress func(taken int64)) (moved int64, readErr, writeErr error) {
	p, err := getPipe()
	if err != nil {
		return 0, err, nil
	}
	defer putPipe(p)
	for moved < n {
		if readErr = c.fillPipe(p, n-moved); readErr != nil {
			return moved, readErr, nil
		}
		taken := moved + int64(p.holds)
		progress(taken)
		for p.holds > 0 {
			k, err := dst.drainPipe(p)
			moved += int64(k)
			if err != nil {
				return moved, nil, err
			}
			progress(taken)
		}
	}
	return moved, nil, nil
}

func (c *Conn) fillPipe(p *pipe, want int64) error {
	for {
		var n int
		var errno error
		err := c.raw.Read(func(fd uintptr) bool {
			for {
				var k int64
				k, errno = syscall.Splice(int(fd), nil, p.w, nil, int(min(want, pipeSize)), spliceMove|spliceNonblock)
				n = int(k)
				switch errno {
				case syscall.EINTR:
					continue
				case syscall.EAGAIN:
					c.waitRead()
					return false
				}
				return true
			}
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = c.readTimeout(); err == nil {
				continue
			}
			return err
		case err != nil:
			return err
		case errno != nil:
			return os.NewSyscallError("splice", errno)
		case n == 0:
			return io.EOF
		}
		if c.in.pace.counts() {
			c.in.pace.end(n)
		}
		p.holds = n
		return nil
	}
}

// drainPipe moves some of what p holds to c.
func (c *Conn) drainPipe(p *pipe) (int, error) {
	for {
		var n int
		var errno error
		err := c.raw.Write(func(fd uintptr) bool {
			for {
				var k int64
				k, errno = syscall.Splice(p.r, nil, int(fd), nil, p.holds, spliceMove|spliceNonblock)
				n = int(k)
				switch errno {
				case syscall.EINTR:
					continue
				case syscall.EAGAIN:
					c.waitWrite(fd)
					return false
				}
				return true
			}
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = c.writeTimeout(); err == nil {
				continue
			}
			return 0, err
		case err != nil:
			return 0, err
		case errno != nil:
			return 0, os.NewSyscallError("splice", errno)
		}
		p.holds -= n
		c.wrote(n)
		return n, nil
	}
}
