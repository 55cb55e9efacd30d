package socket

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// loop watches descriptors and tells those who wait for them, in the order in which something
// happened: Go's own poller hands out the last event first, which makes the waits of a busy edge
// unequal. A [Watcher] is called by the loop itself, which spares it a goroutine.
//
// There is a loop for each processor (GOMAXPROCS). Its epoll set is in turn watched by Go's
// poller, so that a loop with nothing to do holds no thread.
type loop struct {
	fd     int
	set    syscall.RawConn // of fd
	bell   syscall.RawConn // see letOthers
	rung   bool
	paused bool // there was nothing to do
	events [128]syscall.EpollEvent
	descs  [128]*desc // of the events; nil: closed
	n      int        // how many events there are
	looked int64      // when it was asked last what has happened
	later  []Stepper  // see Later
	spare  []Stepper  // the memory for those that come after them
	again  []Watcher  // see Again
	before []Watcher  // the memory for those that come after them
	// The closures that are given to set and bell are made once.
	awaitFn, ringFn func(fd uintptr) bool
}

// loopTurn is how long a loop goes on before others are looked after, nanoseconds.
const loopTurn = int64(500e3)

// lookEvery is after how many events a loop asks again what has happened, so that it is never
// long ago, see [Turn.Sure].
const lookEvery = 16

var loops struct {
	mu   sync.Mutex
	all  atomic.Pointer[[]*loop]
	next atomic.Uint32
}

// anyLoop is the loop for the next connection. The loops start with the first one.
func anyLoop() (*loop, error) {
	all := loops.all.Load()
	if all == nil {
		var err error
		if all, err = startLoops(); err != nil {
			return nil, err
		}
	}
	return (*all)[loops.next.Add(1)%uint32(len(*all))], nil
}

func startLoops() (*[]*loop, error) {
	loops.mu.Lock()
	defer loops.mu.Unlock()
	if all := loops.all.Load(); all != nil {
		return all, nil
	}
	all := make([]*loop, runtime.GOMAXPROCS(0))
	for i := range all {
		l, err := newLoop()
		if err != nil {
			return nil, err // descriptors have run out; what was made is closed when it is collected
		}
		all[i] = l
	}
	for _, l := range all {
		go l.run()
	}
	loops.all.Store(&all)
	return &all, nil
}

func newLoop() (*loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loop{fd: fd, later: make([]Stepper, 0, lookEvery), spare: make([]Stepper, 0, lookEvery)}
	if l.set, err = polled(fd, "epoll"); err != nil {
		return nil, err
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("eventfd2", errno)
	}
	if l.bell, err = polled(int(bell), "eventfd"); err != nil {
		return nil, err
	}
	l.awaitFn, l.ringFn = l.await, l.ring
	return l, nil
}

// polled has Go's poller watch fd. An os.File has fd from then on, which closes it once nobody
// holds the result.
func polled(fd int, name string) (syscall.RawConn, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name).SyscallConn()
}

// run hands out what happens, for as long as the process lives.
func (l *loop) run() {
	turn := Now()
	for {
		_ = l.set.Read(l.awaitFn) // fails for a closed descriptor only; nobody closes it
		if l.paused {
			turn, l.paused = l.looked, false
		}
		woke := l.handOut(turn + loopTurn)
		if l.looked > turn+loopTurn {
			l.letOthers()
			turn = Now()
		} else if woke {
			runtime.Gosched()
		}
	}
}

// await is called by Go's poller until something has happened.
func (l *loop) await(uintptr) bool {
	if l.look() {
		return true
	}
	l.paused = true
	return false
}

// look takes what has happened, without waiting, and puts it behind what was taken before. That
// something has happened is seen from now on, also by those whose turn is earlier.
func (l *loop) look() bool {
	from := l.n
	l.n += rawEpollNow(l.fd, l.events[from:])
	l.looked = Now()
	for i := from; i < l.n; i++ {
		ev := &l.events[i]
		d := watched.find(ev.Fd)
		if d == nil || d.seq != ev.Pad {
			l.descs[i] = nil // closed meanwhile
			continue
		}
		l.descs[i] = d
		if ev.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			d.ended.Store(true)
		}
		if ev.Events&readable != 0 {
			d.r.note()
		}
	}
	return l.n > 0 || len(l.again) > 0
}

// The events of epoll that end a wait to read, and to write.
const (
	readable = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	writable = syscall.EPOLLOUT | syscall.EPOLLHUP | syscall.EPOLLERR
)

// letOthers lets everything else have its turn, and Go's poller look at the network. Gosched
// would leave that out.
func (l *loop) letOthers() {
	l.rung = false
	_ = l.bell.Read(l.ringFn)
}

// ring is called twice: the first time it makes the event that ends the wait.
func (l *loop) ring(fd uintptr) bool {
	if !l.rung {
		l.rung = rawRing(fd)
		return !l.rung
	}
	return true
}

// handOut tells those who wait, and reports whether one of them is a goroutine. It goes on looking
// until a time, nanoseconds.
func (l *loop) handOut(until int64) (woke bool) {
	t := Turn{l.looked, l}
	again := l.again
	l.again = l.before[:0]
	for i := 0; i < l.n; i++ {
		if i%lookEvery == lookEvery-1 {
			l.stepOn(t)
			if t.Now = Now(); t.Now < until && l.n < len(l.events) {
				l.look()
			}
		}
		d, what := l.descs[i], l.events[i].Events
		if d == nil {
			continue
		}
		l.descs[i] = nil
		if what&readable != 0 && d.r.tell(t) {
			woke = true
		}
		if what&writable != 0 && d.w.tell(t) {
			woke = true
		}
	}
	l.goOn(t, again)
	l.stepOn(t)
	l.n = 0
	return woke
}
