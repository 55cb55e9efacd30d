package http1

// Framing says how the end of a body is found.
type Framing uint8

// The framings of RFC 9112 section 6.3.
const (
	NoBody     Framing = iota
	Length             // Content-Length bytes
	ChunkedTE          // Transfer-Encoding: chunked
	UntilClose         // a response that ends with its connection
)

// frame gathers what the framing fields of one head say.
type frame struct {
	length   int64 // -1: none
	chunked  bool
	minor    uint8
	hasCodec bool
}

func (f *frame) note(b []byte, fl *Field) *Error {
	switch fl.Key {
	case KeyContentLength:
		if f.length >= 0 {
			return ErrLengthTwice
		}
		n, ok := decimal(fl.Value.Of(b))
		if !ok {
			return ErrLength
		}
		f.length = n
	case KeyTransferEncoding:
		if f.hasCodec {
			return ErrCodingTwice
		}
		f.hasCodec = true
		if !fold(fl.Value.Of(b), "chunked") {
			return ErrCoding
		}
		f.chunked = true
	}
	return nil
}

// check refuses what could be framed in two ways, RFC 9112 section 6.1 and 6.3.
func (f *frame) check() *Error {
	switch {
	case f.chunked && f.length >= 0:
		return ErrLengthCoding
	case f.chunked && f.minor == 0:
		return ErrCodingOld
	}
	return nil
}

// decimal reads 1 to 18 digits. A leading zero is refused: some parsers read octal.
func decimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
