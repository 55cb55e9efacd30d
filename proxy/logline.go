package proxy

import (
	"strconv"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// appendLine appends one JSON object and a line feed.
func appendLine(b []byte, x *exchange, now int64) []byte {
	b = append(b, `{"time":"`...)
	b = x.c.p.access.appendTime(b, now)
	b = append(b, `","id":"`...)
	b = append(appendID(b, x.requestID()), '"')
	b = append(b, `,"listener":`...)
	b = quote(b, x.c.l.Name)
	b = x.appendClient(append(b, `,"client":`...))
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
	b = appendSeconds(append(b, `,"duration":`...), now-x.startedAt)
	if x.queued > 0 {
		b = appendSeconds(append(b, `,"queued":`...), x.queued)
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
	if x.generation > 0 {
		b = append(b, `,"generation":`...)
		b = strconv.AppendUint(b, x.generation, 10)
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

// appendClient appends who asked, as a JSON string: the peer, or whom a trusted peer names
// last.
func (x *exchange) appendClient(dst []byte) []byte {
	if x.c.trusted && !x.headless {
		fields, b := x.req().Fields, x.head()
		for i := len(fields) - 1; i >= 0; i-- {
			if fields[i].Key == http1.KeyXForwardedFor {
				return quote(dst, lastItem(fields[i].Value.Of(b)))
			}
		}
	}
	return append(x.c.peer().WithZone("").AppendTo(append(dst, '"')), '"')
}

func lastItem(list []byte) []byte {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == ',' || list[i] == ' ' {
			return list[i+1:]
		}
	}
	return list
}

// stamp is the text of a second.
type stamp struct {
	second int64
	text   [len("2006-01-02T15:04:05")]byte
}

// appendTime appends now in RFC 3339, with milliseconds. The date is made once a second.
func (l *accessLog) appendTime(b []byte, now int64) []byte {
	t := socket.Time(now)
	st := l.stamp.Load()
	if second := t.Unix(); st == nil || st.second != second {
		st = &stamp{second: second}
		t.UTC().AppendFormat(st.text[:0], "2006-01-02T15:04:05")
		l.stamp.Store(st)
	}
	return append(appendPadded(append(append(b, st.text[:]...), '.'), t.Nanosecond()/1e6, 3), 'Z')
}

// appendSeconds appends nanoseconds as seconds, with six digits behind the point.
func appendSeconds(b []byte, ns int64) []byte {
	us := max(ns, 0) / 1000
	return appendPadded(append(strconv.AppendInt(b, us/1e6, 10), '.'), int(us%1e6), 6)
}

// appendPadded appends n with so many digits, which are enough.
func appendPadded(b []byte, n, digits int) []byte {
	b = append(b, "000000"[:digits]...)
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// plain are the bytes that stand in a JSON string as they are.
var plain = func() (p [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// quote appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func quote[T string | []byte](b []byte, s T) []byte {
	n := 0
	for n < len(s) && plain[s[n]] {
		n++
	}
	b = append(append(b, '"'), s[:n]...)
	if n < len(s) {
		b = escape(b, s[n:])
	}
	return append(b, '"')
}

func escape[T string | []byte](b []byte, s T) []byte {
	const digits = "0123456789abcdef"
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case plain[c]:
			b = append(b, c)
			i++
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < utf8.RuneSelf:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			i++
		default:
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return b
}
