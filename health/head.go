package health

import (
	"bufio"
	"bytes"
	"strconv"
)

// plainHead takes the status line and the fields of an ordinary answer out of what r holds;
// net/http would make a kilobyte of maps and strings of them, where the status is asked for and
// how long the body is (-1: to the end). Where anything is less than plain, or not there yet, it
// takes nothing and says so: net/http then judges.
func plainHead(r *bufio.Reader) (status int, length int64, ok bool) {
	all, _ := r.Peek(r.Buffered()) // never fails: it is there
	end := bytes.Index(all, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, false
	}
	line, fields, _ := bytes.Cut(all[:end+2], []byte("\r\n"))
	if status = plainStatus(line); status == 0 {
		return 0, 0, false
	}
	length = -1
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, found := bytes.Cut(field, []byte(":"))
		switch {
		case !found || !isPlain(name, value) || bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, 0, false
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(bytes.Trim(value, " ")), 10, 62)
			if err != nil || length >= 0 {
				return 0, 0, false
			}
			length = int64(n) //nolint:gosec // 62 bits
		}
	}
	_, err := r.Discard(end + len("\r\n\r\n"))
	return status, length, err == nil
}

// plainStatus reads "HTTP/1.1 200 OK" of an answer that may have a body, or returns 0.
func plainStatus(line []byte) int {
	const version, least = "HTTP/1.", len("HTTP/1.1 200 ")
	if len(line) < least || string(line[:len(version)]) != version || line[7] != '0' && line[7] != '1' || line[8] != ' ' || line[12] != ' ' || !isText(line) {
		return 0
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 200 || status > 999 || status == 204 || status == 304 {
		return 0
	}
	return status
}

// isPlain says that the name is of letters, digits and hyphens, and the value of printable ASCII.
func isPlain(name, value []byte) bool {
	for _, c := range name {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(name) > 0 && isText(value)
}

func isText(value []byte) bool {
	for _, c := range value {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
