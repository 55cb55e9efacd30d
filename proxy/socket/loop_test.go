package socket

import (
	"crypto/tls"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without a descriptor to spare a connection stays as it is, and works.
func TestAttachWithoutDescriptors(t *testing.T) {
	first, _ := pair(t, true)
	if !first.Attach() { // the loops have started
		t.Fatal("can not be attached")
	}
	t.Cleanup(func() { _ = first.Close() })
	c, far := pair(t, true)
	withDescriptors(t, 3, func() {
		if c.Attach() {
			t.Error("it is attached")
		}
	})
	_, _ = io.WriteString(far, "x")
	c.SetReadDeadline(Now() + int64(20*time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// withDescriptors calls f while no descriptor can be opened whose number is not below most.
func withDescriptors(t *testing.T, most int, f func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(most), Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	f()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// A loop that can not be made closes its descriptors once: the number may be somebody else's soon.
func TestLoopWithoutDescriptors(t *testing.T) {
	held, _ := pair(t, true) // Go's poller has started
	next, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Close(next)
	withDescriptors(t, next+1, func() { // room for one
		if _, err := newLoop(); err == nil {
			t.Error("there is a loop")
		}
	})
	var others []int
	for range 3 {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, fd)
	}
	for range 5 {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	for _, fd := range others {
		if err := syscall.Close(fd); err != nil {
			t.Errorf("descriptor %d has been closed by somebody else: %v", fd, err)
		}
	}
	runtime.KeepAlive(held)
}

// A peer that takes nothing does not make ReadNow wait when crypto/tls has something to tell it.
func TestReadNowWritesWithoutWaiting(t *testing.T) {
	c, client := tlsPair(t, tls.VersionTLS13)
	if !c.Attach() {
		t.Fatal("can not be attached")
	}
	t.Cleanup(func() { _ = c.Close() })
	piece := make([]byte, 64<<10)
	for full := 0; full < 20; { // until there is no room for good; the client never looks at it
		if left, _ := c.push(piece, nil); len(left) < len(piece) {
			full = 0
			continue
		}
		full++
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := client.NetConn().Write([]byte("\x17\x03\x03\x00\x20 no record that anybody has sealed")); err != nil {
		t.Fatal(err)
	}
	c.SetWriteDeadline(Now() + int64(20*time.Second))
	began, n, p := time.Now(), Nothing, make([]byte, 100)
	until(t, func() bool { n = c.ReadNow(p); return n != Nothing })
	if took := time.Since(began); n != Failed || took > 10*time.Second {
		t.Errorf("%d, after %v", n, took)
	}
}

// stepper makes steps, and notes each.
type stepper struct {
	turn  *Turn
	name  string
	steps int
	made  *[]string
}

func (s *stepper) Step(Turn) {
	*s.made = append(*s.made, s.name)
	if s.steps--; s.steps > 0 && !s.turn.Later(s) {
		*s.made = append(*s.made, "refused")
	}
}

// Steps of one kind come one after the other, as many as there is room for.
func TestLater(t *testing.T) {
	l := &loop{later: make([]Stepper, 0, lookEvery), spare: make([]Stepper, 0, lookEvery)}
	turn, made := &Turn{loop: l}, []string{}
	for _, s := range []stepper{{name: "a", steps: 3}, {name: "b", steps: 1}, {name: "c", steps: 2}} {
		s.turn, s.made = turn, &made
		if !turn.Later(&s) {
			t.Fatal("there is no room")
		}
	}
	l.stepOn(*turn)
	if got := strings.Join(made, ""); got != "abcaca" {
		t.Errorf("steps %s", got)
	}
	for _, kept := range [][]Stepper{l.later[:lookEvery], l.spare[:lookEvery]} {
		if slices.ContainsFunc(kept, func(s Stepper) bool { return s != nil }) {
			t.Errorf("is kept: %v", kept)
		}
	}
	last := &stepper{turn: turn, steps: 1, made: &made}
	for range lookEvery {
		if !turn.Later(last) {
			t.Fatal("there is no room")
		}
	}
	if turn.Later(last) || (&Turn{}).Later(last) {
		t.Error("there is room without end, or without a loop")
	}
}
