package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Append appends the header that names a connection from src to dst. When one of them is
// not known, or they are not of one family, the header says no more than that it is one.
func Append(b []byte, v Version, src, dst netip.AddrPort) []byte {
	from, to := src.Addr().Unmap(), dst.Addr().Unmap()
	if !from.IsValid() || !to.IsValid() || from.Is4() != to.Is4() {
		return AppendUnknown(b, v)
	}
	if v == V1 {
		return append1(b, from.WithZone(""), to.WithZone(""), src.Port(), dst.Port())
	}
	family := byte(familyTCP6)
	if from.Is4() {
		family = familyTCP4
	}
	b = append(append(b, signature...), commandProxy, family)
	b = binary.BigEndian.AppendUint16(b, uint16(addressBytes[family]))
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	return binary.BigEndian.AppendUint16(b, dst.Port())
}

func append1(b []byte, from, to netip.Addr, fromPort, toPort uint16) []byte {
	b = append(b, prefix1...)
	if from.Is4() {
		b = append(b, "TCP4 "...)
	} else {
		b = append(b, "TCP6 "...)
	}
	b = append(from.AppendTo(b), ' ')
	b = append(to.AppendTo(b), ' ')
	b = append(strconv.AppendUint(b, uint64(fromPort), 10), ' ')
	return append(strconv.AppendUint(b, uint64(toPort), 10), '\r', '\n')
}

// AppendUnknown appends a header without addresses: UNKNOWN in version 1, and in version 2
// LOCAL, for which the receiver takes the connection's own.
func AppendUnknown(b []byte, v Version) []byte {
	if v == V1 {
		return append(b, "PROXY UNKNOWN\r\n"...)
	}
	return append(append(b, signature...), commandLocal, familyUnspec, 0, 0)
}
