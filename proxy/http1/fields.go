package http1

import "bytes"

// MaxFields is how many fields a head or a trailer section may have.
const MaxFields = 128

// Field is one header field. Its line is b[Name.Start:End], CRLF included.
type Field struct {
	Name, Value Span
	End         uint32
	Key         Key
}

// Fields are the fields of a head or of trailers, in the order of arrival.
type Fields []Field

// add parses the field line b[start:end], which stands without its CRLF.
func (f *Fields) add(b []byte, start, end int) *Error {
	if len(*f) >= MaxFields {
		return ErrTooManyFields
	}
	if b[start] == ' ' || b[start] == '\t' {
		return ErrFold
	}
	line, seen := b[start:end], uint8(0)
	n := 0
	for ; n < len(line); n++ {
		c := class[line[n]]
		if c&isToken == 0 {
			break
		}
		seen |= c
	}
	i := start + n
	if n == 0 || i == end || b[i] != ':' {
		return ErrName // this includes a space before the colon, RFC 9112 section 5.1
	}
	value := trim(b, span(i+1, end))
	if !clean(value.Of(b)) {
		return ErrControl
	}
	*f = append(*f, Field{
		Name: span(start, i), Value: value, End: uint32(end + 2),
		Key: keyOf(line[:n], seen&isUnderscore != 0),
	})
	return nil
}

// lines walks through the lines of a head as they arrive.
type lines struct {
	next int // where the first unparsed line starts
	seen int // how far its end has been looked for
}

// line returns the next complete line without its CRLF. ok is false when it has not
// arrived yet.
func (l *lines) line(b []byte) (start, end int, ok bool, err *Error) {
	i := bytes.IndexByte(b[l.seen:], '\n')
	if i < 0 {
		l.seen = len(b)
		return 0, 0, false, nil
	}
	start, end = l.next, l.seen+i-1
	if end < start || b[end] != '\r' {
		return 0, 0, false, ErrBareLF
	}
	l.next = end + 2
	l.seen = l.next
	return start, end, true, nil
}

// options reads a Connection field: the options that steer a connection, and whether it
// names anything else, which is then not passed on.
func (c *Options) options(b []byte, s Span) *Error {
	for rest := s; ; {
		item := rest
		if i := bytes.IndexByte(rest.Of(b), ','); i >= 0 {
			item.End = rest.Start + uint32(i)
		}
		o := trim(b, item)
		for _, ch := range o.Of(b) {
			if !is(ch, isToken) {
				return ErrConnection
			}
		}
		c.note(o.Of(b))
		if item.End == rest.End {
			return nil
		}
		rest.Start = item.End + 1
	}
}

// Options is what the Connection fields of a message ask for.
type Options struct {
	Close, KeepAlive, Upgrade bool
	// Named: further fields are named, see [NamedBy].
	Named bool
}

func (c *Options) note(o []byte) {
	switch {
	case len(o) == 0: // an empty list element, RFC 9110 section 5.6.1.2
	case fold(o, "close"):
		c.Close = true
	case fold(o, "keep-alive"):
		c.KeepAlive = true
	case fold(o, "upgrade"):
		c.Upgrade = true
	case fold(o, "te"): // TE is never passed on as it came
	default:
		c.Named = true
	}
}

// NamedBy says whether a Connection field in f names the field name, so that it stays on
// this connection (RFC 9110 section 7.6.1).
func (f Fields) NamedBy(b, name []byte) bool {
	for i := range f {
		if f[i].Key != KeyConnection {
			continue
		}
		for rest := f[i].Value.Of(b); ; {
			item, after, more := bytes.Cut(rest, comma)
			if EqualFold(bytes.Trim(item, " \t"), name) {
				return true
			}
			if !more {
				break
			}
			rest = after
		}
	}
	return false
}

var comma = []byte{','}
