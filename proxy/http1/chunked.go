package http1

import "bytes"

// The limits of a chunked body besides its data.
const (
	maxChunkLine = 256       // bytes of one size line, extensions included
	maxTrailers  = 16 << 10  // bytes of the trailer section
	maxOverhead  = 256 << 10 // bytes of extensions in one body
)

// Event is what Chunked.Next found.
type Event uint8

// The events of a chunked body.
const (
	More Event = iota // more bytes are needed
	Data              // a piece of the body
	End               // the body is complete; see Chunked.Trailers
)

// Chunked walks through a chunked body (RFC 9112 section 7.1) in the caller's buffer. The
// zero value is ready for a body; call Reset before the next one.
type Chunked struct {
	// Trailers holds the fields after the last chunk, as spans of the piece that Next
	// consumed with End.
	Trailers Fields

	state    chunkState
	remain   int64
	overhead int
	lines
}

type chunkState uint8

const (
	inSize chunkState = iota
	inData
	inDataEnd
	inTrailers
	atEnd
)

// Reset makes c ready for the next body and keeps its memory.
func (c *Chunked) Reset() { *c = Chunked{Trailers: c.Trailers[:0]} }

// Remain is the number of bytes left in the chunk whose data is being read.
func (c *Chunked) Remain() int64 { return c.remain }

// Next looks at b, the unconsumed bytes. It returns the event, the body piece (an alias of
// b) for Data, and the number of bytes consumed: the caller drops them and calls again.
// With More and nothing consumed the caller appends bytes to b. An error is final.
func (c *Chunked) Next(b []byte) (ev Event, piece []byte, n int, err *Error) {
	for {
		switch c.state {
		case inSize:
			used, err := c.size(b[n:])
			if err != nil || used == 0 {
				return More, nil, n, err
			}
			n += used
		case inData:
			piece = b[n:]
			if int64(len(piece)) > c.remain {
				piece = piece[:c.remain]
			}
			if len(piece) == 0 {
				return More, nil, n, nil
			}
			c.remain -= int64(len(piece))
			if c.remain == 0 {
				c.state = inDataEnd
			}
			return Data, piece, n + len(piece), nil
		case inDataEnd:
			rest := b[n:]
			if len(rest) > 0 && rest[0] != '\r' || len(rest) > 1 && rest[1] != '\n' {
				return More, nil, n, ErrChunkEnd
			}
			if len(rest) < 2 {
				return More, nil, n, nil
			}
			n += 2
			c.state = inSize
		case inTrailers:
			used, err := c.trailers(b, n)
			if err != nil || used == 0 {
				return More, nil, n, err
			}
			c.state = atEnd
			return End, nil, used, nil
		default:
			return End, nil, n, nil
		}
	}
}

// size reads a size line and returns its length, 0 when it is incomplete.
func (c *Chunked) size(b []byte) (int, *Error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, partialSize(b)
	}
	if i > maxChunkLine {
		return 0, ErrChunkSize
	}
	if i < 2 || b[i-1] != '\r' {
		return 0, ErrChunkSize
	}
	line := b[:i-1]
	digits := 0
	for digits < len(line) && is(line[digits], isHex) {
		digits++
	}
	if digits == 0 || digits > 15 { // 15 digits stay within an int64
		return 0, ErrChunkSize
	}
	if digits < len(line) {
		if line[digits] != ';' {
			return 0, ErrChunkSize
		}
		if c.overhead += len(line) - digits; c.overhead > maxOverhead || !validExt(line[digits:]) {
			return 0, ErrChunkExt
		}
	}
	c.remain = hex(line[:digits])
	c.state = inData
	if c.remain == 0 {
		c.state = inTrailers
		c.lines = lines{}
	}
	return i + 1, nil
}

// partialSize judges a size line whose end has not arrived.
func partialSize(b []byte) *Error {
	if len(b) > maxChunkLine || len(b) > 0 && !is(b[0], isHex) {
		return ErrChunkSize
	}
	return nil
}

func hex(b []byte) (n int64) {
	for _, c := range b {
		n <<= 4
		if c <= '9' {
			n |= int64(c - '0')
		} else {
			n |= int64(c|0x20-'a') + 10
		}
	}
	return n
}

// validExt checks *( ";" name [ "=" ( token / quoted-string ) ] ) without whitespace.
func validExt(b []byte) bool {
	for len(b) > 0 {
		if b[0] != ';' {
			return false
		}
		b = b[1:]
		n := token(b)
		if n == 0 {
			return false
		}
		if b = b[n:]; len(b) == 0 || b[0] != '=' {
			continue
		}
		b = b[1:]
		if n = token(b); n == 0 {
			n = quoted(b)
		}
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

func token(b []byte) (n int) {
	for n < len(b) && is(b[n], isToken) {
		n++
	}
	return n
}

// quoted returns the length of the quoted-string that b starts with, 0 for none.
func quoted(b []byte) int {
	if len(b) < 2 || b[0] != '"' {
		return 0
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i == len(b) || b[i] < 0x20 || b[i] >= 0x7f {
				return 0
			}
		case c < 0x20 && c != '\t' || c >= 0x7f:
			return 0
		}
	}
	return 0
}

// trailers reads the trailer section at b[n:]. It returns the offset behind it, 0 when it
// is incomplete. Offsets count from where the section starts, so that they stay right when
// the caller drops what came before.
func (c *Chunked) trailers(b []byte, n int) (int, *Error) {
	section := b[n:]
	for {
		start, end, ok, err := c.line(section)
		switch {
		case err != nil:
			return 0, err
		case !ok && len(section) > maxTrailers, c.next > maxTrailers:
			return 0, ErrHeadTooLarge
		case !ok:
			return 0, nil
		case start == end:
			// From here on spans count from b, the slice that the caller sees.
			for i := range c.Trailers {
				c.Trailers[i].shift(uint32(n))
			}
			return n + c.next, nil
		}
		if err := c.Trailers.add(section, start, end); err != nil {
			return 0, err
		}
		switch c.Trailers[len(c.Trailers)-1].Key {
		case KeyHost, KeyContentLength, KeyTransferEncoding:
			return 0, ErrTrailer // RFC 9110 section 6.5.1
		}
	}
}

func (f *Field) shift(by uint32) {
	f.Name.Start, f.Name.End = f.Name.Start+by, f.Name.End+by
	f.Value.Start, f.Value.End = f.Value.Start+by, f.Value.End+by
	f.End += by
}
