package socket

import (
	"os"
	"syscall"
	"unsafe"
)

// The descriptors are non-blocking, so these calls return at once and the scheduler need
// not be told: RawSyscall saves about 100 ns a call.

func rawRead(fd uintptr, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, syscall.EINVAL
	}
	// Not read and write, which go the long way through the file system's checks.
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

func rawPeek(fd uintptr) (int, syscall.Errno) {
	var b [1]byte
	return rawPeekInto(fd, b[:])
}

// rawPeekInto reads without taking away. b is not empty.
func rawPeekInto(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// pollfd is struct pollfd of poll(2).
type pollfd struct {
	fd              int32
	events, revents int16
}

const pollIn, pollHangUp = 0x1, 0x2000 // POLLIN, POLLRDHUP; errors are told unasked

// rawPoll says without waiting what there is of the descriptors' events.
func rawPoll(list []pollfd) syscall.Errno {
	var now syscall.Timespec
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno
}

// halfClosed says whether the peer has sent its FIN, read or not.
func halfClosed(fd uintptr) bool {
	const timeWait = 6 // of the kernel's TCP states; this one and those after it have seen a FIN or a reset
	state, size := [4]byte{}, uint32(4)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
		uintptr(unsafe.Pointer(&state[0])), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0 && state[0] >= timeWait
}

func rawWrite2(fd uintptr, p, q []byte) (int, syscall.Errno) {
	if len(q) == 0 {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
		return int(n), errno
	}
	vec := [2]syscall.Iovec{{Base: &p[0]}, {Base: &q[0]}}
	vec[0].SetLen(len(p))
	vec[1].SetLen(len(q))
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vec[0])), 2)
	return int(n), errno
}

// edgeTriggered is EPOLLET, which package syscall has as a negative number.
const edgeTriggered = 1 << 31

// rawEpollNow takes events without waiting, and returns how many there were.
func rawEpollNow(set int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(set), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0 // interrupted: the next call has them
	}
	return int(n)
}

// rawRing adds one to an eventfd.
func rawRing(fd uintptr) bool {
	one := uint64(1)
	_, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&one)), 8)
	return errno == 0
}

// rawDup makes another number for a descriptor.
func rawDup(fd uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(n), nil
}
