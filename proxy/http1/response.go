package http1

import "bytes"

// Response is the head of a response as spans of the buffer it was parsed from. The zero
// value is ready; call Reset before the next head.
type Response struct {
	Status  int
	Reason  Span // may be empty
	Minor   uint8
	Fields  Fields
	Options Options
	Framing Framing
	// Length is the Content-Length, -1 when there is none. A response without a body
	// (HEAD, 304) may carry one.
	Length int64
	// WebSocket: the response says that it switches to WebSocket.
	WebSocket bool
	// Keeps is for how many seconds the origin keeps the connection when it is idle, as it says
	// (Keep-Alive: timeout=5); 0: it does not.
	Keeps int64
	// HasDate: the origin gave a Date.
	HasDate bool
	// Size is the number of bytes of the head once Parse is done.
	Size int

	lines
	started bool
}

// Reset makes r ready for the next head and keeps its memory.
func (r *Response) Reset() { *r = Response{Fields: r.Fields[:0]} }

// KeepAlive says whether the origin lets the connection be used again. The end of the body
// has to be found without closing, too.
func (r *Response) KeepAlive() bool {
	return !r.Options.Close && (r.Minor == 1 || r.Options.KeepAlive) && r.Framing != UntilClose
}

// Interim says whether another head follows (1xx other than 101).
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// Parse continues with b, which starts at the first byte of the head and may have grown
// since the last call. method is the request's: a response to HEAD has no body. It
// reports done when the head is complete. An error is final.
func (r *Response) Parse(b []byte, method Method) (done bool, err *Error) {
	for {
		start, end, ok, err := r.line(b)
		switch {
		case err != nil:
			return false, err
		case !ok:
			return false, r.partial(b)
		case r.next > MaxHead:
			return false, ErrHeadTooLarge
		case !r.started:
			r.started = true
			if err := r.statusLine(b, start, end); err != nil {
				return false, err
			}
		case start == end:
			r.Size = r.next
			err = r.finish(b, method)
			return err == nil, err
		default:
			if err := r.Fields.add(b, start, end); err != nil {
				return false, err
			}
		}
	}
}

// partial judges what has arrived of a line, so that noise is not waited upon.
func (r *Response) partial(b []byte) *Error {
	if len(b) > MaxHead {
		return ErrHeadTooLarge
	}
	if !r.started {
		n := min(len(b), len(versionText))
		if string(b[:n]) != versionText[:n] {
			return ErrStatusLine
		}
	}
	return nil
}

const versionText = "HTTP/1."

// statusLine parses "HTTP/1.x SP 3DIGIT [SP reason]", RFC 9112 section 4. The space after
// the code may be missing: common, and only one reading.
func (r *Response) statusLine(b []byte, start, end int) *Error {
	l := b[start:end]
	if len(l) < 12 || string(l[:7]) != versionText || l[7] != '0' && l[7] != '1' || l[8] != ' ' {
		return ErrStatusLine
	}
	for _, c := range l[9:12] {
		if c < '0' || c > '9' {
			return ErrStatusLine
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 || len(l) > 12 && l[12] != ' ' {
		return ErrStatusLine
	}
	if len(l) > 13 {
		r.Reason = span(start+13, end)
		if !clean(r.Reason.Of(b)) {
			return ErrStatusLine
		}
	}
	r.Minor = l[7] - '0'
	return nil
}

// finish judges the head as a whole.
func (r *Response) finish(b []byte, method Method) *Error {
	f := frame{length: -1, minor: r.Minor}
	upgrades := 0
	for i := range r.Fields {
		fl := &r.Fields[i]
		switch fl.Key {
		case KeyOther:
		case KeyContentLength, KeyTransferEncoding:
			if err := f.note(b, fl); err != nil {
				return err
			}
		case KeyConnection:
			if err := r.Options.options(b, fl.Value); err != nil {
				return err
			}
		case KeyUpgrade:
			upgrades++
			r.WebSocket = upgrades == 1 && fold(fl.Value.Of(b), "websocket")
		case KeyKeepAlive:
			r.Keeps = timeout(fl.Value.Of(b))
		case KeyDate:
			r.HasDate = true
		}
	}
	if err := f.check(); err != nil {
		return err
	}
	r.WebSocket = r.WebSocket && r.Options.Upgrade && r.Status == 101
	return r.frame(f, method)
}

// timeout is the parameter of that name of a Keep-Alive field (RFC 2068 section 19.7.1.1), 0 where it
// says nothing that can be used.
func timeout(list []byte) int64 {
	for more := true; more; {
		var item []byte
		item, list, more = bytes.Cut(list, comma)
		name, value, _ := bytes.Cut(bytes.Trim(item, " \t"), equals)
		if n, ok := decimal(value); ok && n < 1<<31 && fold(name, "timeout") {
			return n
		}
	}
	return 0
}

var equals = []byte{'='}

// frame applies RFC 9112 section 6.3.
func (r *Response) frame(f frame, method Method) *Error {
	r.Length = f.length
	switch {
	case r.Status < 200 || r.Status == 204:
		// A length of 0 is a common slip; anything else says that bytes follow which the
		// next response would be read from.
		if f.chunked || f.length > 0 {
			return ErrBodyForbidden
		}
		r.Length = -1
	case r.Status == 304 || method == MethodHead:
	case f.chunked:
		r.Framing = ChunkedTE
	case f.length > 0:
		r.Framing = Length
	case f.length < 0:
		r.Framing = UntilClose
	}
	return nil
}
