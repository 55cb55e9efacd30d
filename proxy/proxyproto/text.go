package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// max1 is the longest line of version 1 with its end (section 2.1).
const max1 = 107

// The shortest lines with addresses, which spare a reader most of its small steps.
const (
	shortestTCP4 = len("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n")
	shortestTCP6 = len("PROXY TCP6 :: :: 1 1\r\n")
)

func need1(b []byte) (int, error) {
	if len(b) < shortest {
		return shortest - len(b), nil
	}
	if end := bytes.IndexByte(b, '\r'); end >= 0 && end < min(len(b), max1)-1 {
		if b[end+1] != '\n' {
			return 0, ErrMalformed
		}
		return 0, nil
	}
	if len(b) >= max1 {
		return 0, ErrTooLong
	}
	least := len(b) + 2
	switch {
	case b[len(b)-1] == '\r':
		least = len(b) + 1
	case bytes.HasPrefix(b, []byte("PROXY TCP4 ")):
		least = max(least, shortestTCP4)
	case bytes.HasPrefix(b, []byte("PROXY TCP6 ")):
		least = max(least, shortestTCP6)
	}
	if least > max1 {
		return 0, ErrTooLong
	}
	return least - len(b), nil
}

// parse1 reads a line of version 1, which is complete.
func parse1(b []byte) (Header, int, error) {
	end := bytes.IndexByte(b, '\r')
	h, size := Header{Version: V1}, end+2
	line := string(b[len(prefix1):end])
	// What stands behind UNKNOWN is to be ignored (section 2.1).
	if line == "UNKNOWN" || strings.HasPrefix(line, "UNKNOWN ") {
		return h, size, nil
	}
	words := strings.Split(line, " ")
	if len(words) != 5 || words[0] != "TCP4" && words[0] != "TCP6" {
		return Header{}, 0, ErrMalformed
	}
	var ok1, ok2 bool
	h.Source, ok1 = address1(words[0], words[1], words[3])
	h.Destination, ok2 = address1(words[0], words[2], words[4])
	if !ok1 || !ok2 {
		return Header{}, 0, ErrMalformed
	}
	return h, size, nil
}

// address1 reads an address and a port as section 2.1 has them: no leading zeros, no zone,
// the family that was announced.
func address1(family, ip, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port != strconv.FormatUint(n, 10) {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
