package proxyproto

// signature begins a header of version 2 (section 2.2). No HTTP request and no TLS hello
// begins like it.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

const prefix1 = "PROXY "

// shortest is the length of the shortest header, "PROXY UNKNOWN\r\n".
const shortest = 15

// Need returns how many bytes after b are certain to belong to the header, at least; 0 when b
// holds a whole one. A caller that reads exactly as many, and asks again, stops at the
// header's end. Bytes that no header begins with are refused at the first of them that
// tells.
func Need(b []byte) (int, error) {
	switch {
	case begins(b, signature):
		return need2(b)
	case begins(b, prefix1):
		return need1(b)
	}
	return 0, ErrNone
}

// Begins says whether b, the first bytes of a connection, is the start of a PROXY header and
// long enough to tell.
func Begins(b []byte) bool {
	return len(b) >= len(prefix1) && (begins(b, prefix1) || begins(b, signature))
}

// begins says whether b begins with s, or is the beginning of it.
func begins(b []byte, s string) bool {
	n := min(len(b), len(s))
	return string(b[:n]) == s[:n]
}

// Parse reads the header that b begins with and returns its size in bytes. ErrShort means
// that more bytes are needed.
func Parse(b []byte) (Header, int, error) {
	need, err := Need(b)
	if err != nil {
		return Header{}, 0, err
	}
	if need > 0 {
		return Header{}, 0, ErrShort
	}
	if b[0] == 'P' {
		return parse1(b)
	}
	return parse2(b)
}
