package http1

import "strconv"

// LastChunk ends a chunked body without trailers.
const LastChunk = "0\r\n\r\n"

// AppendChunkSize appends the size line of a chunk of n bytes.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, '\r', '\n')
}

// AppendStatus appends "HTTP/1.1 code reason CRLF".
func AppendStatus(dst []byte, status int, reason []byte) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	dst = append(dst, reason...)
	return append(dst, '\r', '\n')
}

// AppendLength appends a Content-Length field.
func AppendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\r', '\n')
}

// AppendFields appends the lines of the fields that keep accepts, byte by byte as they
// came. Neighbours are copied in one piece.
func AppendFields(dst, b []byte, fields Fields, keep func(i int) bool) []byte {
	for i := 0; i < len(fields); i++ {
		if !keep(i) {
			continue
		}
		from := fields[i].Name.Start
		for i+1 < len(fields) && keep(i+1) {
			i++
		}
		dst = append(dst, b[from:fields[i].End]...)
	}
	return dst
}
