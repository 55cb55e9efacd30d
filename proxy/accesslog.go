package proxy

import (
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// logRoom is how many bytes of lines may wait for the writer; further lines are dropped.
const logRoom = 1 << 20

// accessLog collects lines from all connections and writes them in one goroutine.
type accessLog struct {
	w       io.Writer
	log     *slog.Logger
	dropped atomic.Uint64
	wake    chan struct{}
	done    chan struct{}

	mu     sync.Mutex
	lines  []byte // guarded by mu; what waits for the writer
	spare  []byte // guarded by mu; the writer's other buffer
	closed bool   // guarded by mu
}

func newAccessLog(w io.Writer, log *slog.Logger) *accessLog {
	l := &accessLog{w: w, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.write()
	return l
}

// add appends the line of an exchange that ended at now.
func (l *accessLog) add(x *exchange, now int64) {
	l.mu.Lock()
	if l.closed || len(l.lines) > logRoom {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	first := len(l.lines) == 0
	l.lines = appendLine(l.lines, x, now)
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	l.mu.Unlock()
}

// write writes what has collected, in large pieces, until close.
func (l *accessLog) write() {
	defer close(l.done)
	failing := false
	for range l.wake {
		for {
			l.mu.Lock()
			lines := l.lines
			l.lines, l.spare = l.spare[:0], nil
			l.mu.Unlock()
			if len(lines) == 0 {
				l.giveBack(lines)
				break
			}
			_, err := l.w.Write(lines)
			if err != nil && !failing {
				l.log.Error("access log can not be written, lines are lost until it can", "err", err)
			}
			failing = err != nil
			l.giveBack(lines)
		}
	}
}

func (l *accessLog) giveBack(b []byte) {
	l.mu.Lock()
	l.spare = b
	l.mu.Unlock()
}

// close writes what is left and ends the writer.
func (l *accessLog) close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	l.mu.Unlock()
	l.wake <- struct{}{}
	close(l.wake)
	<-l.done
}

// appendLine appends one JSON object and a line feed.
func appendLine(b []byte, x *exchange, now int64) []byte {
	b = append(b, `{"time":"`...)
	b = socket.Time(now).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","id":"`...)
	b = append(appendID(b, x.requestID()), '"')
	b = append(b, `,"listener":`...)
	b = quote(b, x.c.l.Name)
	b = append(b, `,"client":`...)
	b = quote(b, x.client())
	if !x.headless {
		r, h := x.req(), x.head()
		b = quote(append(b, `,"method":`...), r.MethodText.Of(h))
		b = quote(append(b, `,"host":`...), r.Host.Of(h))
		b = quote(append(b, `,"path":`...), r.PathText(h))
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, x.sent(), 10)
	b = append(b, `,"duration":`...)
	b = strconv.AppendFloat(b, time.Duration(now-x.startedAt).Seconds(), 'f', 6, 64)
	if x.queued > 0 {
		b = append(b, `,"queued":`...)
		b = strconv.AppendFloat(b, time.Duration(x.queued).Seconds(), 'f', 6, 64)
	}
	if x.route != nil {
		b = quote(append(b, `,"tenant":`...), x.route.from.Tenant)
		b = quote(append(b, `,"route":`...), x.route.from.Name)
	}
	if x.target != nil && x.target.upstream != nil {
		b = quote(append(b, `,"upstream":`...), x.target.upstream.key.Name)
	}
	if x.ep != nil {
		b = quote(append(b, `,"endpoint":`...), x.ep.key.Address)
	}
	if x.table != nil {
		b = append(b, `,"generation":`...)
		b = strconv.AppendUint(b, x.table.generation, 10)
	}
	if x.failure != "" {
		b = quote(append(b, `,"failure":`...), string(x.failure))
	}
	if x.reason != "" {
		b = quote(append(b, `,"reason":`...), x.reason)
	}
	if x.aborted {
		b = append(b, `,"aborted":true`...)
	}
	return append(b, '}', '\n')
}

// client is who asked: the peer, or whom a trusted peer names last.
func (x *exchange) client() []byte {
	if x.c.trusted && !x.headless {
		fields, b := x.req().Fields, x.head()
		for i := len(fields) - 1; i >= 0; i-- {
			if fields[i].Key == http1.KeyXForwardedFor {
				return lastItem(fields[i].Value.Of(b))
			}
		}
	}
	var text [48]byte
	return x.c.peer.AppendTo(text[:0])
}

func lastItem(list []byte) []byte {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == ',' || list[i] == ' ' {
			return list[i+1:]
		}
	}
	return list
}

// quote appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func quote[T string | []byte](b []byte, s T) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return append(b, '"')
}
