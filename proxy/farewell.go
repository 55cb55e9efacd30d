package proxy

import "encoding/binary"

// goingAway is a WebSocket frame that closes with status 1001 (RFC 6455 sections 5.5.1 and
// 7.4.1).
var goingAway = []byte{0x88, 2, 1001 >> 8, 1001 & 0xff}

// farewell follows what flows from an endpoint to a client. Its frames are counted, so that a frame of
// our own can be put between two of them: a client that is told that its endpoint, or this edge, goes away
// connects again, instead of finding out.
type farewell struct {
	frames wsFrames
	told   bool // the client was, and gets nothing else
}

// pass takes what the endpoint sent, and returns what of it the client gets. wanted: the client is to be
// told, which last does once no frame is on its way.
func (f *farewell) pass(p []byte, wanted bool) (out, last []byte) {
	switch {
	case f.told:
		return nil, nil
	case !wanted:
		f.frames.pass(p)
		return p, nil
	case !f.frames.between():
		n := f.frames.next(p)
		if !f.frames.between() {
			return p, nil // the frame goes on
		}
		p = p[:n]
	default:
		p = nil
	}
	f.told = true
	return p, goingAway
}

// wsFrames follows the frames of a WebSocket in a stream of bytes (RFC 6455 section 5.2).
type wsFrames struct {
	head [14]byte
	n    int    // bytes of a head that is not complete
	left uint64 // bytes of the payload that are to come
}

// between says whether a frame may begin now.
func (f *wsFrames) between() bool { return f.n == 0 && f.left == 0 }

// pass takes bytes in.
func (f *wsFrames) pass(p []byte) {
	for len(p) > 0 {
		p = p[f.next(p):]
	}
}

// next takes bytes in up to the end of the frame and returns how many there were.
func (f *wsFrames) next(p []byte) (n int) {
	for n < len(p) {
		if f.left > 0 {
			take := min(f.left, uint64(len(p)-n))
			f.left -= take
			n += int(take)
		} else {
			f.head[f.n] = p[n]
			f.n++
			n++
			if f.n < f.size() {
				continue
			}
			f.left, f.n = f.length(), 0
		}
		if f.between() {
			return n
		}
	}
	return n
}

// size is how long the head is, as far as that can be told.
func (f *wsFrames) size() int {
	if f.n < 2 {
		return 2
	}
	size := 2
	switch f.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.head[1]&0x80 != 0 {
		size += 4 // of the mask
	}
	return size
}

func (f *wsFrames) length() uint64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.head[2:])
	default:
		return uint64(n)
	}
}
