package match

import (
	"bytes"
	"errors"
)

// ErrPath is returned for a path that origins could read in different ways.
var ErrPath = errors.New("ambiguous path")

// needs marks the bytes that a path in its plain form does not have, besides the pairs
// "//" and "/." that are looked for separately.
var needs = func() (t [256]bool) {
	t['%'], t[';'], t['\\'] = true, true, true
	return t
}()

// Normalise returns the forward form and the match form of a path that starts with "/".
// scratch is memory for both, used and returned grown; a plain path needs none and is
// returned as it is, twice.
func Normalise(path, scratch []byte) (forward, match, grown []byte, err error) {
	if plain(path) {
		return path, path, scratch, nil
	}
	buf := scratch[:0]
	buf, err = forwardForm(buf, path)
	if err != nil {
		return nil, nil, buf, err
	}
	n := len(buf)
	buf, err = matchForm(buf, n)
	if err != nil {
		return nil, nil, buf, err
	}
	return buf[:n:n], buf[n:], buf, nil
}

// plain says whether both forms are the path itself.
func plain(path []byte) bool {
	for i, c := range path {
		if needs[c] || c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
			return false
		}
	}
	return true
}

// forwardForm appends path with unreserved characters decoded and dot segments removed.
func forwardForm(dst, path []byte) ([]byte, error) {
	base := len(dst)
	for len(path) > 0 {
		seg := path[1:] // path starts with "/"
		if i := bytes.IndexByte(seg, '/'); i >= 0 {
			seg = seg[:i]
		}
		last := len(seg)+1 == len(path)
		path = path[1+len(seg):]
		at := len(dst)
		var err error
		if dst, err = decodeUnreserved(append(dst, '/'), seg); err != nil {
			return dst, err
		}
		switch text := dst[at+1:]; {
		case len(text) == 1 && text[0] == '.':
			dst = dst[:at]
		case len(text) == 2 && text[0] == '.' && text[1] == '.':
			up := bytes.LastIndexByte(dst[base:at], '/')
			if up < 0 || base+up+1 == at { // above the root, or over an empty segment
				return dst, ErrPath
			}
			dst = dst[:base+up]
		default:
			continue
		}
		if last { // "/a/." and "/a/b/.." end in a slash
			dst = append(dst, '/')
		}
	}
	return dst, nil
}

// decodeUnreserved appends one segment. Percent-encodings are valid: http1 checked them.
func decodeUnreserved(dst, seg []byte) ([]byte, error) {
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		if c == '\\' {
			return dst, ErrPath
		}
		if c != '%' || i+2 >= len(seg) {
			dst = append(dst, c)
			continue
		}
		v := unhex(seg[i+1])<<4 | unhex(seg[i+2])
		switch {
		case v < 0x20 || v == 0x7f || v == '\\':
			return dst, ErrPath
		case unreserved(v):
			dst = append(dst, v)
		default:
			dst = append(dst, seg[i:i+3]...)
		}
		i += 2
	}
	return dst, nil
}

// matchForm appends the match form of the forward form buf[:n].
func matchForm(buf []byte, n int) ([]byte, error) {
	seg := len(buf) // where the current segment starts, its slash included
	params := false
	for i := 0; i < n; i++ {
		c := buf[i]
		if c == '%' && i+2 < n {
			c = unhex(buf[i+1])<<4 | unhex(buf[i+2])
			i += 2
		}
		switch {
		case c == '/':
			if len(buf) > seg && hidden(buf[seg+1:]) {
				return buf, ErrPath
			}
			params = false
			if len(buf) == seg+1 { // an empty segment: keep one slash
				continue
			}
			seg = len(buf)
			buf = append(buf, '/')
		case params:
		case c == ';':
			params = true
		default:
			buf = append(buf, c)
		}
	}
	if hidden(buf[seg+1:]) || misread(buf[n:]) {
		return buf, ErrPath
	}
	return buf, nil
}

// misread says whether an origin that decodes once more than it should, or that takes
// overlong UTF-8 for ASCII, finds a dot segment, a NUL or a slash that is not there. %25 and
// 8-bit bytes are rare, so most paths are only looked through.
func misread(match []byte) bool {
	dots, only := 0, true // of the segment so far: how many, and nothing else
	for i := 0; i < len(match); i++ {
		c := match[i]
		if c >= 0xc0 && overlong(match[i:]) {
			return true
		}
		if c == '%' && i+2 < len(match) && isHex(match[i+1]) && isHex(match[i+2]) {
			c = unhex(match[i+1])<<4 | unhex(match[i+2])
			i += 2
		}
		switch c {
		case 0:
			return true
		case '/', '\\', ';':
			if only && (dots == 1 || dots == 2) {
				return true
			}
			dots, only = 0, true
		case '.':
			dots++
		default:
			only = false
		}
	}
	return only && (dots == 1 || dots == 2)
}

// overlong says whether b begins with an ASCII character in two, three or four bytes, which
// is no UTF-8 (RFC 3629 section 3) and was a way into many servers.
func overlong(b []byte) bool {
	continues := func(i int, below byte) bool { return i < len(b) && 0x80 <= b[i] && b[i] < below }
	switch b[0] {
	case 0xc0, 0xc1:
		return continues(1, 0xc0)
	case 0xe0:
		return continues(1, 0xa0) && continues(2, 0xc0)
	case 0xf0:
		return continues(1, 0x90) && continues(2, 0xc0) && continues(3, 0xc0)
	}
	return false
}

// hidden says whether a segment of the match form is a dot segment: the plain ones are
// gone, so this one was behind %2f or in front of ";".
func hidden(seg []byte) bool {
	return len(seg) == 1 && seg[0] == '.' || len(seg) == 2 && seg[0] == '.' && seg[1] == '.'
}

func unreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
