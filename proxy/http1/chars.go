package http1

import "encoding/binary"

// The classes of bytes that the grammar tells apart.
const (
	isToken  = 1 << iota // tchar, RFC 9110 section 5.6.2
	isMethod             // what a method may hold: capitals, digits, "-" and "_"
	isPath               // pchar and "/", plus the few marks that browsers send raw
	isQuery              // what a query may hold
	isHost               // what a name or an IPv4 address may hold
	isHex
	isUnderscore
)

// class maps each byte to its classes.
var class = func() (t [256]uint8) {
	set := func(chars string, c uint8) {
		for i := range len(chars) {
			t[chars[i]] |= c
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= isToken | isMethod | isPath | isQuery | isHost | isHex
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] |= isToken | isMethod | isPath | isQuery | isHost
		t[c|0x20] |= isToken | isPath | isQuery | isHost
	}
	set("abcdefABCDEF", isHex)
	set("!#$%&'*+-.^_`|~", isToken)
	set("-_", isMethod)
	// RFC 3986 allows less, but browsers send [ ] { } | ^ ` as they are and no server
	// reads a delimiter in them. Backslash, double quotes, < > and # stay out of a path.
	set("-._~!$&'()*+,;=:@/%[]{}|^`", isPath|isQuery)
	// In a query scripts send quotes, too: curl, which encodes nothing, and what is documented for
	// Prometheus (?match[]=up{job="x"}).
	set("?\\\"", isQuery)
	set("-._", isHost)
	set("_", isUnderscore)
	return t
}()

func is(c byte, classes uint8) bool { return class[c]&classes != 0 }

// clean says whether every byte of b may stand in a field value: no control byte except
// the tab, no DEL. It looks at eight bytes at a time, since this is most of a head.
func clean(b []byte) bool {
	if len(b) < 8 {
		return slow(b)
	}
	last := b[len(b)-8:] // again, in part
	for ; len(b) > 8; b = b[8:] {
		if marked(binary.LittleEndian.Uint64(b)) && !slow(b[:8]) {
			return false
		}
	}
	return !marked(binary.LittleEndian.Uint64(last)) || slow(last)
}

// marked says of eight bytes whether a control byte or DEL may be among them.
func marked(v uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	low := (v - ones*0x20) &^ v              // below 0x20
	del := v ^ ones*0x7f                     // zero where DEL
	return (low|((del-ones)&^del))&high != 0 // may be a borrow, so the caller looks again
}

func slow(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// fold says whether b is lower, ignoring the case of ASCII letters. lower holds letters
// and "-" only, for which setting bit 5 is lower-casing.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if b[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// EqualFold says whether a and b are equal, ignoring the case of ASCII letters.
func EqualFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// trim drops spaces and tabs at both ends of s.
func trim(b []byte, s Span) Span {
	for s.Start < s.End && (b[s.Start] == ' ' || b[s.Start] == '\t') {
		s.Start++
	}
	for s.End > s.Start && (b[s.End-1] == ' ' || b[s.End-1] == '\t') {
		s.End--
	}
	return s
}
