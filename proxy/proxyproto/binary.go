package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// head2 is the size of the fixed part of version 2: signature, command, family, length.
const head2 = 16

// Commands and families of version 2 (section 2.2).
const (
	commandLocal = 0x20
	commandProxy = 0x21

	familyUnspec  = 0x00
	familyTCP4    = 0x11
	familyUDP4    = 0x12
	familyTCP6    = 0x21
	familyUDP6    = 0x22
	familyStream  = 0x31 // UNIX
	familyDgram   = 0x32
	checksumType  = 0x03 // PP2_TYPE_CRC32C
	checksumBytes = 4
)

// addressBytes is the size of the addresses of each family.
var addressBytes = map[byte]int{
	familyUnspec: 0, familyTCP4: 12, familyUDP4: 12, familyTCP6: 36, familyUDP6: 36, familyStream: 216, familyDgram: 216,
}

func need2(b []byte) (int, error) {
	if len(b) < shortest {
		return shortest - len(b), nil
	}
	if len(b) < head2 {
		return head2 - len(b), nil
	}
	size := head2 + int(binary.BigEndian.Uint16(b[14:]))
	if size > MaxSize {
		return 0, ErrTooLong
	}
	return max(0, size-len(b)), nil
}

// parse2 reads a block of version 2, which is complete.
func parse2(b []byte) (Header, int, error) {
	size := head2 + int(binary.BigEndian.Uint16(b[14:]))
	b = b[:size]
	switch b[12] {
	case commandLocal:
		// The block, family included, is to be discarded.
		return Header{Version: V2, Local: true}, size, nil
	case commandProxy:
	default:
		return Header{}, 0, ErrMalformed
	}
	n, known := addressBytes[b[13]]
	if !known || head2+n > size {
		return Header{}, 0, ErrMalformed
	}
	h := Header{Version: V2}
	a := b[head2 : head2+n]
	switch b[13] {
	case familyTCP4:
		h.Source, h.Destination = addresses2(a, 4)
	case familyTCP6:
		h.Source, h.Destination = addresses2(a, 16)
	}
	if err := checkExtensions(b, head2+n); err != nil {
		return Header{}, 0, err
	}
	return h, size, nil
}

// addresses2 reads source and destination, the addresses first and then the ports.
func addresses2(a []byte, n int) (src, dst netip.AddrPort) {
	from, _ := netip.AddrFromSlice(a[:n])
	to, _ := netip.AddrFromSlice(a[n : 2*n])
	return netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(a[2*n:])),
		netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(a[2*n+2:]))
}

// checkExtensions walks over the type-length-value fields from at on. They are skipped, but
// for the checksum, which has to be right when it is there (section 2.2.3).
func checkExtensions(b []byte, at int) error {
	for at < len(b) {
		if len(b)-at < 3 {
			return ErrMalformed
		}
		kind, n := b[at], int(binary.BigEndian.Uint16(b[at+1:]))
		at += 3
		if n > len(b)-at {
			return ErrMalformed
		}
		if kind == checksumType {
			if n != checksumBytes {
				return ErrMalformed
			}
			if binary.BigEndian.Uint32(b[at:]) != checksum(b, at) {
				return ErrChecksum
			}
		}
		at += n
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of the whole header with zeros where it stands itself.
func checksum(b []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, make([]byte, checksumBytes))
	return crc32.Update(sum, castagnoli, b[at+checksumBytes:])
}
