package http1

import "bytes"

// Limits bound a head. A zero field means its default.
type Limits struct {
	Line int // bytes of a request line; default 8 KiB, answered 414
	Head int // bytes of a head; default 64 KiB, answered 431
}

// The default limits of a head, in bytes.
const (
	MaxLine = 8 << 10
	MaxHead = 64 << 10
)

// Request is the head of a request as spans of the buffer it was parsed from. The zero
// value is ready; call Reset before the next head.
type Request struct {
	Method      Method
	MethodText  Span
	Target      Span // as it came
	Path, Query Span // Query starts with "?" or is empty
	// Authority is host and port as the client named them, Host the part before the port.
	Authority, Host Span
	Minor           uint8 // 1 for HTTP/1.1, 0 for HTTP/1.0
	Asterisk        bool  // OPTIONS for the server as a whole
	Fields          Fields
	Options         Options
	Framing         Framing
	Length          int64 // of the body when Framing is Length
	// Continue: the client waits for 100 before it sends the body.
	Continue bool
	// WebSocket: a valid request to become a WebSocket connection.
	WebSocket bool
	// Trailers: the client said that it takes trailers (TE: trailers).
	Trailers bool
	// Personal: the client signs on by NTLM or Negotiate, for the connection and not for this
	// request alone.
	Personal bool
	// Size is the number of bytes of the head once Parse is done.
	Size int

	lines
	started, absolute bool
	emptyPath         bool
}

// Reset makes r ready for the next head and keeps its memory.
func (r *Request) Reset() { *r = Request{Fields: r.Fields[:0]} }

// KeepAlive says whether the client wants to use the connection again.
func (r *Request) KeepAlive() bool {
	return !r.Options.Close && (r.Minor == 1 || r.Options.KeepAlive)
}

// Parse continues with b, which starts at the first byte of the head and may have grown
// since the last call. It reports done when the head is complete. An error is final.
func (r *Request) Parse(b []byte, lim Limits) (done bool, err *Error) {
	if lim.Line == 0 {
		lim.Line = MaxLine
	}
	if lim.Head == 0 {
		lim.Head = MaxHead
	}
	for {
		start, end, ok, err := r.line(b)
		if err != nil {
			return false, err
		}
		if !ok {
			return false, r.tooLong(b, lim)
		}
		switch {
		case !r.started && end == 0 && start == 0:
			// One empty line before the request line is let pass, RFC 9112 section 2.2.
		case !r.started:
			if end-start > lim.Line {
				return false, ErrLineTooLong
			}
			r.started = true
			if err := r.requestLine(b, start, end); err != nil {
				return false, err
			}
		case r.next > lim.Head:
			return false, ErrHeadTooLarge
		case start == end:
			r.Size = r.next
			err = r.finish(b)
			return err == nil, err
		default:
			if err := r.Fields.add(b, start, end); err != nil {
				return false, err
			}
		}
	}
}

// tooLong judges a line that is still on its way.
func (r *Request) tooLong(b []byte, lim Limits) *Error {
	n := len(b) - r.next
	if n > 0 && b[len(b)-1] == '\r' { // the line's end, which does not count, may be half there
		n--
	}
	switch {
	case !r.started && n > lim.Line:
		return ErrLineTooLong
	case len(b) > lim.Head:
		return ErrHeadTooLarge
	case !r.started && len(b) > r.next && b[r.next] != '\r' && !is(b[r.next], isMethod):
		return ErrMethod // TLS or noise: no need to wait for a line end
	}
	return nil
}

// requestLine parses "METHOD SP target SP HTTP/1.x", RFC 9112 section 3.
func (r *Request) requestLine(b []byte, start, end int) *Error {
	i := start
	for i < end && is(b[i], isMethod) {
		i++
	}
	if i == start || i-start > 32 || i == end || b[i] != ' ' {
		return ErrMethod
	}
	r.MethodText = span(start, i)
	r.Method = methodOf(b[start:i])
	last := bytes.LastIndexByte(b[i+1:end], ' ')
	if last < 0 {
		return ErrRequestLine // HTTP/0.9 too
	}
	r.Target = span(i+1, i+1+last)
	minor, err := version(b[i+2+last : end])
	if err != nil {
		return err
	}
	r.Minor = minor
	switch string(r.MethodText.Of(b)) {
	case "CONNECT", "TRACE", "TRACK":
		return ErrMethodRefused
	}
	return r.target(b)
}

func version(v []byte) (minor uint8, err *Error) {
	switch {
	case string(v) == "HTTP/1.1":
		return 1, nil
	case string(v) == "HTTP/1.0":
		return 0, nil
	case len(v) == 8 && string(v[:5]) == "HTTP/" && v[6] == '.' && v[5]-'0' < 10 && v[7]-'0' < 10:
		return 0, ErrVersion
	}
	return 0, ErrRequestLine
}

// finish judges the head as a whole.
func (r *Request) finish(b []byte) *Error {
	f := frame{length: -1, minor: r.Minor}
	var host, upgrade *Field
	upgrades := 0
	for i := range r.Fields {
		fl := &r.Fields[i]
		switch fl.Key {
		case KeyOther:
		case KeyHost:
			if host != nil {
				return ErrHostTwice
			}
			host = fl
		case KeyContentLength, KeyTransferEncoding:
			if err := f.note(b, fl); err != nil {
				return err
			}
		case KeyConnection:
			if err := r.Options.options(b, fl.Value); err != nil {
				return err
			}
		case KeyUpgrade:
			upgrade = fl
			upgrades++
		case KeyExpect:
			if err := r.expect(b, fl); err != nil {
				return err
			}
		case KeyAuthorization:
			r.Personal = r.Personal || signsOn(fl.Value.Of(b))
		case KeyTE:
			r.Trailers = r.Trailers || hasToken(fl.Value.Of(b), "trailers")
		}
	}
	if err := f.check(); err != nil {
		return err
	}
	if err := r.host(b, host); err != nil {
		return err
	}
	r.frame(f)
	r.WebSocket = upgrades == 1 && r.Options.Upgrade && r.Method == MethodGet && r.Minor == 1 &&
		r.Framing == NoBody && fold(upgrade.Value.Of(b), "websocket")
	r.Continue = r.Continue && r.Framing != NoBody
	return nil
}

func (r *Request) frame(f frame) {
	switch {
	case f.chunked:
		r.Framing = ChunkedTE
	case f.length > 0:
		r.Framing, r.Length = Length, f.length
	}
}

// expect takes 100-continue; an HTTP/1.0 client can not mean it (RFC 9110 section 10.1.1).
func (r *Request) expect(b []byte, e *Field) *Error {
	if r.Minor == 0 {
		return nil
	}
	if !EqualFold(e.Value.Of(b), continueText) {
		return ErrExpect
	}
	r.Continue = true
	return nil
}

var continueText = []byte("100-continue")

// signsOn says whether credentials begin as those of the schemes that servers keep with the connection:
// NTLM, Negotiate and Nego2 (RFC 4559), CredSSP, Kerberos. What follows does not matter: servers end the
// scheme in different ways.
func signsOn(credentials []byte) bool {
	for _, scheme := range [...]string{"ntlm", "nego", "credssp", "kerberos"} {
		if len(credentials) >= len(scheme) && fold(credentials[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// hasToken says whether the comma-separated list holds the token.
func hasToken(list []byte, token string) bool {
	for {
		item, rest, more := bytes.Cut(list, comma)
		if fold(bytes.Trim(item, " \t"), token) {
			return true
		}
		if !more {
			return false
		}
		list = rest
	}
}
