package proxy

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// logRoom is how many bytes of lines may wait for the writer; further lines are dropped.
	logRoom = 1 << 20
	// logFlush is how many make it write at once, and logDelay how long fewer wait for
	// company: a write for each line costs more than the line.
	logFlush = 128 << 10
	logDelay = 20 * time.Millisecond
)

// accessLog collects lines from all connections and writes them in one goroutine.
type accessLog struct {
	w       io.Writer
	log     *slog.Logger
	dropped atomic.Uint64
	first   chan struct{} // there is a line
	many    chan struct{} // there are logFlush bytes of them
	done    chan struct{}
	stamp   atomic.Pointer[stamp] // the second of the last line

	mu     sync.Mutex
	lines  []byte // guarded by mu; what waits for the writer
	spare  []byte // guarded by mu; the writer's other buffer
	closed bool   // guarded by mu
}

func newAccessLog(w io.Writer, log *slog.Logger) *accessLog {
	l := &accessLog{w: w, log: log, first: make(chan struct{}, 1), many: make(chan struct{}, 1), done: make(chan struct{})}
	go l.write()
	return l
}

// add takes a line.
func (l *accessLog) add(line []byte) {
	l.mu.Lock()
	had := len(l.lines)
	if l.closed || had > logRoom {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	l.lines = append(l.lines, line...)
	if had == 0 {
		signal(l.first)
	}
	if had < logFlush && len(l.lines) >= logFlush {
		signal(l.many)
	}
	l.mu.Unlock()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write writes what has collected, in large pieces, until close.
func (l *accessLog) write() {
	defer close(l.done)
	delay := time.NewTimer(logDelay)
	defer delay.Stop()
	failing, open := false, true
	for open {
		<-l.first
		delay.Reset(logDelay)
		select {
		case _, open = <-l.many:
		case <-delay.C:
		}
		l.mu.Lock()
		lines := l.lines
		l.lines, l.spare = l.spare[:0], nil
		l.mu.Unlock()
		var err error
		if len(lines) > 0 {
			_, err = l.w.Write(lines)
		}
		if err != nil && !failing {
			l.log.Error("access log can not be written, lines are lost until it can", "err", err)
		}
		failing = err != nil
		l.mu.Lock()
		l.spare = lines
		l.mu.Unlock()
	}
}

// close writes what is left and ends the writer.
func (l *accessLog) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.many)
		close(l.first)
	}
	l.mu.Unlock()
	<-l.done
}
