package origin

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// httpOrigin answers every GET with the same bytes. It costs less than the cheapest proxy does:
// an origin that shares its core with the load must not be what limits the proxies, or their p99
// would be that of the core that both of them wait for. So it looks for the ends of heads only,
// and one thread serves all connections.
type httpOrigin struct {
	set    int // of epoll
	answer atomic.Pointer[[]byte]
	served *atomic.Int64
	parts  map[int32][]byte // of heads that have come in part, by descriptor
}

var headEnd = []byte("\r\n\r\n")

func newHTTPOrigin(body string, served *atomic.Int64) (*httpOrigin, error) {
	set, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	o := &httpOrigin{set: set, served: served, parts: map[int32][]byte{}}
	o.renew(body)
	go func() {
		for range time.Tick(time.Second) {
			o.renew(body)
		}
	}()
	go o.run()
	return o, nil
}

// renew makes the answer anew, since it names the time.
func (o *httpOrigin) renew(body string) {
	date := time.Now().UTC().Format(http.TimeFormat)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s",
		date, len(body), body)
	o.answer.Store(&answer)
}

// add takes the connection over.
func (o *httpOrigin) add(nc net.Conn) {
	defer func() { _ = nc.Close() }() // the descriptor is another one
	file, err := nc.(*net.TCPConn).File()
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		return
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<31, Fd: int32(fd)} // edge-triggered
	if syscall.SetNonblock(fd, true) != nil || syscall.EpollCtl(o.set, syscall.EPOLL_CTL_ADD, fd, &ev) != nil {
		_ = syscall.Close(fd)
	}
}

// run serves until the process ends.
func (o *httpOrigin) run() {
	runtime.LockOSThread()
	var events [128]syscall.EpollEvent
	buf := make([]byte, 16<<10)
	for {
		n, err := syscall.EpollWait(o.set, events[:], -1)
		if err != nil {
			continue // interrupted
		}
		for _, ev := range events[:n] {
			if !o.serve(ev, buf) {
				delete(o.parts, ev.Fd)
				_ = syscall.Close(int(ev.Fd))
			}
		}
	}
}

// serve reads and answers what has come. It reports false when the connection is at its end, or when
// something came that is no GET.
func (o *httpOrigin) serve(ev syscall.EpollEvent, buf []byte) bool {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(ev.Fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
		if errno == syscall.EAGAIN {
			return true
		}
		if errno != 0 || n == 0 || !o.reply(ev.Fd, buf[:n]) {
			return false
		}
		if int(n) < len(buf) && ev.Events&syscall.EPOLLRDHUP == 0 {
			return true // there is no more, or there will be another event
		}
	}
}

// reply answers the requests that data ends.
func (o *httpOrigin) reply(fd int32, data []byte) bool {
	if part := o.parts[fd]; part != nil {
		data = append(part, data...)
		delete(o.parts, fd)
	}
	for len(data) > 0 {
		end := bytes.Index(data, headEnd)
		if end < 0 {
			o.parts[fd] = bytes.Clone(data)
			break
		}
		answer := *o.answer.Load()
		if data[0] != 'G' {
			answer = []byte("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		sent, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&answer[0])), uintptr(len(answer)), syscall.MSG_NOSIGNAL, 0, 0)
		if errno != 0 || int(sent) < len(answer) || data[0] != 'G' {
			return false
		}
		o.served.Add(1)
		data = data[end+len(headEnd):]
	}
	return true
}
