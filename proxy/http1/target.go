package http1

import (
	"bytes"
	"net/netip"
)

// target splits the request target (RFC 9112 section 3.2): origin form, absolute form, or
// the asterisk of OPTIONS.
func (r *Request) target(b []byte) *Error {
	t := r.Target.Of(b)
	switch {
	case len(t) == 0:
		return ErrTarget
	case t[0] == '/':
		return r.pathQuery(b, r.Target)
	case len(t) == 1 && t[0] == '*':
		if r.Method != MethodOptions {
			return ErrAsterisk
		}
		r.Asterisk, r.Path = true, r.Target
		return nil
	}
	return r.absoluteForm(b)
}

func (r *Request) absoluteForm(b []byte) *Error {
	t := r.Target.Of(b)
	var skip int
	switch {
	case len(t) > 7 && EqualFold(t[:7], schemeHTTP):
		skip = 7
	case len(t) > 8 && EqualFold(t[:8], schemeHTTPS):
		skip = 8
	default:
		return ErrTarget
	}
	r.absolute = true
	r.Authority = Span{r.Target.Start + uint32(skip), r.Target.End}
	if i := bytes.IndexAny(r.Authority.Of(b), "/?"); i >= 0 {
		r.Authority.End = r.Authority.Start + uint32(i)
	}
	rest := Span{r.Authority.End, r.Target.End}
	if rest.Empty() || b[rest.Start] == '?' {
		// The path is empty: "/" stands for it, and for OPTIONS the asterisk (RFC 9112
		// section 3.2.4).
		r.emptyPath = true
		r.Asterisk = rest.Empty() && r.Method == MethodOptions
	}
	return r.pathQuery(b, rest)
}

var schemeHTTP, schemeHTTPS = []byte("http://"), []byte("https://")

// pathQuery splits s at "?" and checks both parts.
func (r *Request) pathQuery(b []byte, s Span) *Error {
	i := s.Start
	for i < s.End && is(b[i], isPath) {
		if b[i] == '%' && (i+2 >= s.End || !is(b[i+1], isHex) || !is(b[i+2], isHex)) {
			return ErrTarget
		}
		i++
	}
	r.Path = Span{s.Start, i}
	if i < s.End && b[i] != '?' {
		return ErrTarget
	}
	r.Query = Span{i, s.End}
	for ; i < s.End; i++ {
		if !is(b[i], isQuery) {
			return ErrTarget
		}
	}
	return nil
}

// host finds out whom the request is for: one valid Host, and with an absolute target the
// same authority in both places (RFC 9112 section 3.2.2 lets the target win; two answers to
// "which host" are what smuggling lives on, so they have to agree here).
func (r *Request) host(b []byte, f *Field) *Error {
	switch {
	case f == nil && r.Minor == 1:
		return ErrHostMissing
	case f == nil && !r.absolute:
		return nil
	case f != nil:
		if _, ok := splitHost(f.Value.Of(b)); !ok {
			return ErrHost
		}
	}
	if !r.absolute {
		r.Authority = f.Value
	}
	n, ok := splitHost(r.Authority.Of(b))
	if !ok {
		return ErrHost
	}
	if f != nil && r.absolute && !EqualFold(f.Value.Of(b), r.Authority.Of(b)) {
		return ErrHostDiffers
	}
	r.Host = Span{r.Authority.Start, r.Authority.Start + uint32(n)}
	return nil
}

// splitHost checks "host[:port]" and returns the length of the host. A host is a name, an
// IPv4 address, or an IPv6 address in brackets; user information, percent-encoding, an
// empty host and an empty port are refused.
func splitHost(h []byte) (n int, ok bool) {
	if len(h) > 0 && h[0] == '[' {
		n = bytes.IndexByte(h, ']') + 1
		if n < 4 || !ipv6(h[1:n-1]) {
			return 0, false
		}
	} else {
		for n < len(h) && is(h[n], isHost) {
			n++
		}
		if n == 0 || n > 255 || h[0] == '.' || bytes.Contains(h[:n], dots) {
			return 0, false
		}
	}
	return n, n == len(h) || port(h[n:])
}

var dots = []byte("..")

// ipv6 checks an address without a zone: a zone means something on one machine only.
func ipv6(b []byte) bool {
	a, err := netip.ParseAddr(string(b))
	return err == nil && a.Is6() && a.Zone() == ""
}

// port checks ":" and a number from 1 to 65535.
func port(p []byte) bool {
	if p[0] != ':' || len(p) < 2 || len(p) > 6 {
		return false
	}
	n, ok := decimal(p[1:])
	return ok && n > 0 && n < 65536
}

// PathText is the path to match and to send: "/" where an absolute target has none.
func (r *Request) PathText(b []byte) []byte {
	if r.emptyPath || r.Asterisk {
		return slash
	}
	return r.Path.Of(b)
}

var slash = []byte{'/'}
